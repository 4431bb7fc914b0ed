// Why a product was found: the two pictures, where they agree, and what each part of the query added.

import { explanation, pictureUrl } from "./api.js";
import { matchText } from "./cards.js";
import { bar, element, icon, picture } from "./elements.js";
import { guarded } from "./http.js";
import { formatPercent, formatScore, formatSigned, text } from "./language.js";
import { Overlay } from "./overlay.js";
import { explained, problemDetail } from "./problems.js";

const KINDS = {
  photo: "yourPhoto",
  product: "partProduct",
  text: "partText",
  liked: "partLiked",
  disliked: "partDisliked",
  negative_text: "partWithout",
  catalog: "partCatalog",
};
const NAMED_BY_ID = new Set(["product", "liked", "disliked"]);

export class Explanation {
  /** `known` gives what is known of a product, or undefined. */
  constructor(dialog, known) {
    Object.assign(this, { known, controller: new AbortController() });
    this.overlay = new Overlay(dialog, () => this.close());
  }

  /** Explains a hit of a query; `photo` is the query's, if it has one. */
  async open(query, hit, photo) {
    this.controller.abort();
    this.controller = new AbortController();
    const { signal } = this.controller;
    const heading = { id: "explain-title", tabIndex: -1, dir: "auto", data: { first: "" } };
    this.content = element("div", { className: "explain", attributes: { "aria-busy": "true" } });
    this.content.append(this.pictures(hit, photo, ""), bones());
    this.overlay.open(element("h2", heading, text("whyTitle", { title: hit.title })), this.content);
    await guarded(
      signal,
      async () => {
        const found = await explanation(query, hit.product_id, { photo, signal });
        this.show(found ?? hit, photo);
      },
      (problem) => this.say(element("p", {}, explained(problem).title), problemDetail(problem)),
    );
    this.content.removeAttribute("aria-busy");
  }

  close() {
    this.controller.abort();
    this.overlay.close();
  }

  show(hit, photo) {
    const given = hit.explanation;
    if (!given) {
      this.say(element("p", {}, text("whyUnknown")));
      return;
    }
    const matched = { ...hit, image: given.image?.url ? given.image : hit.image };
    this.content.replaceChildren(
      this.pictures(matched, photo, given.heat_map_url ?? ""),
      element("div", { className: "explain-facts" }, closeness(hit), this.contributions(given.parts ?? []), terms(given)),
    );
  }

  /** A bar for each part of the query, to the length of the greatest. */
  contributions(parts) {
    if (parts.length === 0) return null;
    const most = Math.max(...parts.map(({ contribution }) => Math.abs(contribution)), 1e-9);
    const rows = parts.map((part) =>
      element(
        "li",
        {},
        element("span", { className: "bar-name", dir: "auto" }, this.nameOf(part)),
        bar(Math.abs(part.contribution) / most, part.contribution < 0 ? "bar-track against" : "bar-track"),
        element("span", { className: "bar-value" }, formatSigned(part.contribution)),
      ),
    );
    const list = element("ul", { className: "bars", attributes: { role: "list" } }, ...rows);
    return element("section", {}, element("h3", {}, text("contributions")), list);
  }

  nameOf({ kind, label }) {
    const name = Object.hasOwn(KINDS, kind) ? text(KINDS[kind]) : kind;
    if (kind === "photo" || kind === "catalog" || label === "") return name;
    const shown = NAMED_BY_ID.has(kind) ? (this.known(label)?.title ?? label) : label;
    return `${name}: ${shown}`;
  }

  say(...children) {
    this.content.replaceChildren(element("div", { className: "message-inner" }, icon("alert"), ...children));
  }

  pictures(hit, photo, heatMapUrl) {
    const found = element("figure", {}, picture(pictureUrl(hit.image.url), { alt: hit.title, lazy: false }));
    found.append(element("figcaption", {}, text("matchedPicture", { n: hit.image.position + 1 })));
    const asked = photo && element("figure", {}, picture(photo.url, { alt: "", lazy: false }));
    asked?.append(element("figcaption", {}, text("yourPhoto")));
    const shown = element("div", { className: "explain-pictures" }, asked, found);
    if (heatMapUrl !== "") this.warm(found, heatMapUrl);
    return shown;
  }

  /** Lays a heat map over the matched picture, with a switch; nothing where there turns out to be none. */
  warm(figure, url) {
    const heat = element("img", { className: "heat", alt: "", src: pictureUrl(url), draggable: false });
    const input = element("input", { type: "checkbox", checked: true });
    input.addEventListener("change", () => heat.classList.toggle("off", !input.checked));
    const label = element("label", { className: "option heat-switch" }, input, element("span", {}, text("heatMap")));
    heat.addEventListener("error", () => {
      heat.remove();
      label.remove();
    });
    figure.querySelector(".picture").append(heat);
    figure.append(label);
  }
}

function closeness(hit) {
  const match = matchText(hit);
  const sure = typeof hit.probability === "number" ? text("probability", { share: formatPercent(hit.probability) }) : "";
  const score = text("similarity", { score: formatScore(hit.score) });
  return element(
    "p",
    { className: "explain-match" },
    match && element("strong", { className: `match match-${hit.match}` }, match),
    element("span", {}, [sure, score].filter(Boolean).join(" · ")),
  );
}

function terms({ lexical_terms: found = [] }) {
  if (found.length === 0) return null;
  const items = found.map((term) => {
    const word = typeof term === "string" ? term : (term.term ?? "");
    return element("li", { className: "term", dir: "auto" }, word);
  });
  return element(
    "section",
    {},
    element("h3", {}, text("termsFound")),
    element("ul", { className: "terms", attributes: { role: "list" } }, ...items),
  );
}

function bones() {
  const bone = () => element("span", { className: "bone", attributes: { "aria-hidden": "true" } });
  return element("div", { className: "explain-facts" }, bone(), bone(), bone());
}
