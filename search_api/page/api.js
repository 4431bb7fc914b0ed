// The HTTP API, and its errors.

import { text } from "./language.js";

export const PAGE_SIZE = 24;
const MAX_OFFSET = 1000;
const TIMEOUT_MS = 30_000;
const LARGE_BYTES = 10_000_000;

/** What went wrong, as the server's problem document has it, or as the page found out itself (status 0). */
export class Problem extends Error {
  constructor(code, detail, { status = 0, retryAfterS = 0, fromServer = false } = {}) {
    super(detail);
    Object.assign(this, { code, status, retryAfterS, fromServer });
  }

  /** Whether the same request may succeed later with nothing changed. */
  get passes() {
    return this.status === 503 || this.code === "unreachable";
  }
}

/** Products for a query, `PAGE_SIZE` at a time. */
export async function find(query, offset, signal) {
  const page = { limit: PAGE_SIZE, offset };
  if (query.kind === "text") {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ text: query.text, ...page });
    return request("/v1/search/text", { method: "POST", headers, body, signal });
  }
  const parameters = new URLSearchParams(page);
  if (query.kind === "similar") {
    return request(`${productPath(query.productId)}/similar?${parameters}`, { signal });
  }
  return findByPhoto(await query.photo.ready, query.photo.name, parameters, signal);
}

async function findByPhoto(photo, name, parameters, signal) {
  const body = new FormData();
  body.append("file", photo, name);
  try {
    return await request(`/v1/search/image?${parameters}`, { method: "POST", body, signal });
  } catch (error) {
    // a server that refuses a large file hangs up on it, and a browser may then miss the answer
    if (error.code !== "unreachable" || photo.size < LARGE_BYTES) throw error;
    await request("/healthz", { signal });
    throw tooLarge(photo, name);
  }
}

/** The problem of a file that cannot be sent. */
export function tooLarge(file, name) {
  return new Problem("image_too_large", text("detailTooLarge", { name, size: Math.round(file.size / 1_000_000) }));
}

/** Whether there can be products after so many. */
export function mayHaveMore(found, offset) {
  return found.hits.length === PAGE_SIZE && offset <= MAX_OFFSET;
}

/** All that is indexed of a product. */
export function product(productId, signal) {
  return request(productPath(productId), { signal });
}

/** Products that look like a product. */
export function similar(productId, limit, signal) {
  return request(`${productPath(productId)}/similar?limit=${limit}`, { signal });
}

/** Returns when the server says that it can answer; asks at growing intervals, and at once when the network is back. */
export async function untilReady(firstWaitS, signal) {
  for (let waitS = Math.max(firstWaitS, 0.5); ; waitS = Math.min(waitS * 1.5, 10)) {
    await pause(waitS * 1000, signal);
    try {
      await request("/readyz", { signal });
      return;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }
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

async function request(path, { signal, ...options }) {
  signal.throwIfAborted();
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), TIMEOUT_MS);
  const stop = () => timeout.abort();
  signal.addEventListener("abort", stop);
  try {
    const response = await fetch(path, { ...options, signal: timeout.signal });
    if (response.ok) return await response.json();
    throw await problemOf(response);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Problem) throw error;
    throw new Problem("unreachable", text("detailOffline"));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

async function problemOf(response) {
  const body = await response.json().catch(() => ({}));
  const status = response.status;
  const retryAfterS = Number(response.headers.get("Retry-After")) || 0;
  if (typeof body.detail === "string" && typeof body.code === "string") {
    return new Problem(body.code, body.detail, { status, retryAfterS, fromServer: true });
  }
  return new Problem("unknown", text("detailStatus", { status: String(status) }), { status, retryAfterS });
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const end = (then) => () => {
      clearTimeout(timer);
      window.removeEventListener("online", over);
      signal.removeEventListener("abort", aborted);
      then();
    };
    const over = end(resolve);
    const aborted = end(() => reject(signal.reason));
    const timer = setTimeout(over, milliseconds);
    window.addEventListener("online", over);
    signal.addEventListener("abort", aborted);
  });
}
