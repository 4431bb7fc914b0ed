// The found products, what is said about them, or what went wrong.

import { card, skeletonCards } from "./cards.js";
import { button, element, icon, redraw } from "./elements.js";
import { formatMs, text } from "./language.js";
import { explained, problemDetail } from "./problems.js";
import { hasFilter, hasParts } from "./query.js";

const SKELETONS = 12;
const EAGER_PICTURES = 6;
const BY_ITSELF = 8; // pages; whoever wants to see more says so, and reaches what is below the list

const PLACES = ["progress", "found", "heading", "status", "announcer", "message", "notices", "grid", "more"];

export class Results {
  /** `hrefs` give addresses; `onRetry`, `onClear` and `onMore` are called when the visitor wants that. */
  constructor({ hrefs, onRetry, onClear, onMore }) {
    Object.assign(this, { hrefs, onRetry, onClear, onMore, isProblem: false, focusKey: "", pages: 0 });
    for (const id of PLACES) this[id] = document.getElementById(id);
    this.moreButton = document.getElementById("more-button");
    this.moreProblem = document.getElementById("more-problem");
    this.moreButton.addEventListener("click", (event) => onMore({ byKeyboard: event.detail === 0 }));
    this.observer = globalThis.IntersectionObserver && new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting) && this.pages < BY_ITSELF) onMore({ byKeyboard: false });
      },
      { rootMargin: "0px 0px 700px 0px" },
    );
  }

  /** Says what is searched for. */
  showHeading(heading) {
    this.heading.textContent = heading;
  }

  /** The old products stay until there are new ones, or until that takes its time. */
  showSearching() {
    const active = document.activeElement;
    this.focusKey = this.found.contains(active) ? (active.dataset.key ?? "heading") : "";
    this.observer?.disconnect();
    this.pages = 0;
    this.grid.setAttribute("aria-busy", "true");
  }

  /** Only for answers that take their time: a quick one replaces the last without a flicker. */
  showSkeletons() {
    this.open();
    this.busy(true);
    this.status.textContent = this.announcer.textContent = text("searching");
    this.more.hidden = true;
    this.notices.replaceChildren();
    this.grid.replaceChildren(...skeletonCards(SKELETONS));
  }

  showProducts(session) {
    this.open();
    this.busy(false);
    redraw(this.grid, ...session.hits.map((hit, at) => this.card(session, hit, at)));
    this.showNotices(session);
    this.finish(session);
    if (session.hits.length === 0) this.showNothing(session.query);
    this.returnFocus();
  }

  /** Adds products below those that are there; returns the first new card's link. */
  addProducts(session, hits) {
    const cards = hits.map((hit) => this.card(session, hit, EAGER_PICTURES));
    this.grid.append(...cards);
    this.pages += 1;
    this.finish(session);
    return cards[0]?.querySelector("a");
  }

  showLoadingMore(loading) {
    this.moreProblem.textContent = "";
    this.moreButton.textContent = text(loading ? "loading" : "more");
    this.moreButton.setAttribute("aria-disabled", String(loading));
  }

  get isLoadingMore() {
    return this.moreButton.getAttribute("aria-disabled") === "true";
  }

  showMoreProblem(problem) {
    this.showLoadingMore(false);
    this.moreProblem.textContent = `${explained(problem).title}. ${problem.message}`;
  }

  showProblem(problem) {
    this.open({ problem: true });
    this.busy(false);
    this.grid.replaceChildren();
    this.notices.replaceChildren();
    this.more.hidden = true;
    this.status.textContent = this.announcer.textContent = "";
    const { title, remedy, icon: name } = explained(problem);
    const parts = [problemDetail(problem)];
    const primary = "button primary";
    if (problem.passes) parts.push(element("p", { className: "hint" }, text("tryingAgain")));
    if (remedy === "photo") parts.push(button({ className: primary, data: { photo: "choose" } }, text("choosePhoto")));
    if (remedy === "retry") parts.push(button({ className: primary, onclick: this.onRetry }, text("tryAgain")));
    if (remedy === "clear") parts.push(button({ className: primary, onclick: this.onClear }, text("clearFilters")));
    this.showMessage(name, title, ...parts);
  }

  showNothing(query) {
    const filtered = hasFilter(query);
    const clear = filtered && button({ className: "button primary", onclick: this.onClear }, text("clearFilters"));
    const hint = element("p", {}, text(filtered ? "nothingFiltered" : "nothingText"));
    this.showMessage("empty", text("nothingTitle"), hint, clear);
  }

  showMessage(name, title, ...parts) {
    // the same words again, while the page keeps trying, are neither drawn nor read out anew
    const heading = element(this.isProblem ? "h1" : "h2", {}, title);
    const content = element("div", { className: "message-inner" }, icon(name), heading, ...parts);
    if (this.message.hidden || this.message.textContent !== content.textContent) this.message.replaceChildren(content);
    this.message.hidden = false;
  }

  /** What the server says of the answer as a whole: that nothing is close, and what could not be done. */
  showNotices({ query, answer, hits }) {
    const nothingClose = answer.nothing_close && hits.length > 0;
    const close = nothingClose && element("p", { className: "notice notice-strong" }, icon("alert"), text(closeText(query)));
    this.notices.replaceChildren(...[close, notesOf(answer)].filter(Boolean));
  }

  open({ problem = false } = {}) {
    this.found.hidden = false;
    this.isProblem = problem;
    this.found.classList.toggle("has-problem", problem);
    if (!problem) this.message.hidden = true;
  }

  busy(value) {
    this.progress.hidden = !value;
    this.grid.setAttribute("aria-busy", String(value));
  }

  card(session, hit, at) {
    const { query } = session;
    const id = hit.product_id;
    const actions = {
      liked: query.liked.includes(id),
      disliked: query.disliked.includes(id),
      similarHref: this.hrefs.similar(id),
      explain: hasParts(query),
    };
    return card(hit, this.hrefs.product(id), { lazy: at >= EAGER_PICTURES, ranked: hasParts(query), actions });
  }

  finish({ hits, answer, timings, complete }) {
    const { decode = 0, embed = 0, search = 0, total = 0 } = timings ?? {};
    const shown = hits.length;
    const all = typeof answer.total === "number" && answer.total > shown && !complete ? answer.total : null;
    const count = all === null ? text("products", { n: shown }) : text("productsOf", { shown, n: all });
    this.status.textContent = `${count} · ${formatMs(total)}`;
    this.status.title = text("stages", { decode: formatMs(decode), embed: formatMs(embed), search: formatMs(search) });
    const close = answer.nothing_close && shown > 0 ? `. ${text("nothingCloseShort")}` : "";
    this.announcer.textContent = `${this.heading.textContent}: ${count}${close}`;
    this.showLoadingMore(false);
    this.more.hidden = complete;
    this.observer?.disconnect();
    if (!complete) this.observer?.observe(this.more);
  }

  /** What was used to ask is there again in the new answer, or else the heading takes its place. */
  returnFocus() {
    if (this.focusKey === "" || document.activeElement !== document.body) return;
    const nodes = [...this.found.querySelectorAll("[data-key]")];
    const again = nodes.find((node) => node.dataset.key === this.focusKey && node.checkVisibility());
    (again ?? this.heading).focus({ preventScroll: true });
  }
}

/** What the server did otherwise than asked, in its own words. */
function notesOf({ notes = [] }) {
  if (notes.length === 0) return null;
  const items = notes.map((note) => element("li", { lang: "en", dir: "auto" }, note));
  const summary = element("summary", { data: { key: "notes" } }, text("notes", { n: notes.length }));
  return element("details", { className: "notes" }, summary, element("ul", {}, ...items));
}

function closeText({ photo, products, liked }) {
  if (photo) return "nothingClosePhoto";
  return products.length + liked.length > 0 ? "nothingCloseProduct" : "nothingCloseText";
}
