// Colours of products as small discs, where their names are known.

import { element } from "./elements.js";

const COLOURS = {
  beige: "#e4d5b7",
  black: "#1f1e1c",
  blue: "#2563c9",
  brown: "#7a4a2b",
  cream: "#f6efdc",
  cyan: "#1fb6c9",
  gold: "#c79a2f",
  gray: "#8b8b8b",
  green: "#2c8a3d",
  grey: "#8b8b8b",
  lilac: "#b79bd6",
  navy: "#1d2b57",
  olive: "#77772f",
  orange: "#ef7d1a",
  pink: "#f08bb1",
  purple: "#7a3aa8",
  red: "#d3231f",
  silver: "#c2c5c9",
  tan: "#cfa77a",
  teal: "#11807a",
  turquoise: "#35c4bd",
  violet: "#7b4fc9",
  white: "#ffffff",
  yellow: "#f5c91f",
};

/** A disc of one or two colours, decorative; empty where a name is unknown. */
export function swatch(name) {
  const known = name.toLowerCase().split(/[/,]/).map((part) => COLOURS[part.trim()]);
  const disc = element("span", { className: "swatch", attributes: { "aria-hidden": "true" } });
  if (known.length === 0 || known.includes(undefined)) {
    disc.classList.add("unknown");
    return disc;
  }
  const [first, second = first] = known;
  disc.style.background = `linear-gradient(135deg, ${first} 50%, ${second} 50%)`;
  return disc;
}
