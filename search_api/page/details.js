// A product's details, in a dialog over the results.

import { pictureUrl, product, similar, webAddress } from "./api.js";
import { card, skeletonCards } from "./cards.js";
import { button, element, icon, picture, redraw } from "./elements.js";
import { gallery } from "./gallery.js";
import { whenLeft } from "./holding.js";
import { guarded } from "./http.js";
import { formatPrice, text } from "./language.js";
import { Overlay } from "./overlay.js";
import { explained, problemDetail } from "./problems.js";

const SIMILAR = 12;

export class Details {
  /** `onClose` is called when the visitor wants to leave; the owner then calls `close`. */
  constructor(dialog, { hrefOf, similarHref, onClose }) {
    Object.assign(this, { hrefOf, similarHref, overlay: new Overlay(dialog, onClose) });
    Object.assign(this, { productId: null, hit: null, controller: new AbortController() });
  }

  get isOpen() {
    return this.productId !== null;
  }

  /** Shows a product: at once what is known of it from the results, the rest as it arrives. */
  open(productId, hit) {
    if (productId === this.productId) return;
    this.productId = productId;
    this.hit = hit;
    this.controller.abort();
    this.controller = new AbortController();
    this.content = element("div", { className: "details-product" });
    this.alike = element("ul", { className: "grid grid-small", attributes: { role: "list" } }, ...skeletonCards(6));
    this.alikeSection = element(
      "section",
      { className: "details-similar" },
      element("h3", {}, text("similarTitle")),
      this.alike,
    );
    this.show(hit ? ofHit(hit) : null);
    this.overlay.open(this.content, this.alikeSection);
    const { signal } = this.controller;
    guarded(signal, async () => this.show(await product(productId, signal)), (problem) => this.showProblem(problem));
    guarded(signal, () => this.loadSimilar(productId, signal), () => (this.alikeSection.hidden = true));
  }

  again() {
    const { productId, hit } = this;
    this.productId = null;
    this.open(productId, hit);
  }

  close() {
    this.controller.abort();
    this.productId = null;
    this.overlay.close();
  }

  showProblem(problem) {
    const heading = { id: "details-title", tabIndex: -1, data: { key: "details-title" } };
    const title = element("h2", heading, explained(problem).title);
    const message = element("div", { className: "message-inner" }, icon("alert"), title, problemDetail(problem));
    if (problem.passes) message.append(button({ className: "button primary", onclick: () => this.again() }, text("tryAgain")));
    this.draw(message);
  }

  async loadSimilar(productId, signal) {
    const { hits } = await similar(productId, SIMILAR, signal);
    this.alikeSection.hidden = hits.length === 0;
    this.alike.replaceChildren(...hits.map((hit) => card(hit, this.hrefOf(hit.product_id))));
  }

  /** `shown` is a product as the API gives it, a part of one, or null while nothing is known. */
  show(shown) {
    const pictures = shown ? gallery(shown, this.hit?.image.position ?? 0) : noGallery();
    this.draw(pictures, this.facts(shown));
  }

  draw(...children) {
    const { content } = this; // when it is left, another product may be shown
    whenLeft(content, () => redraw(content, ...children));
  }

  facts(shown) {
    const heading = { id: "details-title", tabIndex: -1, dir: "auto", data: { first: "", key: "details-title" } };
    const title = element("h2", heading, shown?.title ?? text("loading"));
    if (shown === null) return element("div", { className: "facts" }, title, ...bones(4));
    const price = formatPrice(shown.price_minor, shown.currency);
    return element(
      "div",
      { className: "facts" },
      line("facts-brand", shown.brand),
      title,
      line("facts-category", (shown.category ?? []).join(" › ")),
      element(
        "p",
        { className: "facts-offer" },
        price && element("span", { className: "facts-price", dir: "auto" }, price),
        stock(shown.in_stock),
      ),
      this.actions(shown),
      this.others("variants", this.hit?.variants ?? []),
      this.others("offers", this.hit?.offers ?? []),
      ...(shown.partial ? bones(4) : more(shown)),
    );
  }

  actions(shown) {
    const shop = webAddress(shown.link);
    const toShop = {
      className: "button primary",
      href: shop,
      target: "_blank",
      rel: "noopener noreferrer",
      data: { key: "details-shop" },
    };
    const similarTo = {
      className: shop ? "button" : "button primary",
      href: this.similarHref(shown.product_id),
      data: { similar: shown.product_id, key: "details-similar" },
    };
    return element(
      "div",
      { className: "facts-actions" },
      shop && element("a", toShop, text("toShop"), icon("external")),
      element("a", similarTo, icon("search"), text("searchWithThis")),
    );
  }

  /** Variants of the product, or who else sells its picture, as links to their own details. */
  others(kind, products) {
    if (products.length === 0) return null;
    const links = products.map(({ product_id: id, title, image, brand, price_minor: minor, currency }) => {
      const price = formatPrice(minor, currency);
      return element(
        "a",
        { className: "other", href: this.hrefOf(id), data: { product: id, key: `details:${id}` } },
        image && picture(pictureUrl(image.url, { small: true }), { lazy: false }),
        element("span", { className: "option-name", dir: "auto" }, brand ? `${title}, ${brand}` : title),
        price && element("strong", { dir: "auto" }, price),
      );
    });
    return section(text(kind), element("div", { className: "others" }, ...links));
  }
}

function more({ description, attributes }) {
  const names = Object.keys(attributes);
  const pairs = names.flatMap((name) => [
    element("dt", { dir: "auto" }, name),
    element("dd", { dir: "auto" }, attributes[name]),
  ]);
  return [
    description && section(text("description"), element("p", { className: "facts-text", dir: "auto" }, description)),
    names.length > 0 && section(text("attributes"), element("dl", { className: "facts-attributes" }, ...pairs)),
  ];
}

function section(title, content) {
  return element("section", {}, element("h3", {}, title), content);
}

function ofHit(hit) {
  return { ...hit, images: [hit.image], in_stock: hit.in_stock ?? null, partial: true };
}

function noGallery() {
  return element("div", { className: "gallery" }, element("span", { className: "picture skeleton" }));
}

function line(className, content) {
  return content ? element("p", { className, dir: "auto" }, content) : null;
}

function stock(inStock) {
  if (inStock === null) return null;
  return element("span", { className: inStock ? "stock in" : "stock out" }, text(inStock ? "inStock" : "outOfStock"));
}

function bones(count) {
  const hidden = { "aria-hidden": "true" };
  return Array.from({ length: count }, () => element("span", { className: "bone", attributes: hidden }));
}
