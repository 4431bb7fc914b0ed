// A dialog over the page, which gives the focus back to where it was.

import { element, iconButton } from "./elements.js";
import { text } from "./language.js";

export class Overlay {
  /** `onClose` is called when the visitor wants to leave; the owner then calls `close`. */
  constructor(dialog, onClose) {
    Object.assign(this, { dialog, onClose });
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      onClose();
    });
    dialog.addEventListener("close", () => {
      if (this.isOpen) onClose(); // a browser may close it without asking
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.closest("[data-close]")) onClose();
    });
    this.isOpen = false;
  }

  open(...children) {
    const close = iconButton("close", text("close"), { className: "overlay-close", data: { close: "" } });
    this.dialog.replaceChildren(element("div", { className: "overlay-inner" }, close, ...children));
    this.isOpen = true;
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
    this.dialog.querySelector("[data-first]")?.focus({ preventScroll: true });
  }

  close() {
    this.isOpen = false;
    if (this.dialog.open) this.dialog.close();
    this.dialog.replaceChildren();
  }
}
