// What could not be indexed in a run: which product and picture, at which stage, and why.

import { runFailures } from "./api.js";
import { button, element } from "./elements.js";
import { guarded } from "./http.js";
import { text } from "./language.js";
import { explained, problemDetail } from "./problems.js";

const AT_ONCE = 50;

export class Failures {
  /** `keyOf` gives the admin key. */
  constructor(keyOf) {
    Object.assign(this, { keyOf, shown: new Map() }); // the opened tables by run, as runs are drawn anew all the time
  }

  /** A run's failures behind a summary, fetched when it is opened. */
  of(runId, count) {
    const known = this.shown.get(runId);
    if (known?.count === count) return known.node;
    const body = element("div", { className: "failures-body" });
    const summary = element("summary", { data: { key: `failures:${runId}` } }, text("failures", { n: count }));
    const node = element("details", { className: "failures", open: known?.node.open ?? false }, summary, body);
    const table = { node, body, count, rows: null, signal: new AbortController().signal };
    this.shown.set(runId, table);
    const fill = () => node.open && table.rows === null && this.load(runId, table);
    node.addEventListener("toggle", fill);
    fill();
    return node;
  }

  async load(runId, table) {
    const { signal, body } = table;
    await guarded(
      signal,
      async () => {
        const { failures, total } = await runFailures(this.keyOf(), runId, table.rows?.length ?? 0, AT_ONCE, signal);
        table.rows = [...(table.rows ?? []), ...failures];
        body.replaceChildren(rowsOf(table.rows));
        if (table.rows.length < total && failures.length > 0) {
          body.append(button({ onclick: () => this.load(runId, table) }, text("more")));
        }
      },
      (problem) => body.replaceChildren(element("p", {}, explained(problem).title), problemDetail(problem)),
    );
  }
}

function rowsOf(failures) {
  const heads = ["failedProduct", "failedStage", "failedReason"];
  const head = element("tr", {}, ...heads.map((key) => element("th", { scope: "col" }, text(key))));
  const rows = failures.map(({ product_id: id, position, stage, reason, line }) => {
    const where = [position !== null && text("picture", { n: position + 1 }), line > 0 && text("line", { n: line })];
    const which = element("td", {}, element("span", { dir: "auto" }, id));
    const details = where.filter(Boolean).join(", ");
    if (details) which.append(element("span", { className: "hint" }, details));
    return element("tr", {}, which, element("td", {}, stage), element("td", { lang: "en", dir: "auto" }, reason));
  });
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  return element("div", { className: "table", tabIndex: 0, attributes: { role: "region", "aria-label": text("failuresTable") } }, table);
}
