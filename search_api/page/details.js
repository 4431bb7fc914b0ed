// A product's details, in a dialog over the results.

import { Problem, pictureUrl, product, similar, webAddress } from "./api.js";
import { card, skeletonCards } from "./cards.js";
import { element, icon, picture } from "./elements.js";
import { formatPrice, text } from "./language.js";
import { explained, problemDetail } from "./results.js";

const SIMILAR = 12;

export class Details {
  /** `onClose` is called when the visitor wants to leave; the owner then calls `close`. */
  constructor(dialog, { hrefOf, similarHref, onClose }) {
    Object.assign(this, { dialog, hrefOf, similarHref });
    Object.assign(this, { productId: null, position: 0, controller: new AbortController() });
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      onClose();
    });
    dialog.addEventListener("close", () => {
      if (this.productId !== null) onClose(); // a browser may close it without asking
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.closest("[data-close]")) onClose();
    });
  }

  /** Shows a product: at once what is known of it from the results, the rest as it arrives. */
  open(productId, hit) {
    if (productId === this.productId) return;
    this.productId = productId;
    this.position = hit?.image.position ?? 0;
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
    const close = element(
      "button",
      { type: "button", className: "details-close", title: text("close"), data: { close: "" } },
      icon("close"),
    );
    close.setAttribute("aria-label", text("close"));
    this.show(hit ? ofHit(hit) : null);
    this.dialog.replaceChildren(element("div", { className: "details-inner" }, close, this.content, this.alikeSection));
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
    this.dialog.querySelector("#details-title").focus({ preventScroll: true });
    this.load(productId, this.controller.signal);
    this.loadSimilar(productId, this.controller.signal);
  }

  again() {
    const { productId } = this;
    this.productId = null;
    this.open(productId);
  }

  close() {
    this.controller.abort();
    this.productId = null;
    if (this.dialog.open) this.dialog.close();
    this.dialog.replaceChildren();
  }

  async load(productId, signal) {
    await this.guarded(signal, async () => this.show(await product(productId, signal)), (problem) => {
      const title = element("h2", { id: "details-title", tabIndex: -1 }, explained(problem).title);
      const message = element("div", { className: "message-inner" }, icon("alert"), title, problemDetail(problem));
      if (problem.passes) {
        const again = { type: "button", className: "button primary", onclick: () => this.again() };
        message.append(element("button", again, text("tryAgain")));
      }
      this.content.replaceChildren(message);
    });
  }

  async loadSimilar(productId, signal) {
    await this.guarded(
      signal,
      async () => {
        const { hits } = await similar(productId, SIMILAR, signal);
        this.alikeSection.hidden = hits.length === 0;
        this.alike.replaceChildren(...hits.map((hit) => card(hit, this.hrefOf(hit.product_id))));
      },
      () => {
        this.alikeSection.hidden = true;
      },
    );
  }

  async guarded(signal, work, onProblem) {
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      onProblem(error);
    }
  }

  /** `shown` is a product as the API gives it, a part of one, or null while nothing is known. */
  show(shown) {
    const focused = this.content.contains(document.activeElement) ? document.activeElement.id : "";
    this.content.replaceChildren(this.gallery(shown), this.facts(shown));
    if (focused) this.content.querySelector(`#${focused}`)?.focus({ preventScroll: true });
  }

  gallery(shown) {
    if (shown === null) {
      return element("div", { className: "gallery" }, element("span", { className: "picture skeleton" }));
    }
    const main = element("div", { className: "gallery-main" });
    const thumbnails = shown.images.map((image, at) => {
      const label = text("pictureOf", { n: at + 1, total: shown.images.length });
      const button = element(
        "button",
        { type: "button", className: "gallery-thumbnail", title: label, onclick: () => choose(at) },
        picture(pictureUrl(image.url, { small: true }), { lazy: false }),
      );
      button.setAttribute("aria-label", label);
      return button;
    });
    const choose = (at) => {
      const { url } = shown.images[at];
      const large = picture(pictureUrl(url), { alt: shown.title, lazy: false });
      const small = pictureUrl(url, { small: true });
      if (small !== pictureUrl(url)) {
        // the small one is there already: it fills the box until the large one has come
        const preview = element("img", { className: "preview", alt: "", src: small });
        large.prepend(preview);
      }
      main.replaceChildren(large);
      thumbnails.forEach((button, other) => button.setAttribute("aria-pressed", String(other === at)));
    };
    choose(Math.max(0, shown.images.findIndex(({ position }) => position === this.position))); // the one that was found
    const several = shown.images.length > 1;
    return element(
      "div",
      { className: "gallery" },
      main,
      several ? element("div", { className: "gallery-thumbnails" }, ...thumbnails) : null,
    );
  }

  facts(shown) {
    const title = element("h2", { id: "details-title", tabIndex: -1, dir: "auto" }, shown?.title ?? text("loading"));
    if (shown === null) return element("div", { className: "facts" }, title, ...bones(4));
    const shop = webAddress(shown.link);
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
      element(
        "div",
        { className: "facts-actions" },
        shop &&
          element(
            "a",
            { className: "button primary", href: shop, target: "_blank", rel: "noopener noreferrer" },
            text("toShop"),
            icon("external"),
          ),
        element(
          "a",
          {
            className: shop ? "button" : "button primary",
            href: this.similarHref(shown.product_id),
            data: { similar: shown.product_id },
          },
          icon("search"),
          text("searchWithThis"),
        ),
      ),
      ...(shown.partial ? bones(4) : this.more(shown)),
    );
  }

  more({ description, attributes }) {
    const names = Object.keys(attributes);
    const section = (title, content) => element("section", {}, element("h3", {}, title), content);
    return [
      description && section(text("description"), element("p", { className: "facts-text", dir: "auto" }, description)),
      names.length > 0 &&
        section(
          text("attributes"),
          element(
            "dl",
            { className: "facts-attributes" },
            ...names.flatMap((name) => [
              element("dt", { dir: "auto" }, name),
              element("dd", { dir: "auto" }, attributes[name]),
            ]),
          ),
        ),
    ].filter(Boolean);
  }
}

function ofHit(hit) {
  return { ...hit, images: [hit.image], in_stock: null, partial: true };
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
