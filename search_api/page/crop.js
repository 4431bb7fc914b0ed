// The query's photo, large: objects to tap, and a frame to draw, move and resize by pointer or keyboard.

import { button, element, icon } from "./elements.js";
import { formatPercent, text } from "./language.js";

const LEAST = 0.06; // of a side
const STEP = 0.02;
const FIRST = [0.15, 0.15, 0.85, 0.85]; // where a frame begins that nobody has drawn yet
const KEYS_SETTLE_MS = 700;
const DRAG_STARTS_PX = 5;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CORNERS = ["nw", "ne", "sw", "se"];

export class Crop {
  /** `onBox` gets the box to search with, or null for the whole photo. */
  constructor(place, onBox) {
    Object.assign(this, { place, onBox, photoId: null, box: null, enabled: false, said: {} });
    Object.assign(this, { searched: null, moving: false, settling: 0 });
    this.stage = element("div", { className: "stage" });
    this.frame = this.newFrame();
    this.frame.hidden = true;
    this.note = element("p", { className: "hint stage-note" });
    this.whole = button({ className: "link-button", hidden: true, onclick: () => this.choose(null) }, text("wholePhoto"));
    this.stage.addEventListener("pointerdown", (event) => this.onPointer(event));
  }

  /** Shows a photo with the frame that was searched, without one where it was the whole photo. */
  show(photo, box) {
    if (photo.id !== this.photoId) {
      this.letGo();
      this.photoId = photo.id;
      this.regions = element("ul", { className: "regions", attributes: { role: "list", "aria-label": text("objects") } });
      const image = element("img", { alt: text("yourPhoto"), src: photo.url, draggable: false });
      image.addEventListener("load", () => this.fit(image));
      this.image = image;
      this.stage.replaceChildren(image, this.regions, this.frame);
      this.place.replaceChildren(this.stage, element("div", { className: "stage-foot" }, this.note, this.whole));
      this.say();
    }
    this.place.hidden = false;
    this.follow(box);
  }

  /** Shows what was searched; a frame that is being moved stays under the hand, and is searched next. */
  follow(box) {
    this.searched = box;
    if (!this.moving) this.draw(box);
  }

  /** Until the server is known to search parts of photos, the photo is shown without a frame. */
  enable(enabled) {
    this.enabled = enabled;
    this.frame.hidden = !enabled;
    this.stage.classList.toggle("enabled", enabled);
    if (this.photoId !== null) this.say(this.said);
  }

  hide() {
    this.place.hidden = true;
    this.place.replaceChildren();
    this.letGo();
    this.photoId = null;
  }

  /** Objects found in the photo shown, best first. */
  showRegions(photo, found) {
    if (photo.id !== this.photoId) return;
    const items = found.map(({ box, label }, at) => {
      const name = label ? text("objectCalled", { label }) : text("object", { n: at + 1 });
      const spot = button(
        { className: "region", title: name, attributes: { "aria-label": name }, onclick: () => this.choose(box) },
        element("span", { className: "region-dot" }),
      );
      // the dot lies in the middle of its object, where a finger goes
      spot.style.left = percent((box[0] + box[2]) / 2);
      spot.style.top = percent((box[1] + box[3]) / 2);
      const outline = element("span", { className: "region-outline", attributes: { "aria-hidden": "true" } });
      place(outline, box);
      return element("li", {}, spot, outline);
    });
    this.regions.replaceChildren(...items);
    this.say(this.said);
  }

  /** Says which part was searched, where the server chose it (`won`), and what can be done; `note` is its reason. */
  say({ won = "", note = "" } = {}) {
    const searched = { crop: text("searchedPart"), whole: text("searchedWhole") }[won] ?? "";
    const hint = this.regions?.childElementCount > 0 ? text("cropHintObjects") : text("cropHint");
    this.said = { won, note };
    this.note.textContent = this.enabled ? [searched, hint].filter(Boolean).join(" ") : searched;
    this.note.title = note;
  }

  /** The stage takes the picture's shape, so that fractions of the one are those of the other. */
  fit({ naturalWidth, naturalHeight }) {
    this.stage.style.setProperty("--ratio", (naturalWidth / naturalHeight).toFixed(4));
    this.stage.classList.add("fitted");
  }

  draw(box) {
    this.box = box;
    this.whole.hidden = box === null;
    this.stage.classList.toggle("cropped", box !== null);
    const shown = box ?? FIRST;
    place(this.frame, shown);
    this.frame.setAttribute("aria-label", box ? text("frameAt", edges(box)) : text("frameNew"));
  }

  choose(box) {
    this.letGo();
    this.draw(box);
    this.onBox(box);
  }

  letGo() {
    clearTimeout(this.settling);
    this.moving = false;
  }

  newFrame() {
    const corners = CORNERS.map((corner) => element("span", { className: `corner corner-${corner}`, data: { corner } }));
    const frame = button({ className: "frame", data: { key: "frame" } }, ...corners);
    frame.addEventListener("keydown", (event) => this.onKey(event));
    frame.addEventListener("click", (event) => {
      if (event.detail === 0 && this.box === null) this.choose(FIRST); // pressed on the keyboard
    });
    return frame;
  }

  onKey(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [x, y] = arrow.map((one) => one * STEP);
    const [left, top, right, bottom] = this.box ?? FIRST;
    const next = event.shiftKey ? [left, top, right + x, bottom + y] : shifted([left, top, right, bottom], x, y);
    this.draw(proper(next));
    clearTimeout(this.settling);
    this.moving = true;
    this.settling = setTimeout(() => this.choose(this.box), KEYS_SETTLE_MS);
  }

  onPointer(event) {
    if (!this.enabled || event.button !== 0 || event.target.closest(".region")) return;
    const bounds = this.stage.getBoundingClientRect();
    const at = ({ clientX, clientY }) => [
      clamp((clientX - bounds.left) / bounds.width),
      clamp((clientY - bounds.top) / bounds.height),
    ];
    const start = at(event);
    const before = this.box;
    const corner = event.target.dataset.corner ?? "";
    const inside = before !== null && event.target.closest(".frame") !== null;
    const photoId = this.photoId;
    let dragged = false;
    const move = (moved) => {
      if (Math.hypot(moved.clientX - event.clientX, moved.clientY - event.clientY) > DRAG_STARTS_PX) dragged = true;
      if (!dragged || photoId !== this.photoId) return;
      this.moving = true;
      const [x, y] = at(moved);
      if (inside && corner) this.draw(proper(resized(before, corner, x, y)));
      else if (inside) this.draw(shifted(before, x - start[0], y - start[1]));
      else this.draw(proper([start[0], start[1], x, y]));
    };
    const end = () => {
      for (const [kind, listener] of listeners) this.stage.removeEventListener(kind, listener);
      if (dragged && photoId === this.photoId) this.choose(this.box);
    };
    const cancel = () => {
      const moved = dragged;
      dragged = false;
      end();
      if (!moved) return; // a frame that keys have moved is searched yet
      this.letGo();
      this.draw(this.searched);
    };
    const listeners = [["pointermove", move], ["pointerup", end], ["pointercancel", cancel]];
    for (const [kind, listener] of listeners) this.stage.addEventListener(kind, listener);
    this.stage.setPointerCapture(event.pointerId);
  }
}

function place(node, [left, top, right, bottom]) {
  node.style.left = percent(left);
  node.style.top = percent(top);
  node.style.width = percent(right - left);
  node.style.height = percent(bottom - top);
}

function percent(share) {
  return `${(share * 100).toFixed(2)}%`;
}

function clamp(value) {
  return Math.min(1, Math.max(0, value));
}

function shifted([left, top, right, bottom], x, y) {
  const across = Math.min(1 - right, Math.max(-left, x));
  const down = Math.min(1 - bottom, Math.max(-top, y));
  return rounded([left + across, top + down, right + across, bottom + down]);
}

function resized([left, top, right, bottom], corner, x, y) {
  return [
    corner.endsWith("w") ? x : left,
    corner.startsWith("n") ? y : top,
    corner.endsWith("e") ? x : right,
    corner.startsWith("s") ? y : bottom,
  ];
}

/** In order, within the photo, and not too small to be seen. */
function proper([x0, y0, x1, y1]) {
  const span = (one, other) => {
    const [low, high] = [clamp(Math.min(one, other)), clamp(Math.max(one, other))];
    if (high - low >= LEAST) return [low, high];
    const from = Math.min(low, 1 - LEAST);
    return [from, from + LEAST];
  };
  const [left, right] = span(x0, x1);
  const [top, bottom] = span(y0, y1);
  return rounded([left, top, right, bottom]);
}

function rounded(box) {
  return box.map((edge) => Math.round(edge * 10_000) / 10_000);
}

function edges([left, top, right, bottom]) {
  return {
    left: formatPercent(left),
    top: formatPercent(top),
    right: formatPercent(right),
    bottom: formatPercent(bottom),
  };
}
