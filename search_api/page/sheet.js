// The panel of filters: beside the results where there is room for it, else in a sheet over them.

import { button } from "./elements.js";
import { text } from "./language.js";
import { Overlay } from "./overlay.js";

const ROOM = "(min-width: 960px)";

export class Sheet {
  constructor({ place, panel, dialog, opener }) {
    Object.assign(this, { place, panel, opener });
    this.overlay = new Overlay(dialog, () => this.close());
    opener.addEventListener("click", () => this.open());
    const room = matchMedia(ROOM);
    room.addEventListener("change", () => this.settle(room.matches));
    this.settle(room.matches);
  }

  open() {
    const done = button({ className: "button primary sheet-done", data: { close: "" } }, text("showResults"));
    this.overlay.open(this.panel, done);
  }

  settle(hasRoom) {
    this.close();
    this.opener.hidden = hasRoom;
    this.place.hidden = !hasRoom;
  }

  close() {
    // the panel goes home first: what the overlay holds is thrown away
    const wasOpen = this.overlay.isOpen;
    if (this.panel.contains(document.activeElement)) document.activeElement.blur(); // while what is written in it can be taken
    this.place.append(this.panel);
    this.overlay.close();
    if (wasOpen) this.opener.focus({ preventScroll: true });
  }
}
