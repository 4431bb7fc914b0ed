// The page: what it shows follows its address (?q= words, ?similar= a product, ?product= open details) and, for a
// photo, which has no address, the history entry.

import { Problem, find, mayHaveMore, pictureUrl, product, untilReady } from "./api.js";
import { Details } from "./details.js";
import { picture } from "./elements.js";
import { choosePhoto, takePhotos } from "./intake.js";
import { localize, text } from "./language.js";
import { keepPhoto, recallPhoto } from "./photo.js";
import { Results } from "./results.js";

const SKELETONS_AFTER_MS = 150;
const SESSIONS_KEPT = 12;

const words = document.getElementById("words");
const chip = document.getElementById("chip");
const chipPhoto = document.getElementById("chip-change");

const sessions = new Map(); // the last searches by their key, for the way back
const known = new Map(); // what results said of products
let current = null; // the search that is shown
let running = new AbortController();
let leaving = false; // the way back to the results is under way

const results = new Results({ hrefOf: (id) => address(current?.query, id), onRetry: () => start(current) });
const details = new Details(document.getElementById("details"), {
  hrefOf: (id) => address(current?.query, id),
  similarHref: (id) => address({ kind: "similar", productId: id }),
  onClose: leaveDetails,
});

// ---- address and history

function keyOf(query) {
  if (!query) return "";
  return `${query.kind}:${query.text ?? query.productId ?? query.photoId}`;
}

function address(query, productId = null) {
  const parameters = new URLSearchParams();
  if (query?.kind === "text") parameters.set("q", query.text);
  if (query?.kind === "similar") parameters.set("similar", query.productId);
  if (productId !== null) parameters.set("product", productId);
  const search = String(parameters);
  return search === "" ? "/" : `/?${search}`;
}

function queryOfAddress() {
  const parameters = new URLSearchParams(location.search);
  const typed = parameters.get("q")?.trim();
  if (typed) return { kind: "text", text: typed };
  if (parameters.get("similar")) return { kind: "similar", productId: parameters.get("similar") };
  const photoId = history.state?.photoId;
  return photoId ? { kind: "photo", photoId, photo: recallPhoto(photoId) } : null;
}

function productOfAddress() {
  return new URLSearchParams(location.search).get("product");
}

/** Goes to a query, or to a product within it; `depth` counts the products opened since. */
function go(query, productId = null) {
  const sameQuery = keyOf(query) === keyOf(current?.query);
  const depth = productId === null ? 0 : (history.state?.depth ?? 0) + 1;
  const method = sameQuery && productId === productOfAddress() ? "replaceState" : "pushState";
  history[method]({ photoId: query?.photoId, depth }, "", address(query, productId));
  if (productId === null) sessions.delete(keyOf(query)); // asked anew: answered anew
  show();
}

/** Closes the details by going back to where they were opened, if that was on this page. */
function leaveDetails() {
  if (leaving) return;
  const depth = history.state?.depth ?? 0;
  if (depth > 0) {
    leaving = true;
    history.go(-depth);
  } else {
    history.replaceState(history.state, "", address(current?.query));
    show();
  }
}

function show({ back = false } = {}) {
  if (leaving) {
    leaving = false;
    if (productOfAddress() !== null) history.replaceState(history.state, "", address(queryOfAddress()));
  }
  const query = queryOfAddress();
  const session = sessions.get(keyOf(query));
  if (query === null) showWelcome();
  else if (!current || session !== current) start(session ?? newSession(query), { back });
  const productId = productOfAddress();
  if (productId === null) details.close();
  else details.open(productId, known.get(productId));
}

// ---- searching

function newSession(query) {
  const session = {
    query,
    hits: [],
    ids: new Set(),
    offset: 0,
    complete: false, // whether there are no more
    answered: false,
    timings: null, // of the last answer
    scrollY: 0,
  };
  sessions.set(keyOf(query), session);
  if (sessions.size > SESSIONS_KEPT) sessions.delete(sessions.keys().next().value);
  return session;
}

function showWelcome() {
  running.abort();
  current = null;
  showQuery(null);
  results.showWelcome();
}

async function start(session, { back = false } = {}) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const shownBefore = current;
  current = session;
  showQuery(session.query);
  if (session.answered) {
    results.showProducts(session);
    scrollTo({ top: back ? session.scrollY : 0, behavior: "instant" });
    return;
  }
  if (shownBefore !== session) scrollTo({ top: 0, behavior: "instant" });
  results.showSearching();
  const slow = setTimeout(() => results.showSkeletons(), SKELETONS_AFTER_MS);
  signal.addEventListener("abort", () => clearTimeout(slow));
  try {
    await untilAnswered(session, signal, () => clearTimeout(slow));
    if (!signal.aborted) results.showProducts(session);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    results.showProblem(error);
  } finally {
    clearTimeout(slow);
  }
}

/** Asks until there is an answer; a problem that passes is shown and waited out. */
async function untilAnswered(session, signal, onProblem) {
  for (let attempt = 0; !session.answered; attempt += 1) {
    try {
      await fetchNext(session, signal);
    } catch (error) {
      if (!(error instanceof Problem && error.passes)) throw error;
      onProblem();
      results.showProblem(error);
      await untilReady(Math.max(error.retryAfterS, Math.min(attempt, 10)), signal);
    }
  }
}

async function fetchNext(session, signal) {
  if (session.query.kind === "photo" && session.query.photo === null) {
    throw new Problem("photo_gone", text("detailPhotoGone"));
  }
  const found = await find(session.query, session.offset, signal);
  signal.throwIfAborted();
  // the catalog may have changed between two answers, and shifted a product to the next
  const fresh = found.hits.filter(({ product_id: id }) => !session.ids.has(id));
  for (const hit of fresh) {
    session.ids.add(hit.product_id);
    known.set(hit.product_id, hit);
  }
  session.hits.push(...fresh);
  session.offset += found.hits.length;
  session.complete = !mayHaveMore(found, session.offset);
  session.timings = found.timings_ms;
  session.answered = true;
  return fresh;
}

async function showMore({ byKeyboard }) {
  const session = current;
  const { signal } = running;
  if (results.moreButton.getAttribute("aria-disabled") === "true") return;
  results.showLoadingMore(true);
  try {
    const fresh = await fetchNext(session, signal);
    const first = results.addProducts(session, fresh);
    if (byKeyboard) first?.focus();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    results.showMoreProblem(error);
  }
}

// ---- the query in the search bar

function showQuery(query) {
  const kind = query?.kind ?? "none";
  words.value = kind === "text" ? query.text : "";
  words.placeholder = text(kind === "photo" || kind === "similar" ? "placeholderPhoto" : "placeholder");
  chip.hidden = kind !== "photo" && kind !== "similar";
  document.body.dataset.query = kind;
  document.title = kind === "text" ? `${query.text} · Vitrine` : text("pageTitle");
  if (kind === "text") results.showQuery(`“${query.text}”`);
  if (kind === "photo") showQueryPicture(text("headingPhoto"), query.photo?.url ?? "");
  if (kind === "similar") showSimilarQuery(query.productId, running.signal);
}

function showQueryPicture(heading, url) {
  chipPhoto.replaceChildren(picture(url, { lazy: false }));
  results.showQuery(heading, picture(url, { lazy: false }));
}

async function showSimilarQuery(productId, signal) {
  const fill = ({ title, image }) => {
    showQueryPicture(text("headingSimilar", { title }), pictureUrl(image.url, { small: true }));
  };
  if (known.has(productId)) {
    fill(known.get(productId));
    return;
  }
  results.showQuery("");
  chipPhoto.replaceChildren();
  try {
    const { title, images } = await product(productId, signal);
    if (!signal.aborted) fill({ title, image: images[0] });
  } catch (error) {
    if (!signal.aborted && !(error instanceof Problem)) throw error; // the search itself shows the problem
  }
}

// ---- wiring

function searchPhoto(file) {
  const photo = keepPhoto(file);
  go({ kind: "photo", photoId: photo.id, photo });
}

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = words.value.trim();
  if (typed === "") {
    if (current?.query.kind === "text") go(null);
    words.focus();
    return;
  }
  go({ kind: "text", text: typed });
  if (matchMedia("(pointer: coarse)").matches) words.blur(); // hides a phone's keyboard
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-product], a[data-similar], a.brand");
  if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.dataset.product) {
    go(current?.query, link.dataset.product);
  } else {
    go(link.dataset.similar ? { kind: "similar", productId: link.dataset.similar } : null);
    document.getElementById("results").focus({ preventScroll: true });
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
  if (document.querySelector("dialog[open]")) return;
  event.preventDefault();
  words.focus();
});

chipPhoto.addEventListener("click", choosePhoto);
document.getElementById("chip-remove").addEventListener("click", () => {
  go(null);
  words.focus();
});
results.moreButton.addEventListener("click", (event) => showMore({ byKeyboard: event.detail === 0 }));
window.addEventListener("popstate", () => show({ back: true }));
window.addEventListener(
  "scroll",
  () => {
    if (current?.answered && !details.dialog.open) current.scrollY = window.scrollY;
  },
  { passive: true },
);

history.scrollRestoration = "manual";
localize(document);
takePhotos(searchPhoto);
show();
