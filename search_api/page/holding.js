// What a visitor is at is not drawn anew. A click counts only where pressing and letting go happen at the same element,
// and a field that is taken away while it is written in is half read, or not at all.

let pressed = null; // the element that is held down
let entered = null; // the field whose value has not been taken yet
const waiting = new Map();

/** Draws into a place now, or as soon as nothing in it is held down or written in; of several drawings the last. */
export function whenLeft(place, draw) {
  waiting.delete(place); // what is older must not come after what is drawn now
  if (isHeld(place)) waiting.set(place, draw);
  else draw();
}

function isHeld(place) {
  return place.contains(pressed) || (place.contains(entered) && entered === document.activeElement);
}

function press(event) {
  pressed = event.target;
}

function release() {
  if (pressed === null) return;
  pressed = null;
  drawSoon();
}

function take() {
  if (entered === null) return;
  entered = null;
  drawSoon();
}

/** After the click, or the change, that the event at hand makes. */
function drawSoon() {
  setTimeout(() => {
    const drawings = [...waiting];
    waiting.clear();
    for (const [place, draw] of drawings) whenLeft(place, draw);
  });
}

const PRESSING_KEYS = [" ", "Enter"];
// of the other buttons a menu may take the release
addEventListener("pointerdown", (event) => event.button === 0 && press(event), true);
addEventListener("keydown", (event) => PRESSING_KEYS.includes(event.key) && press(event), true);
for (const type of ["pointerup", "pointercancel", "keyup"]) addEventListener(type, release, true);
addEventListener("blur", release); // of the window
addEventListener("input", (event) => (entered = event.target), true);
// a field that is taken out of the page says neither; what has the focus next does
for (const type of ["change", "focusout", "focusin"]) addEventListener(type, take, true);
