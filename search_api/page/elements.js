// Making elements. Texts only ever become text nodes or attribute values, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties, `data` attributes, other attributes, and children (nodes or texts). */
export function element(tag, { data = {}, attributes = {}, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  Object.assign(node.dataset, data);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return node;
}

/** A button that does something; children are its label. */
export function button(properties, ...children) {
  return element("button", { type: "button", className: "button", ...properties }, ...children);
}

/** A button that shows an icon alone; the label is what it is called, and its tooltip. */
export function iconButton(name, label, { attributes = {}, className = "icon-button", ...properties } = {}) {
  const named = { "aria-label": label, ...attributes };
  return button({ className, title: label, attributes: named, ...properties }, icon(name));
}

/** One of the page's icons, decorative. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A picture in its box; the box keeps its place while the picture loads, and says so when it cannot be had. */
export function picture(url, { alt = "", lazy = true, className = "picture" } = {}) {
  const box = element("span", { className });
  const missing = () => {
    box.classList.add("missing");
    box.replaceChildren(icon("photo-off"));
  };
  if (url === "") {
    missing();
    return box;
  }
  const image = element("img", { alt, decoding: "async", loading: lazy ? "lazy" : "eager", draggable: false });
  image.addEventListener("error", missing);
  image.addEventListener("load", () => box.classList.add("loaded"));
  image.src = url;
  box.append(image);
  return box;
}

/** A share as a bar, 0 to 1; what it says is said beside it. */
export function bar(share, className = "bar-track") {
  const fill = element("span", { className: "bar-fill" });
  fill.style.inlineSize = `${Math.min(100, Math.max(0, share * 100)).toFixed(2)}%`;
  return element("span", { className, attributes: { "aria-hidden": "true" } }, fill);
}

/** Puts new children into a place; what had the focus there has it afterwards too, found again by its `data-key`, and
 * with the same of its text selected. */
export function redraw(place, ...children) {
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const selected = focused?.type === "text" ? [focused.selectionStart, focused.selectionEnd, focused.selectionDirection] : null;
  place.replaceChildren(...children.filter(Boolean));
  if (!focused?.dataset.key) return;
  const again = [...place.querySelectorAll("[data-key]")].find((node) => node.dataset.key === focused.dataset.key);
  again?.focus({ preventScroll: true });
  if (selected !== null) again?.setSelectionRange(...selected);
}
