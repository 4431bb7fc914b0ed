// A product's pictures in its details: one large, the others to choose from.

import { pictureUrl } from "./api.js";
import { element, picture } from "./elements.js";
import { text } from "./language.js";

/** Pictures of a product, the one at `position` shown first. */
export function gallery({ images, title }, position) {
  const main = element("div", { className: "gallery-main" });
  const thumbnails = images.map((image, at) => {
    const label = text("pictureOf", { n: at + 1, total: images.length });
    return element(
      "button",
      {
        type: "button",
        className: "gallery-thumbnail",
        title: label,
        attributes: { "aria-label": label },
        onclick: () => choose(at),
      },
      picture(pictureUrl(image.url, { small: true }), { lazy: false }),
    );
  });
  const choose = (at) => {
    const { url } = images[at];
    const large = picture(pictureUrl(url), { alt: title, lazy: false });
    const small = pictureUrl(url, { small: true });
    if (small !== pictureUrl(url)) {
      // the small one is there already: it fills the box until the large one has come
      large.prepend(element("img", { className: "preview", alt: "", src: small }));
    }
    main.replaceChildren(large);
    thumbnails.forEach((button, other) => button.setAttribute("aria-pressed", String(other === at)));
  };
  choose(Math.max(0, images.findIndex((image) => image.position === position)));
  const several = images.length > 1 && element("div", { className: "gallery-thumbnails" }, ...thumbnails);
  return element("div", { className: "gallery" }, main, several);
}
