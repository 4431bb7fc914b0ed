// Index runs, for who holds the admin key: how far they are, what failed and why, and trying it again.

import { indexRuns, retryRun } from "./api.js";
import { bar, button, element, redraw } from "./elements.js";
import { Failures } from "./failures.js";
import { whenLeft } from "./holding.js";
import { guarded } from "./http.js";
import { formatCount, formatMoment, formatPercent, text } from "./language.js";
import { explained, problemDetail } from "./problems.js";

const STORAGE_KEY = "vitrine.admin-key"; // of this tab alone, gone with it
const EVERY_MS = 2_000;
const IDLE_EVERY_MS = 15_000;
const STATES = {
  queued: "runQueued",
  running: "runRunning",
  finished: "runFinished",
  failed: "runFailed",
  superseded: "runSuperseded",
};
const COUNTS = [
  ["products", "countProducts"],
  ["images", "countImages"],
  ["embedded", "countEmbedded"],
  ["unchanged", "countUnchanged"],
  ["removed", "countRemoved"],
  ["failed", "countFailed"],
];
const KINDS = { feed: "runFeed", retry: "runRetry", events: "runEvents" };

export class Runs {
  constructor(root) {
    Object.assign(this, { root, controller: new AbortController(), timer: 0, shown: false });
    this.form = root.querySelector("form");
    this.field = root.querySelector("#admin-key");
    this.list = root.querySelector("#runs-list");
    this.message = root.querySelector("#runs-message");
    this.leave = root.querySelector("#runs-leave");
    this.failures = new Failures(() => this.key);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.key = this.field.value.trim();
      this.field.value = "";
      this.refresh();
    });
    this.leave.addEventListener("click", () => {
      this.key = "";
      this.show();
      this.field.focus();
    });
    document.addEventListener("visibilitychange", () => {
      if (this.shown && !document.hidden) this.refresh();
    });
  }

  get key() {
    return sessionStorage.getItem(STORAGE_KEY) ?? "";
  }

  set key(key) {
    if (key === "") sessionStorage.removeItem(STORAGE_KEY);
    else sessionStorage.setItem(STORAGE_KEY, key);
  }

  show() {
    this.shown = true;
    this.clear();
    this.say();
    this.refresh();
  }

  hide() {
    this.shown = false;
    this.controller.abort();
    clearTimeout(this.timer);
  }

  async refresh() {
    clearTimeout(this.timer);
    this.controller.abort();
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.form.hidden = this.key !== "";
    this.leave.hidden = this.key === "";
    if (this.key === "") return;
    let wait = IDLE_EVERY_MS;
    await guarded(
      signal,
      async () => {
        const { runs } = await indexRuns(this.key, signal);
        this.say();
        this.draw(runs);
        if (runs.some(({ state }) => state === "running" || state === "queued")) wait = EVERY_MS;
      },
      (problem) => this.refused(problem),
    );
    if (!signal.aborted && this.key !== "" && !document.hidden) this.timer = setTimeout(() => this.refresh(), wait);
  }

  refused(problem) {
    if (problem.status === 401 || problem.status === 403) {
      // a wrong key is forgotten at once; where the server has none, no key would help
      const isOff = problem.code === "admin_disabled";
      this.key = "";
      this.clear();
      this.form.hidden = isOff;
      this.leave.hidden = true;
      this.say(text(isOff ? "adminOff" : "adminWrongKey"));
      this.field.focus();
      return;
    }
    this.say(explained(problem).title, problemDetail(problem));
  }

  say(title = "", ...details) {
    if (this.message.textContent === "" && title === "") return;
    this.message.replaceChildren(...(title ? [element("p", {}, title), ...details] : []));
  }

  /** In its turn: a list that waits to be drawn must not come after it. */
  clear() {
    whenLeft(this.list, () => this.list.replaceChildren());
  }

  draw(runs) {
    whenLeft(this.list, () => {
      const items = runs.map((run) => this.item(run));
      redraw(this.list, ...(items.length > 0 ? items : [element("li", { className: "hint" }, text("noRuns"))]));
    });
  }

  item(run) {
    const state = Object.hasOwn(STATES, run.state) ? run.state : "running";
    const title = run.kind === "feed" ? nameOf(run.feed) : text(KINDS[run.kind] ?? "runFeed");
    const failed = run.counts?.failed ?? 0;
    return element(
      "li",
      { className: "run" },
      element(
        "div",
        { className: "run-head" },
        element("h3", { dir: "auto" }, title),
        element("span", { className: `run-state run-${state}` }, text(STATES[state])),
      ),
      element("p", { className: "hint" }, describe(run)),
      this.progress(run),
      run.reason && element("p", { className: "run-reason", dir: "auto", lang: "en" }, run.reason),
      run.counts && numbers(run.counts),
      failed > 0 && this.failed(run),
    );
  }

  progress({ state, fraction }) {
    if (state !== "running" || fraction === null) return null;
    const share = formatPercent(fraction);
    const progress = bar(fraction);
    progress.removeAttribute("aria-hidden");
    const named = { role: "progressbar", "aria-label": text("progress"), "aria-valuenow": Math.round(fraction * 100) };
    for (const [name, value] of Object.entries(named)) progress.setAttribute(name, value);
    return element("div", { className: "run-progress" }, progress, element("span", { className: "bar-value" }, share));
  }

  failed(run) {
    const id = run.id;
    const again = button(
      { data: { key: `retry:${id}` }, disabled: run.state === "running", onclick: () => this.retry(id) },
      text("retryFailed"),
    );
    return element("div", { className: "run-missing" }, this.failures.of(id, run.counts.failed), again);
  }

  async retry(id) {
    const { signal } = this.controller;
    await guarded(
      signal,
      async () => {
        await retryRun(this.key, id, signal);
        this.say(text("retryAsked"));
      },
      (problem) => this.refused(problem),
    );
    if (!signal.aborted) this.refresh();
  }
}

function nameOf(feed) {
  return feed.split("/").at(-1) || feed;
}

function describe({ started_at: started, updated_at: updated, full, limit, kind }) {
  const extent = kind === "feed" && (full ? text("runFull") : limit > 0 ? text("runLimit", { n: limit }) : "");
  const times = started ? text("runTimes", { from: formatMoment(started), to: formatMoment(updated) }) : "";
  return [extent, times].filter(Boolean).join(" · ");
}

function numbers(counts) {
  const pairs = COUNTS.map(([name, label]) =>
    element("div", {}, element("dt", {}, text(label)), element("dd", {}, formatCount(counts[name]))),
  );
  return element("dl", { className: "run-counts" }, ...pairs);
}
