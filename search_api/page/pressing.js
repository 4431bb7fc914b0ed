// What is held down is not drawn anew: a click counts only where pressing and letting go happen at the same element.

let pressed = null; // the element that is held down
const waiting = new Map();

/** Draws into a place now, or as soon as nothing in it is held down any more; of several drawings the last. */
export function whenReleased(place, draw) {
  waiting.delete(place); // what is older must not come after what is drawn now
  if (pressed !== null && place.contains(pressed)) waiting.set(place, draw);
  else draw();
}

function press(event) {
  pressed = event.target;
}

function release() {
  if (pressed === null) return;
  pressed = null;
  // after the click that this makes
  setTimeout(() => {
    const drawings = [...waiting];
    waiting.clear();
    for (const [place, draw] of drawings) whenReleased(place, draw);
  });
}

const PRESSING_KEYS = [" ", "Enter"];
// of the other buttons a menu may take the release
addEventListener("pointerdown", (event) => event.button === 0 && press(event), true);
addEventListener("keydown", (event) => PRESSING_KEYS.includes(event.key) && press(event), true);
for (const type of ["pointerup", "pointercancel", "keyup"]) addEventListener(type, release, true);
addEventListener("blur", release); // of the window
