// Cards of products, and the places where they will be.

import { pictureUrl } from "./api.js";
import { element, icon, iconButton, picture } from "./elements.js";
import { formatPercent, formatPrice, formatScore, text } from "./language.js";

const MATCHES = { same: "matchSame", similar: "matchSimilar", related: "matchRelated" };

/** A found product as a list item; its link has a real address, so it opens in a new tab too.
 *
 * `actions` says what can be done with it beside opening it: { liked, disliked, similarHref, explain }; null: nothing.
 */
export function card(hit, href, { lazy = true, ranked = true, actions = null } = {}) {
  const price = formatPrice(hit.price_minor, hit.currency);
  const match = matchText(hit);
  const label = [hit.title, hit.brand, price, match].filter(Boolean).join(", ");
  const link = element(
    "a",
    {
      className: "card",
      href,
      data: { product: hit.product_id, key: `card:${hit.product_id}` },
      attributes: { "aria-label": label },
    },
    picture(pictureUrl(hit.image.url, { small: true }), { alt: "", lazy }),
    element(
      "span",
      { className: "card-line" },
      element("span", { className: "card-price", dir: "auto" }, price),
      ranked && closeness(hit, match),
    ),
    element("span", { className: "card-brand", dir: "auto" }, hit.brand),
    element("span", { className: "card-title", dir: "auto" }, hit.title),
    ...notes(hit).map((note) => element("span", { className: "card-note", dir: "auto" }, note)),
  );
  return element("li", { className: "tile" }, link, actions && actionsOf(hit, actions));
}

/** How near a hit is, in words where the index is calibrated: a bare cosine is not a confidence. */
export function matchText(hit) {
  return hit.match ? text(MATCHES[hit.match] ?? "matchRelated") : "";
}

function closeness(hit, match) {
  const score = text("similarity", { score: formatScore(hit.score) });
  const calibrated = typeof hit.probability === "number";
  if (!match && calibrated) return null; // it is not near, which the answer says as a whole
  if (!match) return element("span", { className: "card-score", title: score }, formatScore(hit.score));
  const sure = calibrated ? `${formatPercent(hit.probability)} · ${score}` : score;
  return element("span", { className: `match match-${hit.match}`, title: sure }, match);
}

function notes(hit) {
  const found = [];
  if (hit.in_stock === false) found.push(text("outOfStock"));
  if (hit.variants?.length > 0) found.push(text("moreVariants", { n: hit.variants.length }));
  if (hit.offers?.length > 0) found.push(text("moreOffers", { n: hit.offers.length }));
  return found;
}

function actionsOf(hit, { liked, disliked, similarHref, explain }) {
  const { product_id: id, title } = hit;
  const action = (name, pressed) => ({
    className: `tile-action tile-${name}`,
    data: { action: name, of: id, key: `${name}:${id}` },
    attributes: pressed === undefined ? {} : { "aria-pressed": String(pressed) },
  });
  return element(
    "div",
    { className: liked || disliked ? "tile-actions judged" : "tile-actions" },
    iconButton("heart", text("likeThis", { title }), action("like", liked)),
    iconButton("dislike", text("dislikeThis", { title }), action("dislike", disliked)),
    similarLink(text("similarTo", { title }), similarHref, id),
    explain && iconButton("why", text("whyThis", { title }), action("why")),
  );
}

function similarLink(label, href, id) {
  const properties = { className: "tile-action tile-similar", href, title: label };
  const data = { similar: id, key: `similar:${id}` };
  return element("a", { ...properties, data, attributes: { "aria-label": label } }, icon("similar"));
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
