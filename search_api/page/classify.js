// The tab that names what is in a photo: the visitor's own labels, and how well each of them describes it.

import { classify } from "./api.js";
import { bar, element, icon, picture } from "./elements.js";
import { guarded } from "./http.js";
import { formatPercent, text } from "./language.js";
import { explained, problemDetail } from "./problems.js";

const MOST_LABELS = 100;

export class Classify {
  /** `onLabels` is told the labels that are asked about; `searchHref` gives the address of a search for words. */
  constructor(root, { onLabels, searchHref }) {
    Object.assign(this, { root, onLabels, searchHref, photo: null, controller: new AbortController() });
    this.form = root.querySelector("form");
    this.labels = root.querySelector("#labels");
    this.stage = root.querySelector("#classify-photo");
    this.answer = root.querySelector("#classify-answer");
    this.announcer = root.querySelector("#classify-announcer");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask();
    });
  }

  /** Shows the tab, with the labels of its address; asks at once if there is all that is needed. */
  show(labels) {
    if (labels !== this.labels.value) this.labels.value = labels;
    this.drawPhoto();
    if (this.photo && readLabels(labels).length > 0) this.ask();
  }

  hide() {
    this.controller.abort();
  }

  /** Takes a photo; asks if there are labels. */
  take(photo) {
    this.photo = photo;
    this.answer.replaceChildren();
    this.drawPhoto();
    if (readLabels(this.labels.value).length > 0) this.ask();
    else this.labels.focus();
  }

  drawPhoto() {
    this.stage.classList.toggle("has-photo", this.photo !== null);
    const shown = this.photo ? picture(this.photo.url, { alt: text("yourPhoto"), lazy: false }) : icon("photo");
    this.stage.replaceChildren(shown);
  }

  async ask() {
    const labels = readLabels(this.labels.value);
    if (this.photo === null || labels.length === 0) {
      this.say(text(this.photo === null ? "classifyNoPhoto" : "classifyNoLabels"));
      (this.photo === null ? this.root.querySelector("[data-photo]") : this.labels).focus();
      return;
    }
    this.onLabels(this.labels.value.trim());
    this.controller.abort();
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.answer.setAttribute("aria-busy", "true");
    await guarded(
      signal,
      async () => this.showBars((await classify(this.photo, labels, signal)).labels),
      (problem) => this.say(explained(problem).title, problemDetail(problem)),
    );
    if (!signal.aborted) this.answer.removeAttribute("aria-busy");
  }

  say(title, ...details) {
    this.answer.replaceChildren(element("p", { className: "notice" }, title), ...details);
    this.announcer.textContent = title;
  }

  /** The best first; each label's own probability as a bar, its share among all of them beside it.
   *
   * A model that gives no probabilities (null) has the shares as bars. */
  showBars(found) {
    const sure = found.every(({ probability }) => probability !== null);
    const ranked = [...found].sort((one, other) => other.softmax - one.softmax);
    const rows = ranked.map(({ label, probability, softmax }) =>
      element(
        "li",
        {},
        element("a", { className: "bar-name", dir: "auto", href: this.searchHref(label), data: { words: label } }, label),
        bar(probability ?? softmax),
        element("span", { className: "bar-value" }, formatPercent(probability ?? softmax)),
        probability !== null &&
          element("span", { className: "bar-share" }, text("shareOf", { share: formatPercent(softmax) })),
      ),
    );
    this.answer.replaceChildren(
      element("h2", {}, text("classifyAnswer")),
      element("ul", { className: "bars", attributes: { role: "list" } }, ...rows),
      element("p", { className: "hint" }, text(sure ? "classifyMeaning" : "classifyShares")),
    );
    const [best] = ranked;
    this.announcer.textContent = text("classifyBest", { label: best.label, share: formatPercent(best.probability ?? best.softmax) });
  }
}

function readLabels(typed) {
  const labels = typed.split(/[,;\n]/).map((label) => label.trim());
  return [...new Set(labels.filter(Boolean))].slice(0, MOST_LABELS);
}
