// What the page asks the server for, and what the server offers.

import { facetNames, forgetAttributes } from "./attributes.js";
import { Problem, post, request } from "./http.js";
import { text } from "./language.js";
import { bodyOf, filterOf } from "./query.js";

export const PAGE_SIZE = 24;
/** Finds the objects in a photo; a server that has it searches parts of photos, too. */
export const REGIONS = "/v1/regions";
const LARGE_BYTES = 10_000_000;
// ---- what is offered

let openapi = null;

/** The paths and fields that this server knows, as a function of a path and a field of its JSON body. */
export function offers() {
  const signal = new AbortController().signal;
  openapi ??= request("/openapi.json", { signal }).catch(() => ({ paths: {} }));
  return openapi.then((document) => (path, field = "") => {
    const operation = document.paths[path]?.post ?? document.paths[path]?.get;
    return Boolean(operation) && (field === "" || names(operation, document).has(field));
  });
}

/** Every name of a property in an operation's body, however deep. */
function names(operation, document) {
  const found = new Set();
  const seen = new Set();
  const walk = (node) => {
    if (node === null || typeof node !== "object" || seen.has(node)) return;
    seen.add(node);
    if (typeof node.$ref === "string") walk(resolved(node.$ref, document));
    for (const name of Object.keys(node.properties ?? {})) found.add(name);
    Object.values(node).forEach(walk);
  };
  walk(operation.requestBody);
  return found;
}

function resolved(reference, document) {
  return reference.replace(/^#\//, "").split("/").reduce((node, name) => node?.[name], document);
}

// ---- search

/** Products for a query, `PAGE_SIZE` at a time; `cursor` is that of the answer before, empty for the first. */
export async function find(query, { photo, cursor, signal }) {
  const body = { ...(await bodyFor(query)), limit: PAGE_SIZE };
  if (cursor) return search({ ...body, cursor }, photo, signal);
  const facets = facetNames();
  try {
    return await search({ ...body, facets }, photo, signal);
  } catch (error) {
    // names learned earlier may be those of a catalog that has changed since
    if (error.code !== "filter_field_unknown") throw error;
    forgetAttributes();
    const fewer = facetNames();
    if (fewer.length === facets.length) throw error;
    return search({ ...body, facets: fewer }, photo, signal);
  }
}

/** Facets alone, counted over the same products as those of a first page. */
export async function countFacets(query, facets, { photo, signal }) {
  return (await search({ ...(await bodyFor(query)), facets, limit: PAGE_SIZE }, photo, signal)).facets;
}

/** Some of the catalog's newest products. */
export function newest(limit, signal) {
  return search({ sort: "newest", limit }, null, signal);
}

/** Why a product is among the hits: the hit, with its explanation; null if it is not among them any more. */
export async function explanation(query, productId, { photo, signal }) {
  const filter = { and: [...filterOf(query), { field: "product_id", any_of: [productId] }] };
  const found = await search({ ...(await bodyFor(query)), filter, limit: 1, explain: true }, photo, signal);
  return found.hits[0] ?? null;
}

/** Parts of photos are asked for only where the server knows them; other queries need not wait to know that. */
async function bodyFor(query) {
  return bodyOf(query, { canCrop: query.photo !== null && (await offers())(REGIONS) });
}

async function search(body, photo, signal) {
  if (!photo) return post("/v1/search", body, signal);
  return withPhoto("/v1/search", photo, { query: JSON.stringify(body) }, signal);
}

// ---- photos

/** The objects in a photo. */
export function regions(photo, signal) {
  return withPhoto(REGIONS, photo, {}, signal);
}

/** How well each label describes a photo. */
export function classify(photo, labels, signal) {
  return withPhoto("/v1/classify", photo, { labels: labels.join(",") }, signal);
}

async function withPhoto(path, photo, fields, signal) {
  const file = await photo.ready;
  const body = new FormData();
  body.append("file", file, photo.name);
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  try {
    return await request(path, { method: "POST", body, signal });
  } catch (error) {
    // a server that refuses a large file hangs up on it, and a browser may then miss the answer
    if (error.code !== "unreachable" || file.size < LARGE_BYTES) throw error;
    await request("/healthz", { signal });
    throw tooLarge(file, photo.name);
  }
}

/** The problem of a file that cannot be sent. */
export function tooLarge(file, name) {
  return new Problem("image_too_large", text("detailTooLarge", { name, size: Math.round(file.size / 1_000_000) }));
}

// ---- products

/** All that is indexed of a product. */
export function product(productId, signal) {
  return request(productPath(productId), { signal });
}

/** Products that look like a product. */
export function similar(productId, limit, signal) {
  return request(`${productPath(productId)}/similar?limit=${limit}`, { signal });
}

/** Address of a picture, or empty if it has none that may be shown; small ones only where the API makes them. */
export function pictureUrl(url, { small = false } = {}) {
  if (url.startsWith("/v1/")) return small ? `${url}?size=thumbnail` : url;
  return webAddress(url);
}

/** An http(s) address, or empty: a feed may hold anything, `javascript:` too. */
export function webAddress(address) {
  try {
    const { protocol, href } = new URL(address);
    return protocol === "https:" || protocol === "http:" ? href : "";
  } catch {
    return "";
  }
}

function productPath(productId) {
  return `/v1/products/${encodeURIComponent(productId)}`;
}

// ---- index runs, for who holds the key

/** The latest index runs, newest first. */
export function indexRuns(key, signal) {
  return request("/v1/index-runs?limit=20", { headers: { "X-API-Key": key }, signal });
}

/** What is still missing of a run, `limit` items from `offset` on. */
export function runFailures(key, runId, offset, limit, signal) {
  const path = `/v1/index-runs/${encodeURIComponent(runId)}/failures?limit=${limit}&offset=${offset}`;
  return request(path, { headers: { "X-API-Key": key }, signal });
}

/** Asks for a run's failures to be tried again. */
export function retryRun(key, runId, signal) {
  const path = `/v1/index-runs/${encodeURIComponent(runId)}/retry`;
  return request(path, { method: "POST", headers: { "X-API-Key": key }, signal });
}
