// The panel of facets: what of the found products can be narrowed down, and how many there are of each kind.

import { plainName } from "./attributes.js";
import { button, element, icon, redraw } from "./elements.js";
import { whenLeft } from "./holding.js";
import { formatCount, text } from "./language.js";
import { priceRange } from "./price.js";
import { changed, hasFilter, unfiltered, withField, withFieldToggled } from "./query.js";
import { swatch } from "./swatches.js";

const SHOWN = 7;
const SEPARATOR = " > ";
const FIELD_NAMES = {
  brand: "fieldBrand",
  category: "fieldCategory",
  price: "fieldPrice",
  color: "fieldColor",
  size: "fieldSize",
  material: "fieldMaterial",
  pattern: "fieldPattern",
  gender: "fieldGender",
  season: "fieldSeason",
  age_group: "fieldAge",
};

/** What a field is called. */
export function fieldName(field) {
  const plain = plainName(field);
  const spaced = plain.replaceAll("_", " ");
  const name = Object.hasOwn(FIELD_NAMES, plain) ? text(FIELD_NAMES[plain]) : spaced.charAt(0).toUpperCase() + spaced.slice(1);
  return plain === field ? name : text("fieldTold", { field: name });
}

/** What a value of a field is called: of a category's path the last step. */
export function valueName(field, value) {
  return field === "category" ? value.split(SEPARATOR).at(-1) : value;
}

const SWITCHES = { inStock: "inStockOnly", variantsAsOne: "variantsAsOne", samePictureOnce: "samePictureOnce" };

export class Filters {
  /** `onChange` gets the query that the visitor wants instead. */
  constructor(place, onChange) {
    Object.assign(this, { place, onChange, query: null, facets: {}, options: {}, unfolded: new Set() });
  }

  /** The query that a choice changes from now on; its facets are drawn when they have come. */
  showQuery(query) {
    this.query = query;
  }

  /** Draws the facets of an answer; `options` says which of the switches the server knows. */
  show(query, facets, options) {
    Object.assign(this, { query, facets, options });
    whenLeft(this.place, () => this.draw());
  }

  draw() {
    const sections = Object.entries(this.facets).map(([field, facet]) => this.section(field, facet));
    const shown = [...sections, this.switches()].filter(Boolean);
    redraw(this.place, ...(shown.length > 0 ? [this.head(), ...shown] : []));
  }

  head() {
    const clear = button(
      {
        className: "link-button",
        hidden: !hasFilter(this.query),
        data: { key: "clear" },
        onclick: () => this.onChange(unfiltered(this.query)),
      },
      text("clearFilters"),
    );
    return element("div", { className: "filters-head" }, element("h2", {}, text("filters")), clear);
  }

  section(field, facet) {
    const content = facet.kind === "range" ? this.range(facet) : this.values(field, facet.values);
    if (content === null) return null;
    const name = element("legend", {}, fieldName(field));
    return element("fieldset", { className: "facet" }, name, content);
  }

  range(facet) {
    if (typeof facet.min_minor !== "number" || facet.min_minor >= facet.max_minor) return null;
    return priceRange(facet, this.query.price, (price) => this.onChange(changed(this.query, { price })));
  }

  values(field, values) {
    const chosen = this.query.fields[field] ?? [];
    const found = new Set(values.map(({ value }) => value));
    const lost = chosen.filter((value) => !found.has(value)).map((value) => ({ value, count: 0 }));
    const all = [...lost, ...values];
    if (all.length === 0) return null;
    return field === "category" ? this.tree(all, chosen) : this.list(field, all, chosen);
  }

  list(field, all, chosen) {
    const isOpen = this.unfolded.has(field);
    const shown = all.filter(({ value }, at) => isOpen || at < SHOWN || chosen.includes(value));
    const options = shown.map(({ value, count }) => this.option(field, value, count, chosen.includes(value)));
    const rest = all.length - shown.length;
    return element(
      "div",
      {},
      element("ul", { className: "options", attributes: { role: "list" } }, ...options),
      (rest > 0 || isOpen) && all.length > SHOWN && this.fold(field, isOpen, rest),
    );
  }

  fold(field, isOpen, rest) {
    const onclick = () => {
      this.unfolded[isOpen ? "delete" : "add"](field);
      this.draw();
    };
    const label = isOpen ? text("showFewer") : text("showOthers", { n: rest });
    const named = { "aria-expanded": String(isOpen), "aria-label": `${fieldName(field)}: ${label}` };
    return button({ className: "link-button", data: { key: `fold:${field}` }, attributes: named, onclick }, label);
  }

  option(field, value, count, isChosen) {
    const input = element("input", { type: "checkbox", checked: isChosen, data: { key: `${field}=${value}` } });
    input.addEventListener("change", () => this.onChange(withFieldToggled(this.query, field, value)));
    return element(
      "li",
      {},
      element(
        "label",
        { className: "option" },
        input,
        plainName(field) === "color" && swatch(value),
        element("span", { className: "option-name", dir: "auto" }, value),
        counted(count),
      ),
    );
  }

  /** Categories as a tree: those of the first level, and what is below those that are chosen. */
  tree(all, chosen) {
    const isOpen = (path) => chosen.some((one) => one === path || one.startsWith(path + SEPARATOR));
    const parentOf = (path) => path.split(SEPARATOR).slice(0, -1).join(SEPARATOR);
    const roots = all.filter(({ value }) => parentOf(value) === "");
    const onlyRoot = roots.length === 1 ? roots[0].value : "";
    const level = (parent) => {
      const below = all.filter(({ value }) => parentOf(value) === parent);
      if (below.length === 0) return null;
      const items = below.map(({ value, count }) =>
        element("li", {}, this.branch(value, count, chosen), (isOpen(value) || value === onlyRoot) && level(value)),
      );
      return element("ul", { className: "branches", attributes: { role: "list" } }, ...items);
    };
    return level("");
  }

  branch(path, count, chosen) {
    const isChosen = chosen.includes(path);
    const parent = path.split(SEPARATOR).slice(0, -1).join(SEPARATOR);
    // a chosen level is left for the one above it; another one of the same branch takes its place
    const next = isChosen ? [parent].filter(Boolean) : [path];
    const onclick = () => this.onChange(withField(this.query, "category", next));
    const pressed = { "aria-pressed": String(isChosen) };
    return button(
      { className: "branch", data: { key: `category=${path}` }, attributes: pressed, onclick },
      element("span", { className: "option-name", dir: "auto" }, valueName("category", path)),
      isChosen ? icon("close") : counted(count),
    );
  }

  switches() {
    const names = Object.keys(SWITCHES).filter((name) => this.options[name]);
    if (names.length === 0) return null;
    const items = names.map((name) => {
      const input = element("input", { type: "checkbox", checked: this.query[name], data: { key: name } });
      input.addEventListener("change", () => this.onChange(changed(this.query, { [name]: input.checked })));
      const label = element("span", { className: "option-name" }, text(SWITCHES[name]));
      return element("li", {}, element("label", { className: "option" }, input, label));
    });
    return element(
      "fieldset",
      { className: "facet" },
      element("legend", {}, text("show")),
      element("ul", { className: "options", attributes: { role: "list" } }, ...items),
    );
  }
}

function counted(count) {
  const label = element("span", { className: "unseen" }, text("products", { n: count }));
  const shown = element("span", { attributes: { "aria-hidden": "true" } }, formatCount(count));
  return element("span", { className: "option-count" }, shown, label);
}
