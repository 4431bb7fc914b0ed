// A range of prices: two thumbs on one track, and two fields for exact amounts.

import { element } from "./elements.js";
import { decimalsOf, formatPrice, text } from "./language.js";

const STEPS = 100;

/** Controls for a range within a facet of prices; `onChange` gets { gte, lte } in minor units, or null for all. */
export function priceRange({ min_minor: least, max_minor: greatest, currency }, chosen, onChange) {
  const scale = new Scale(least, greatest);
  const wanted = { gte: chosen?.gte ?? null, lte: chosen?.lte ?? null };
  const apply = (end, minor) => {
    const whole = end === "gte" ? minor <= least : minor >= greatest;
    const next = { ...wanted, [end]: whole ? null : minor };
    if (next.gte !== null && next.lte !== null && next.gte > next.lte) next[end === "gte" ? "lte" : "gte"] = minor;
    onChange(next.gte === null && next.lte === null ? null : next);
  };
  const track = element("div", { className: "price-track" });
  const ends = { gte: wanted.gte ?? least, lte: wanted.lte ?? greatest };
  const draw = () => {
    track.style.setProperty("--from", scale.share(ends.gte).toFixed(4));
    track.style.setProperty("--to", scale.share(ends.lte).toFixed(4));
  };
  const thumb = (end, label, field) => {
    const input = element("input", {
      type: "range",
      className: "price-thumb",
      min: 0,
      max: STEPS,
      value: Math.round(scale.share(ends[end]) * STEPS),
      data: { key: `price-${end}-thumb` },
      attributes: { "aria-label": text(label), "aria-valuetext": formatPrice(ends[end], currency) },
    });
    const read = () => {
      // the thumbs do not pass each other
      const other = Math.round(scale.share(ends[end === "gte" ? "lte" : "gte"]) * STEPS);
      input.value = end === "gte" ? Math.min(Number(input.value), other) : Math.max(Number(input.value), other);
      ends[end] = scale.minor(Number(input.value) / STEPS);
      input.setAttribute("aria-valuetext", formatPrice(ends[end], currency));
      field.value = written(ends[end], currency);
      draw();
    };
    input.addEventListener("input", read);
    input.addEventListener("change", () => apply(end, ends[end]));
    return input;
  };
  const exact = (end, label) => {
    const input = element("input", {
      type: "text",
      inputMode: "decimal",
      className: "price-field",
      value: written(ends[end], currency),
      data: { key: `price-${end}` },
      attributes: { "aria-label": `${text(label)}, ${currency}` },
    });
    input.addEventListener("change", () => {
      const minor = readAmount(input.value, currency);
      if (minor === null) input.value = written(ends[end], currency);
      else apply(end, minor);
    });
    return input;
  };
  const from = exact("gte", "priceFrom");
  const to = exact("lte", "priceTo");
  track.append(thumb("gte", "priceFrom", from), thumb("lte", "priceTo", to));
  draw();
  const dash = element("span", { attributes: { "aria-hidden": "true" } }, "–");
  return element("div", { className: "price" }, track, element("div", { className: "price-fields" }, from, dash, to));
}

/** Prices on a track: there are more cheap things than dear ones, so that cheap prices get more of it. */
class Scale {
  constructor(least, greatest) {
    Object.assign(this, { least, greatest, width: Math.max(1, greatest - least) });
  }

  share(minor) {
    return Math.sqrt(Math.min(1, Math.max(0, (minor - this.least) / this.width)));
  }

  minor(share) {
    if (share <= 0) return this.least;
    if (share >= 1) return this.greatest;
    return roundTo(this.least + share * share * this.width, this.width);
  }
}

/** To two or three digits of the width: 47 and not 46.93. */
function roundTo(minor, width) {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(width)) - 2);
  return Math.round(minor / unit) * unit;
}

function written(minor, currency) {
  const digits = decimalsOf(currency);
  const amount = minor / 10 ** digits;
  return Number.isInteger(amount) ? String(amount) : amount.toFixed(digits);
}

/** An amount as people write it, in minor units; null if it is none. */
function readAmount(typed, currency) {
  const plain = typed.replace(/[^\d.,]/g, "").replace(",", ".");
  if (!/^\d+(\.\d*)?$|^\.\d+$/.test(plain)) return null;
  return Math.round(Number(plain) * 10 ** decimalsOf(currency));
}
