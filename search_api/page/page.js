// The page: what it shows follows its address (see query.js; ?product= opens details, ?view= another tab) and, for a
// photo, which has no address, the history entry.

import { newest, offers, pictureUrl } from "./api.js";
import { Classify } from "./classify.js";
import { Details } from "./details.js";
import { element, picture } from "./elements.js";
import { Explanation } from "./explain.js";
import { Sheet } from "./sheet.js";
import { guarded, onKeyWanted } from "./http.js";
import { choosePhoto, takePhotos } from "./intake.js";
import { localize, text } from "./language.js";
import { keepPhoto, recallPhoto } from "./photo.js";
import { EMPTY, changed, hasPictures, isEmpty, judged, keyOf, parametersOf, queryOf, readWords, writeWords } from "./query.js";
import { Runs } from "./runs.js";
import { ALL, Searching } from "./searching.js";
import { Share } from "./share.js";
import { SignIn } from "./signin.js";

const EXAMPLES = 8;
const VIEWS = ["classify", "runs"];

const byId = (id) => document.getElementById(id);
const words = byId("words");
const chip = byId("chip");
const chipPhoto = byId("chip-change");

let leaving = false; // the way back to the results is under way
let shownView = "";
let offerLearned = false;

// ---- address and history

function here() {
  return new URLSearchParams(location.search);
}

function address(query, productId = null) {
  const parameters = parametersOf(query);
  if (productId !== null) parameters.set("product", productId);
  return addressOf(parameters);
}

function addressOf(parameters) {
  const search = String(parameters);
  return search === "" ? "/" : `/?${search}`;
}

function queryHere() {
  return queryOf(here(), history.state?.photo ?? null);
}

function viewHere() {
  const view = here().get("view");
  return VIEWS.includes(view) ? view : "search";
}

/** Goes to a query, or to a product within it; `depth` counts the products opened since. */
function go(query, productId = null) {
  const same = keyOf(query) === keyOf(queryHere()) && viewHere() === "search" && productId === here().get("product");
  const depth = productId === null ? 0 : (history.state?.depth ?? 0) + 1;
  searching.remember();
  history[same ? "replaceState" : "pushState"]({ photo: query.photo, depth }, "", address(query, productId));
  if (same && productId === null) searching.forget(query); // asked anew: answered anew
  show();
}

function goToView(view, parameters = {}) {
  searching.remember();
  history.pushState({}, "", addressOf(new URLSearchParams({ view, ...parameters })));
  show();
  byId("results").focus({ preventScroll: true });
}

/** Closes the details by going back to where they were opened, if that was on this page. */
function leaveDetails() {
  if (leaving) return;
  const depth = history.state?.depth ?? 0;
  if (depth > 0) {
    leaving = true;
    history.go(-depth);
  } else {
    history.replaceState(history.state, "", address(queryHere()));
    show();
  }
}

function show({ back = false } = {}) {
  if (leaving) {
    leaving = false;
    if (here().has("product")) history.replaceState(history.state, "", address(queryHere()));
  }
  explain.close();
  const view = viewHere();
  showView(view);
  const query = view === "search" ? queryHere() : EMPTY;
  showWords(query);
  byId("welcome").hidden = view !== "search" || !isEmpty(query);
  if (isEmpty(query)) {
    searching.leave();
    showChip(null);
    if (view === "search") showExamples();
  } else {
    searching.show(query, { back });
  }
  const productId = view === "search" ? here().get("product") : null;
  if (productId === null) details.close();
  else details.open(productId, searching.known.get(productId));
}

function showView(view) {
  document.body.dataset.view = view;
  for (const link of document.querySelectorAll("a[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const name of VIEWS) byId(`view-${name}`).hidden = name !== view;
  if (view === "classify") classify.show(here().get("labels") ?? "");
  if (view === shownView) return;
  if (shownView === "classify") classify.hide();
  if (shownView === "runs") runs.hide();
  if (view === "runs") runs.show();
  shownView = view;
}

// ---- the query in the search bar

function showWords(query) {
  words.value = writeWords(query);
  const pictured = hasPictures(query);
  words.placeholder = text(pictured ? "placeholderPhoto" : "placeholder");
  document.body.dataset.query = pictured ? "picture" : isEmpty(query) ? "none" : "text";
  const [first] = query.texts;
  document.title = first && !pictured ? `${first} · Vitrine` : text("pageTitle");
}

function showChip(shown) {
  chip.hidden = shown === null;
  chipPhoto.replaceChildren(...(shown ? [shown] : []));
}

/** Words refine what a picture asks for; without one they are a new question. */
function askWords() {
  const query = queryHere();
  const { text: typed, without } = readWords(words.value);
  if (hasPictures(query)) {
    const texts = [typed, ...query.texts.slice(1)].filter((one, at, all) => one !== "" && all.indexOf(one) === at);
    go(changed(query, { texts, without }));
  } else if (typed === (query.texts[0] ?? "")) {
    if (typed !== "" || !isEmpty(query)) go(changed(query, { without }));
    else words.focus();
  } else {
    const scope = query.texts.length > 0 ? EMPTY : query; // words among what is browsed, or other words than before
    go(changed(scope, { texts: typed ? [typed] : [], without, all: false, sort: "" }));
  }
}

async function showExamples() {
  const place = byId("examples");
  if (place.childElementCount > 0) return;
  const { signal } = new AbortController();
  await guarded(
    signal,
    async () => {
      const { hits } = await newest(EXAMPLES, signal);
      const links = hits.map((hit) => {
        const similarTo = { href: address(changed(EMPTY, { products: [hit.product_id] })), data: { similar: hit.product_id } };
        const label = { title: hit.title, attributes: { "aria-label": text("similarTo", { title: hit.title }) } };
        const shown = picture(pictureUrl(hit.image.url, { small: true }), { lazy: false });
        return element("li", {}, element("a", { className: "example", ...similarTo, ...label }, shown));
      });
      place.replaceChildren(...links);
      byId("start").classList.toggle("ready", links.length > 0);
    },
    () => {}, // there is nothing to start from yet
  );
}

// ---- wiring

const hrefs = {
  product: (id) => address(queryHere(), id),
  similar: (id) => address(changed(EMPTY, { products: [id] })),
};
const searching = new Searching({ onQuery: go, hrefs, onPicture: showChip, onSettled: learnOffer });
const details = new Details(byId("details"), { hrefOf: hrefs.product, similarHref: hrefs.similar, onClose: leaveDetails });
const explain = new Explanation(byId("explain"), (id) => searching.known.get(id));
const share = new Share(byId("toast"));
const runs = new Runs(byId("view-runs"));
const signIn = new SignIn(byId("sign-in"), byId("sign-out"));
onKeyWanted(() => signIn.ask());
const classify = new Classify(byId("view-classify"), {
  onLabels: (labels) => {
    history.replaceState(history.state, "", addressOf(new URLSearchParams({ view: "classify", labels })));
  },
  searchHref: (label) => address(changed(EMPTY, { texts: [label] })),
});
new Sheet({ place: byId("filters-place"), panel: byId("filters"), dialog: byId("filters-sheet"), opener: byId("filters-open") });

/** Once, and after the first search: what the server offers is a long document. */
async function learnOffer() {
  if (offerLearned) return;
  offerLearned = true;
  const offer = await offers();
  for (const link of document.querySelectorAll("a[data-needs]")) {
    link.hidden = !offer(link.dataset.needs);
    link.classList.remove("awaited");
  }
  searching.setOffer(offer);
}

function takePhoto(file) {
  const photo = keepPhoto(file);
  if (viewHere() === "classify") classify.take(photo);
  else go(changed(EMPTY, { photo: { id: photo.id, box: null, whole: false } }));
}

function judge(action, productId) {
  go(judged(queryHere(), action === "like" ? "liked" : "disliked", productId));
}

function onAction({ dataset: { action, of } }) {
  if (action !== "why") {
    judge(action, of);
    return;
  }
  const { query, photo } = searching.current;
  explain.open(query, searching.known.get(of), photo);
}

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  askWords();
  if (matchMedia("(pointer: coarse)").matches) words.blur(); // hides a phone's keyboard
});

document.addEventListener("click", (event) => {
  const acting = event.target.closest?.("button[data-action]");
  if (acting) {
    onAction(acting);
    return;
  }
  const link = event.target.closest?.("a[data-product], a[data-similar], a[data-view], a[data-words], a[data-all], a.brand");
  if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  follow(link.dataset);
});

function follow({ product: productId, similar, view, words: label, all }) {
  if (productId) {
    go(queryHere(), productId);
    return;
  }
  if (VIEWS.includes(view)) {
    goToView(view);
    return;
  }
  if (similar) go(changed(EMPTY, { products: [similar] }));
  else if (label) go(changed(EMPTY, { texts: [label] }));
  else go(all === undefined ? EMPTY : ALL);
  byId("results").focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
  if (document.querySelector("dialog[open]")) return;
  event.preventDefault();
  words.focus();
});

chipPhoto.addEventListener("click", choosePhoto);
byId("chip-remove").addEventListener("click", () => {
  const query = queryHere();
  go(changed(query, query.photo ? { photo: null } : { products: query.products.slice(1) }));
  words.focus();
});
byId("share").addEventListener("click", () => {
  const query = queryHere();
  share.share(address(query), document.title, query.photo !== null);
});
byId("classify-search").addEventListener("click", () => {
  if (classify.photo) go(changed(EMPTY, { photo: { id: classify.photo.id, box: null, whole: false } }));
});
window.addEventListener("popstate", () => show({ back: true }));
window.addEventListener(
  "scroll",
  () => {
    if (searching.current?.answer && !details.isOpen) searching.current.scrollY = window.scrollY;
  },
  { passive: true },
);

history.scrollRestoration = "manual";
localize(document);
takePhotos(takePhoto);
show();
if (searching.current === null) learnOffer();
