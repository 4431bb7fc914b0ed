// What a visitor may want to say next, taken from what was found: words to add to a picture, and values to keep to.

import { plainName } from "./attributes.js";
import { hasPictures } from "./query.js";

const WORDS = 5;
const VALUES_PER_FIELD = 3;
const TOP_HITS = 3;
const LOOKS = ["color", "pattern", "material"]; // a picture can be wished for in another one of these
const FIELDS = ["category", "brand", "color", "material", "pattern", "size", "gender", "age_group", "season"];

/** Words that look like another one of the same kind, for a query with a picture. */
export function wordsToAdd(query, { facets = {}, hits }) {
  if (!hasPictures(query)) return [];
  const counts = new Map();
  for (const field of LOOKS) {
    for (const { value, count } of (facets[field] ?? facets[`tag.${field}`])?.values ?? []) {
      for (const word of wordsOf(value)) counts.set(word, (counts.get(word) ?? 0) + count);
    }
  }
  const said = [...query.texts, ...query.without].join(" ").toLowerCase();
  // what the picture shows anyway need not be said
  const shown = new Set(hits.slice(0, TOP_HITS).flatMap((hit) => LOOKS.flatMap((field) => wordsOf(hit.attributes?.[field]))));
  const words = [...counts].filter(([word]) => !said.includes(word) && !shown.has(word));
  return words.sort(([, one], [, other]) => other - one).slice(0, WORDS).map(([word]) => word);
}

function wordsOf(value) {
  const words = String(value ?? "").split(/[/,;]/).map((part) => part.trim().toLowerCase());
  return words.filter((word) => word.length > 1 && word.length <= 24);
}

/** Values of fields that some of the products shown have and not all, at most so many: { field, value }. */
export function valuesToKeepTo(query, { facets = {}, hits }, most) {
  const told = Object.keys(facets).filter((field) => plainName(field) !== field);
  const fields = [...FIELDS, ...told].filter((field) => !query.fields[field] && facets[field]?.kind === "values");
  const perField = fields.map((field) => (told.includes(field) ? tags(field, facets[field]) : narrowing(field, hits)));
  // the best of every field before the second best of any
  const rounds = Array.from({ length: VALUES_PER_FIELD }, (_, at) => perField.map((values) => values[at]));
  return rounds.flat().filter(Boolean).slice(0, most);
}

function narrowing(field, hits) {
  const counts = new Map();
  for (const hit of hits) {
    const value = valueOf(field, hit);
    if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const some = [...counts].filter(([, count]) => count < hits.length);
  return some.sort(([, one], [, other]) => other - one).map(([value]) => ({ field, value }));
}

/** Products do not carry their tags: what most of those that were counted have. */
function tags(field, { values }) {
  return values.length < 2 ? [] : values.map(({ value }) => ({ field, value }));
}

/** Of a category the whole path: its last step says most. */
function valueOf(field, hit) {
  if (field === "category") return hit.category.join(" > ");
  return field === "brand" ? hit.brand : hit.attributes?.[field];
}
