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

/** A time in milliseconds. */
export function formatMs(milliseconds) {
  return times.format(milliseconds);
}

/** A price in the visitor's manner, whole amounts without zeros; empty if there is none. */
export function formatPrice(minor, currency) {
  if (minor === null || minor === undefined) return "";
  const digits = decimals.get(currency) ?? 2;
  const shown = { minimumFractionDigits: digits, maximumFractionDigits: digits, trailingZeroDisplay: "stripIfInteger" };
  const amount = minor / 10 ** digits;
  try {
    return new Intl.NumberFormat(locale, { style: "currency", currency, ...shown }).format(amount);
  } catch {
    return `${new Intl.NumberFormat(locale, shown).format(amount)} ${currency}`.trim(); // no such currency
  }
}
