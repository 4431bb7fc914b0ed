// Making elements. Texts only ever become text nodes or attribute values, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties, `data` attributes, other attributes, and children (nodes or texts). */
export function element(tag, { data = {}, attributes = {}, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  Object.assign(node.dataset, data);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
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
