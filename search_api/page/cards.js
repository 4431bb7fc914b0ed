// Cards of products, and the places where they will be.

import { pictureUrl } from "./api.js";
import { element, picture } from "./elements.js";
import { formatPrice, formatScore, text } from "./language.js";

/** A found product as a list item; its link has a real address, so it opens in a new tab too. */
export function card(hit, href, { lazy = true } = {}) {
  const price = formatPrice(hit.price_minor, hit.currency);
  const score = formatScore(hit.score);
  const link = element(
    "a",
    {
      className: "card",
      href,
      data: { product: hit.product_id },
      attributes: { "aria-label": [hit.title, hit.brand, price].filter(Boolean).join(", ") },
    },
    picture(pictureUrl(hit.image.url, { small: true }), { alt: hit.title, lazy }),
    element(
      "span",
      { className: "card-line" },
      element("span", { className: "card-price", dir: "auto" }, price),
      element("span", { className: "card-score", title: text("similarity", { score }) }, score),
    ),
    element("span", { className: "card-brand", dir: "auto" }, hit.brand),
    element("span", { className: "card-title", dir: "auto" }, hit.title),
  );
  return element("li", {}, link);
}

/** Places of cards that are on their way. */
export function skeletonCards(count) {
  return Array.from({ length: count }, () =>
    element(
      "li",
      { className: "skeleton", attributes: { "aria-hidden": "true" } },
      element("span", { className: "picture" }),
      element("span", { className: "bone bone-short" }),
      element("span", { className: "bone" }),
      element("span", { className: "bone" }),
    ),
  );
}
