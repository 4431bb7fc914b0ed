// Passing the address on.

import { button, element } from "./elements.js";
import { text } from "./language.js";

const SHOWN_MS = 6_000;

export class Share {
  constructor(toast) {
    Object.assign(this, { toast, hiding: 0 });
  }

  /** Shares an address the way the device does it; a photo is not part of it, and that is said. */
  async share(address, title, hasPhoto) {
    const url = new URL(address, location.href).href;
    const note = hasPhoto ? text("sharedWithoutPhoto") : "";
    if (navigator.share && matchMedia("(pointer: coarse)").matches) {
      try {
        await navigator.share({ url, title });
        if (note) this.say(note);
      } catch {
        // the visitor thought better of it
      }
      return;
    }
    try {
      await navigator.clipboard.writeText(url);
      this.say([text("linkCopied"), note].filter(Boolean).join(" "));
    } catch {
      this.offer(url, note); // no clipboard: not a secure address, or not allowed
    }
  }

  offer(url, note) {
    const field = element("input", { type: "text", readOnly: true, value: url, attributes: { "aria-label": text("link") } });
    const close = button({ className: "link-button", onclick: () => this.hide() }, text("close"));
    this.say(note, field, close);
    clearTimeout(this.hiding);
    field.select();
  }

  say(message, ...children) {
    clearTimeout(this.hiding);
    this.toast.replaceChildren(element("p", {}, message), ...children);
    this.toast.hidden = false;
    this.hiding = setTimeout(() => this.hide(), SHOWN_MS);
  }

  hide() {
    this.toast.hidden = true;
    this.toast.replaceChildren();
  }
}
