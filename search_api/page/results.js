// The part of the page below the search bar: a welcome, the found products, or what went wrong.

import { card, skeletonCards } from "./cards.js";
import { element, icon } from "./elements.js";
import { formatMs, text } from "./language.js";

const SKELETONS = 12;
const EAGER_PICTURES = 6;

const PROBLEMS = {
  image_too_large: ["problemTooLarge", "photo"],
  image_too_many_pixels: ["problemTooLarge", "photo"],
  image_not_an_image: ["problemNotPicture", "photo"],
  image_damaged: ["problemUnreadable", "photo"],
  image_empty: ["problemUnreadable", "photo"],
  image_timeout: ["problemUnreadable", "photo"],
  photo_gone: ["problemPhotoGone", "photo"],
  query_text_empty: ["problemText", "none"],
  query_text_too_long: ["problemText", "none"],
  product_not_found: ["problemGone", "none"],
  overloaded: ["problemBusy", "retry"],
  unreachable: ["problemOffline", "retry"],
};
const ICONS = { unreachable: "offline", overloaded: "wait", model_loading: "wait" };

/** Title and remedy of a problem, by its code. */
export function explained(problem) {
  const [title, remedy] = PROBLEMS[problem.code] ?? [problem.passes ? "problemStarting" : "problemOther", "retry"];
  return { title: text(title), remedy, icon: ICONS[problem.code] ?? "alert" };
}

/** What the server says is in English, whatever the page's language is. */
export function problemDetail(problem) {
  const node = element("p", { dir: "auto", className: "message-detail" }, problem.message);
  if (problem.fromServer) node.lang = "en";
  return node;
}

const PARTS = [
  "progress",
  "welcome",
  "found",
  "heading",
  "query-picture",
  "status",
  "announcer",
  "message",
  "grid",
  "more",
  "more-button",
  "more-problem",
];

export class Results {
  /** `hrefOf` gives a product's address; `onRetry` is called for the button of a problem. */
  constructor({ hrefOf, onRetry }) {
    Object.assign(this, { hrefOf, onRetry });
    for (const id of PARTS) {
      this[id.replace(/-(\w)/, (_, letter) => letter.toUpperCase())] = document.getElementById(id);
    }
  }

  showWelcome() {
    this.busy(false);
    this.welcome.hidden = false;
    this.found.hidden = true;
    this.grid.replaceChildren();
    this.status.textContent = this.announcer.textContent = "";
  }

  /** What was searched for: in words, and the query's picture if it has one. */
  showQuery(heading, picture = null) {
    this.heading.textContent = heading;
    this.queryPicture.hidden = picture === null;
    this.queryPicture.replaceChildren(...(picture ? [picture] : []));
  }

  showSearching() {
    this.grid.setAttribute("aria-busy", "true");
  }

  /** Only for answers that take their time: a quick one replaces the last without a flicker. */
  showSkeletons() {
    this.open();
    this.busy(true);
    this.status.textContent = this.announcer.textContent = text("searching");
    this.more.hidden = true;
    this.grid.replaceChildren(...skeletonCards(SKELETONS));
  }

  showProducts(session) {
    this.open();
    this.busy(false);
    this.grid.replaceChildren(...session.hits.map((hit, at) => this.card(hit, at)));
    this.finish(session);
    if (session.hits.length === 0) {
      this.showMessage("empty", text("nothingTitle"), element("p", {}, text("nothingText")));
    }
  }

  /** Adds products below those that are there; returns the first new card's link. */
  addProducts(session, hits) {
    const cards = hits.map((hit) => this.card(hit, EAGER_PICTURES));
    this.grid.append(...cards);
    this.finish(session);
    return cards[0]?.querySelector("a");
  }

  showLoadingMore(loading) {
    this.moreProblem.textContent = "";
    this.moreButton.textContent = text(loading ? "loading" : "more");
    this.moreButton.setAttribute("aria-disabled", String(loading));
  }

  showMoreProblem(problem) {
    this.showLoadingMore(false);
    this.moreProblem.textContent = `${explained(problem).title}. ${problem.message}`;
  }

  showProblem(problem) {
    this.open({ problem: true });
    this.busy(false);
    this.grid.replaceChildren();
    this.more.hidden = true;
    this.status.textContent = this.announcer.textContent = "";
    const { title, remedy, icon: name } = explained(problem);
    const parts = [problemDetail(problem)];
    if (problem.passes) parts.push(element("p", { className: "hint" }, text("tryingAgain")));
    if (remedy === "photo") parts.push(button(text("choosePhoto"), { data: { photo: "choose" } }));
    if (remedy === "retry") parts.push(button(text("tryAgain"), { onclick: this.onRetry }));
    this.showMessage(name, title, ...parts);
  }

  showMessage(name, title, ...parts) {
    // the same words again, while the page keeps trying, are neither drawn nor read out anew
    const heading = element(this.isProblem ? "h1" : "h2", {}, title);
    const content = element("div", { className: "message-inner" }, icon(name), heading, ...parts);
    if (this.message.hidden || this.message.textContent !== content.textContent) this.message.replaceChildren(content);
    this.message.hidden = false;
  }

  open({ problem = false } = {}) {
    this.welcome.hidden = true;
    this.found.hidden = false;
    this.isProblem = problem;
    this.found.classList.toggle("has-problem", problem);
    if (!problem) this.message.hidden = true;
  }

  busy(value) {
    this.progress.hidden = !value;
    this.grid.setAttribute("aria-busy", String(value));
  }

  card(hit, at) {
    return card(hit, this.hrefOf(hit.product_id), { lazy: at >= EAGER_PICTURES });
  }

  finish(session) {
    const { decode, embed, search, total } = session.timings;
    const count = text("products", { n: session.hits.length });
    this.status.textContent = `${count} · ${formatMs(total)}`;
    this.status.title = text("stages", { decode: formatMs(decode), embed: formatMs(embed), search: formatMs(search) });
    this.announcer.textContent = `${this.heading.textContent}: ${count}`;
    this.showLoadingMore(false);
    this.more.hidden = session.complete;
  }
}

function button(label, options) {
  return element("button", { type: "button", className: "button primary", ...options }, label);
}
