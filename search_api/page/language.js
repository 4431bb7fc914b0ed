// The language of the page, and how it writes numbers and prices.

import { STRINGS } from "./strings.js";

const wanted = navigator.languages?.length ? navigator.languages : [navigator.language || "en"];
const baseOf = (tag) => tag.toLowerCase().split("-")[0];

/** The visitor's first language that the page speaks, with region: "de-CH". */
export const locale = wanted.find((tag) => Object.hasOwn(STRINGS, baseOf(tag))) ?? "en";
export const language = baseOf(locale);

const strings = STRINGS[language];
const plurals = new Intl.PluralRules(locale);
const counts = new Intl.NumberFormat(locale);
const times = new Intl.NumberFormat(locale, { style: "unit", unit: "millisecond", maximumFractionDigits: 0 });
const percents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const smallPercents = new Intl.NumberFormat(locale, { style: "percent", maximumSignificantDigits: 1 });
const signed = new Intl.NumberFormat(locale, {
  signDisplay: "exceptZero",
  minimumFractionDigits: 3,
  maximumFractionDigits: 3,
});
const moments = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const scores = new Intl.NumberFormat(locale, { minimumFractionDigits: 3, maximumFractionDigits: 3 });

// ISO 4217 as the index has it. Browsers differ for some currencies (Chromium shows RSD without decimals), so
// Intl is told how many there are.
export const OTHER_DECIMALS = {
  0: "BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
  3: "BHD IQD JOD KWD LYD OMR TND",
  4: "CLF UYW",
};
const decimals = new Map(
  Object.entries(OTHER_DECIMALS).flatMap(([count, codes]) => codes.split(" ").map((code) => [code, Number(count)])),
);

/** A text of the page; a text with forms is chosen by the value n. */
export function text(key, values = {}) {
  const entry = strings[key];
  const form = typeof entry === "string" ? entry : (entry[plurals.select(values.n)] ?? entry.other);
  return form.replace(/\{(\w+)\}/g, (whole, name) => {
    if (!Object.hasOwn(values, name)) return whole;
    return typeof values[name] === "number" ? counts.format(values[name]) : values[name];
  });
}

/** Puts the page's language into the elements that name their text. */
export function localize(root) {
  document.documentElement.lang = language;
  const keys = /Mac|iP(hone|ad)/.test(navigator.platform) ? "⌘V" : "Ctrl+V";
  for (const node of root.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text, { keys });
  for (const node of root.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", text(node.dataset.label));
    if (node.title) node.title = text(node.dataset.label);
  }
  for (const node of root.querySelectorAll("[data-placeholder]")) node.placeholder = text(node.dataset.placeholder);
}

/** A cosine. */
export function formatScore(score) {
  return scores.format(score);
}

/** A share as a percentage; one below 1 % keeps a digit, as it is not nothing. */
export function formatPercent(share) {
  return (share > 0 && share < 0.01 ? smallPercents : percents).format(Math.max(share, 0.0001) * (share > 0 ? 1 : 0));
}

/** A number with its sign. */
export function formatSigned(value) {
  return signed.format(value);
}

/** How many there are of something. */
export function formatCount(count) {
  return counts.format(count);
}

/** A moment as the API writes it. */
export function formatMoment(moment) {
  return moments.format(new Date(moment));
}

/** A time in milliseconds. */
export function formatMs(milliseconds) {
  return times.format(milliseconds);
}

/** How many decimals amounts of a currency have. */
export function decimalsOf(currency) {
  return decimals.get(currency) ?? 2;
}

/** A price in the visitor's manner, whole amounts without zeros; empty if there is none. */
export function formatPrice(minor, currency) {
  if (minor === null || minor === undefined) return "";
  const digits = decimalsOf(currency);
  const shown = { minimumFractionDigits: digits, maximumFractionDigits: digits, trailingZeroDisplay: "stripIfInteger" };
  const amount = minor / 10 ** digits;
  try {
    return new Intl.NumberFormat(locale, { style: "currency", currency, ...shown }).format(amount);
  } catch {
    return `${new Intl.NumberFormat(locale, shown).format(amount)} ${currency}`.trim(); // no such currency
  }
}
