// Above the results: the parts of the query, each of which can be taken away, and what could be added to it.

import { pictureUrl } from "./api.js";
import { button, element, icon, picture, redraw } from "./elements.js";
import { fieldName, valueName } from "./filters.js";
import { whenLeft } from "./holding.js";
import { formatPrice, text } from "./language.js";
import { changed, hasFilter, toggled, unfiltered, withFieldToggled } from "./query.js";
import { valuesToKeepTo, wordsToAdd } from "./refinements.js";

const VALUES = 8;
const VALUES_BESIDE_WORDS = 4;

export class Parts {
  /** `onChange` gets the query wanted instead; `known` gives what is known of a product, or undefined. */
  constructor({ parts, suggestions }, { onChange, known }) {
    Object.assign(this, { place: parts, suggestions, onChange, known });
  }

  /** The parts of a query as chips; a lone photo or text needs none, as the search bar shows it. */
  showQuery(query, currency) {
    this.query = query;
    const chips = [...this.wanted(query), ...this.filters(query, currency)];
    const isPlain = chips.length <= 1 && !hasFilter(query) && query.liked.length + query.disliked.length === 0;
    this.place.hidden = isPlain;
    const clear =
      hasFilter(query) &&
      button(
        { className: "link-button", data: { key: "clear-all" }, onclick: () => this.onChange(unfiltered(query)) },
        text("clearFilters"),
      );
    whenLeft(this.place, () => redraw(this.place, ...(isPlain ? [] : chips), !isPlain && clear));
    this.suggestions.hidden = false; // their line is kept free
  }

  /** What an answer suggests to add. */
  showSuggestions(query, answer) {
    const words = wordsToAdd(query, answer).map((word) =>
      this.suggestion(text("addWords", { words: word }), (now) => toggled(now, "texts", word), icon("plus"), word),
    );
    const values = valuesToKeepTo(query, answer, words.length > 0 ? VALUES_BESIDE_WORDS : VALUES).map(({ field, value }) => {
      const label = text("keepTo", { field: fieldName(field), value: valueName(field, value) });
      return this.suggestion(label, (now) => withFieldToggled(now, field, value), valueName(field, value));
    });
    const shown = [...words, ...values];
    this.suggestions.hidden = answer.hits.length === 0;
    whenLeft(this.suggestions, () => redraw(this.suggestions, ...shown));
  }

  /** `change` makes the next query of the one that is shown when it is pressed, which may be a later one. */
  suggestion(label, change, ...children) {
    const properties = { className: "button suggestion", title: label, data: { key: `add:${label}` } };
    const attributes = { "aria-label": label, dir: "auto" };
    const onclick = () => this.onChange(change(this.query));
    return element("li", {}, button({ ...properties, attributes, onclick }, ...children));
  }

  wanted(query) {
    const photo = query.photo && this.chip("photo", text("yourPhoto"), changed(query, { photo: null }), icon("photo"));
    const products = query.products.map((id) => this.productChip(query, "products", id, "likeProduct"));
    const texts = query.texts.map((words) => this.chip("text", text("quoted", { words }), toggled(query, "texts", words)));
    const liked = query.liked.map((id) => this.productChip(query, "liked", id, "liked"));
    const disliked = query.disliked.map((id) => this.productChip(query, "disliked", id, "disliked"));
    const without = query.without.map((words) =>
      this.chip("not", text("without", { words }), toggled(query, "without", words)),
    );
    return [photo, ...products, ...texts, ...liked, ...disliked, ...without].filter(Boolean);
  }

  productChip(query, list, id, label) {
    const hit = this.known(id);
    const url = hit ? pictureUrl(hit.image.url, { small: true }) : "";
    const mark = { liked: icon("heart"), disliked: icon("dislike") }[list];
    const shown = [mark, picture(url, { lazy: false })].filter(Boolean);
    return this.chip(list, text(label, { title: hit?.title ?? id }), toggled(query, list, id), ...shown);
  }

  filters(query, currency) {
    const fields = Object.entries(query.fields).flatMap(([field, values]) =>
      values.map((value) => {
        const label = text("keepTo", { field: fieldName(field), value: valueName(field, value) });
        return this.chip("filter", label, withFieldToggled(query, field, value));
      }),
    );
    const price = query.price && this.chip("filter", priceText(query.price, currency), changed(query, { price: null }));
    const stock = query.inStock && this.chip("filter", text("inStock"), changed(query, { inStock: false }));
    return [...fields, price, stock].filter(Boolean);
  }

  chip(kind, label, without, ...marks) {
    const remove = button(
      {
        className: "part-remove",
        title: text("remove", { what: label }),
        data: { key: `remove:${kind}:${label}` },
        attributes: { "aria-label": text("remove", { what: label }) },
        onclick: () => this.onChange(without),
      },
      icon("close"),
    );
    const shown = element("span", { className: "part-label", dir: "auto" }, label);
    return element("li", { className: `part part-${kind}` }, ...marks, shown, remove);
  }
}

function priceText({ gte, lte }, currency) {
  const from = formatPrice(gte, currency);
  const to = formatPrice(lte, currency);
  if (gte === null) return text("priceUpTo", { to });
  if (lte === null) return text("priceFromOn", { from });
  return text("priceBetween", { from, to });
}
