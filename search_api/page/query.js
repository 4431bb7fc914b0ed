// What is asked: one query of many parts, never changed in place, and its address. Everything but a photo has one.

const NOTHING = Object.freeze([]);

/** A query that asks for nothing. A box is [left, top, right, bottom] as fractions of the photo's sides. */
export const EMPTY = Object.freeze({
  texts: NOTHING,
  without: NOTHING, // words of what is not wanted
  photo: null, // { id, box, whole }: a box, the whole photo, or what the server thinks best
  products: NOTHING, // ids of products whose picture is asked with
  liked: NOTHING,
  disliked: NOTHING,
  fields: Object.freeze({}), // wanted values by field
  inStock: false,
  price: null, // { gte, lte } in minor units, either of them null
  sort: "", // empty: by relevance, or the newest first where nothing says what is relevant
  variantsAsOne: false,
  samePictureOnce: false,
  all: false, // the whole catalog, where nothing else is asked
});

const LISTS = { texts: "q", without: "not", products: "similar", liked: "like", disliked: "dislike" };
const FLAGS = { inStock: "in_stock", variantsAsOne: "variants", samePictureOnce: "once", all: "all" };
const FIELD = "f.";
export const SORTS = ["relevance", "price_asc", "price_desc", "newest"];

/** The query with some of it replaced. */
export function changed(query, change) {
  return Object.freeze({ ...query, ...change });
}

/** Whether something of it says what products should be like; else it only filters and sorts. */
export function hasParts(query) {
  return query.photo !== null || ["texts", "products", "liked"].some((list) => query[list].length > 0);
}

/** Whether a picture, of the visitor or of a product, says what products should be like. */
export function hasPictures(query) {
  return query.photo !== null || query.products.length > 0 || query.liked.length > 0;
}

export function hasFilter(query) {
  return query.inStock || query.price !== null || Object.keys(query.fields).length > 0;
}

export function isEmpty(query) {
  return !hasParts(query) && !hasFilter(query) && !query.all && query.disliked.length === 0 && query.without.length === 0;
}

/** The query with no filter. */
export function unfiltered(query) {
  return changed(query, { fields: EMPTY.fields, inStock: false, price: null, all: !hasParts(query) });
}

/** The query with a value of a list put in or, if it is in, taken out. */
export function toggled(query, list, value) {
  const values = query[list].includes(value) ? query[list].filter((one) => one !== value) : [...query[list], value];
  return changed(query, { [list]: values });
}

/** The query with a product liked (or disliked), or no longer; it is never both. */
export function judged(query, list, productId) {
  const other = list === "liked" ? "disliked" : "liked";
  return toggled(changed(query, { [other]: query[other].filter((id) => id !== productId) }), list, productId);
}

/** The query with the values of a field replaced. */
export function withField(query, field, values) {
  const { [field]: _, ...others } = query.fields;
  const fields = values.length > 0 ? { ...others, [field]: values } : others;
  return changed(query, { fields });
}

/** The query with a value of a field wanted or no longer. */
export function withFieldToggled(query, field, value) {
  const values = query.fields[field] ?? [];
  const next = values.includes(value) ? values.filter((one) => one !== value) : [...values, value];
  return withField(query, field, next);
}

/** Words as they are typed: `red shoe -leather -"high heel"` wants the first two and none of the others. */
export function readWords(typed) {
  const without = [];
  const text = typed.replace(/(^|\s)-(?:"([^"]+)"|(\p{L}[^\s"]*))/gu, (_, before, phrase, word) => {
    without.push((phrase ?? word).trim());
    return before;
  });
  return { text: text.replace(/\s+/g, " ").trim(), without };
}

/** The words as they would be typed. */
export function writeWords(query) {
  const without = query.without.map((words) => (/\s/.test(words) ? `-"${words}"` : `-${words}`));
  return [query.texts[0] ?? "", ...without].filter(Boolean).join(" ");
}

// ---- address

/** Parameters of a query, always in the same order. */
export function parametersOf(query) {
  const parameters = new URLSearchParams();
  for (const [list, name] of Object.entries(LISTS)) {
    for (const value of query[list]) parameters.append(name, value);
  }
  for (const field of Object.keys(query.fields).sort()) {
    for (const value of [...query.fields[field]].sort()) parameters.append(FIELD + field, value);
  }
  if (query.price) parameters.set("price", `${query.price.gte ?? ""}-${query.price.lte ?? ""}`);
  if (query.sort) parameters.set("sort", query.sort);
  for (const [flag, name] of Object.entries(FLAGS)) {
    if (query[flag]) parameters.set(name, "1");
  }
  return parameters;
}

/** The query of an address; `photo` is the one that the history entry knows. What makes no sense is left out. */
export function queryOf(parameters, photo = null) {
  const found = { photo };
  for (const [list, name] of Object.entries(LISTS)) {
    const values = parameters.getAll(name).map((value) => value.trim());
    found[list] = [...new Set(values.filter(Boolean))];
  }
  found.disliked = found.disliked.filter((id) => !found.liked.includes(id));
  const fields = {};
  for (const [name, value] of parameters) {
    if (name.startsWith(FIELD) && name !== FIELD && value) (fields[name.slice(FIELD.length)] ??= []).push(value);
  }
  found.fields = fields;
  found.price = priceOf(parameters.get("price") ?? "");
  const sort = parameters.get("sort");
  found.sort = SORTS.includes(sort) ? sort : "";
  for (const [flag, name] of Object.entries(FLAGS)) found[flag] = parameters.get(name) === "1";
  return changed(EMPTY, found);
}

function priceOf(written) {
  const match = /^(\d{0,15})-(\d{0,15})$/.exec(written);
  if (!match || written === "-") return null;
  const [gte, lte] = match.slice(1).map((digits) => (digits === "" ? null : Number(digits)));
  return { gte, lte };
}

/** Text that is the same for equal queries only. */
export function keyOf(query) {
  const { photo } = query;
  const shown = photo ? JSON.stringify([photo.id, photo.box, photo.whole]) : "";
  return isEmpty(query) ? "" : `${shown}?${parametersOf(query)}`;
}

// ---- request

/** How the hits are ordered. */
export function sortOf(query) {
  if (hasParts(query)) return query.sort || "relevance";
  return query.sort && query.sort !== "relevance" ? query.sort : "newest";
}

/** The body of POST /v1/search; what is not asked is not in it. `canCrop`: whether parts of a photo can be searched. */
export function bodyOf(query, { canCrop }) {
  const body = {};
  const put = (name, list) => {
    if (list.length > 0) body[name] = list;
  };
  const products = (ids) => ids.map((id) => ({ product_id: id }));
  if (query.photo) put("photos", [photoPart(query.photo, canCrop)]);
  put("products", products(query.products));
  put("texts", query.texts.map((text) => ({ text })));
  put("negative_texts", query.without.map((text) => ({ text })));
  put("liked", products(query.liked));
  put("disliked", products(query.disliked));
  const filter = filterOf(query);
  if (filter.length > 0) body.filter = { and: filter };
  body.sort = sortOf(query);
  if (query.variantsAsOne) body.group_by = "item_group";
  if (query.samePictureOnce) body.collapse_duplicates = true;
  return body;
}

function photoPart({ box, whole }, canCrop) {
  if (!canCrop) return { file: "file" };
  if (box) return { file: "file", box };
  return { file: "file", region: whole ? "whole" : "auto" };
}

/** The conditions, all of which hold. */
export function filterOf(query) {
  const conditions = Object.entries(query.fields).map(([field, values]) => ({ field, any_of: values }));
  if (query.inStock) conditions.push({ field: "in_stock", any_of: [true] });
  if (query.price) {
    const { gte, lte } = query.price;
    conditions.push({ field: "price_minor", ...(gte !== null && { gte }), ...(lte !== null && { lte }) });
  }
  return conditions;
}
