// Which attributes this catalog's products have: facets are asked for by name, and only those that there are.

const WELL_KNOWN = ["color", "size", "material", "pattern", "gender", "age_group", "season"];
const FIXED = ["category", "brand", "price"];
const OTHERS = 4;
const LONGEST_VALUE = 40;
const STORAGE_KEY = "vitrine.attributes";

let known = recalled();

/** The facets to ask for. */
export function facetNames() {
  return [...FIXED, ...WELL_KNOWN.filter((name) => known.includes(name)), ...known.filter((name) => !WELL_KNOWN.includes(name))];
}

/** Learns the attributes of found products; returns those that are new. */
export function learnAttributes(hits) {
  const values = new Map();
  for (const { attributes } of hits) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
      values.set(name.toLowerCase(), [...(values.get(name.toLowerCase()) ?? []), value]);
    }
  }
  const worth = [...values.keys()].filter((name) => WELL_KNOWN.includes(name) || groups(values.get(name), hits.length));
  const fresh = worth.filter((name) => !known.includes(name));
  const others = known.filter((name) => !WELL_KNOWN.includes(name)).length;
  const taken = [
    ...fresh.filter((name) => WELL_KNOWN.includes(name)),
    ...fresh.filter((name) => !WELL_KNOWN.includes(name)).slice(0, Math.max(0, OTHERS - others)),
  ];
  if (taken.length > 0) keep([...known, ...taken]);
  return taken;
}

/** The catalog has changed and does not have them any more. */
export function forgetAttributes() {
  keep([]);
}

/** Whether values of an attribute that is not well known put products into groups, as numbers of articles do not. */
function groups(values, count) {
  const different = new Set(values).size;
  return values.length >= count / 2 && different > 1 && different <= values.length / 2 && values.every(isShort);
}

function isShort(value) {
  return value.length <= LONGEST_VALUE;
}

function keep(names) {
  known = names;
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(names));
  } catch {
    // storage is full or forbidden: then they are learned again
  }
}

function recalled() {
  try {
    const names = JSON.parse(sessionStorage.getItem(STORAGE_KEY));
    return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
  } catch {
    return [];
  }
}
