// Which attributes this catalog's products have: facets are asked for by name, and only those that there are.

const WELL_KNOWN = ["color", "size", "material", "pattern", "gender", "age_group", "season"];
const NAMES = "attribute_names";
const FIXED = ["category", "brand", "price", NAMES];
const TOLD = "tag."; // attributes that `tag` told from pictures
const OTHERS = 4;
const LONGEST_VALUE = 40;
const STORAGE_KEY = "vitrine.attributes";

let known = recalled();

/** A name without the mark of having been told from pictures. */
export function plainName(name) {
  return name.startsWith(TOLD) ? name.slice(TOLD.length) : name;
}

/** The facets to ask for. */
export function facetNames() {
  return [...FIXED, ...[...known].sort((one, other) => rankOf(one) - rankOf(other))];
}

/** Learns the attributes of a catalog from an answer; returns those that are new. */
export function learnAttributes({ facets, hits }) {
  const there = (facets?.[NAMES]?.values ?? []).map(({ value }) => value);
  // what was told from pictures stands in where feeds say nothing
  const said = [...there, ...FIXED];
  const told = there.filter((name) => name.startsWith(TOLD) && !said.includes(plainName(name)));
  const well = there.filter((name) => WELL_KNOWN.includes(name));
  const others = there.filter((name) => !name.startsWith(TOLD) && !well.includes(name) && groups(name, hits));
  const fresh = [...well, ...told, ...others.slice(0, OTHERS)].filter((name) => !known.includes(name));
  if (fresh.length > 0) keep([...known, ...fresh]);
  return fresh;
}

/** The catalog has changed and does not have them any more. */
export function forgetAttributes() {
  keep([]);
}

/** Whether values of an attribute that is not well known put products into groups, as numbers of articles do not. */
function groups(name, hits) {
  const values = hits.map(({ attributes }) => attributes?.[name]).filter(Boolean);
  const different = new Set(values).size;
  return values.length >= hits.length / 2 && different > 1 && different <= values.length / 2 && values.every(isShort);
}

/** The well known come first, in their order. */
function rankOf(name) {
  const at = WELL_KNOWN.indexOf(plainName(name));
  return at < 0 ? WELL_KNOWN.length : at;
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
