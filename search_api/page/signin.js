// Signing in, where searching needs a key: asked for when the server first wants one. The key itself is kept nowhere;
// the server gives a cookie for it that scripts cannot read.

import { button, element } from "./elements.js";
import { send } from "./http.js";
import { text } from "./language.js";
import { Overlay } from "./overlay.js";
import { explained } from "./problems.js";

const SIGNED_IN = "vitrine.signed-in"; // that there is a cookie, which scripts do not see

export class SignIn {
  /** `leave` is the button that ends the session. */
  constructor(dialog, leave) {
    Object.assign(this, { leave, asked: null, settle: () => {} });
    this.overlay = new Overlay(dialog, () => this.finish(false));
    leave.hidden = localStorage.getItem(SIGNED_IN) === null;
    leave.addEventListener("click", () => this.signOut());
  }

  /** Asks for a key; whether there is one now. Whatever waits for it waits for the same answer. */
  ask() {
    this.asked ??= new Promise((resolve) => {
      this.settle = resolve;
      this.show();
    });
    return this.asked;
  }

  show() {
    this.field = element("input", {
      type: "password",
      id: "sign-in-key",
      autocomplete: "current-password",
      spellcheck: false,
      required: true,
      data: { first: "" },
      attributes: { "aria-describedby": "sign-in-message" },
    });
    this.message = element("p", { id: "sign-in-message", className: "sign-in-message", role: "alert" });
    const go = button({ type: "submit", className: "button primary" }, text("signInGo"));
    const label = element("label", { htmlFor: "sign-in-key" }, text("signInKey"));
    const row = element("div", { className: "key-row" }, this.field, go);
    const form = element("form", { className: "sign-in", autocomplete: "off" }, label, row, this.message);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit(this.field.value.trim());
    });
    this.overlay.open(element("h2", { id: "sign-in-title" }, text("signInTitle")), element("p", {}, text("signInText")), form);
  }

  async submit(key) {
    this.message.textContent = "";
    try {
      await send("/v1/session", { method: "POST", headers: { "X-API-Key": headerOf(key) }, signal: never() });
      localStorage.setItem(SIGNED_IN, "");
      this.leave.hidden = false;
      this.finish(true);
    } catch (problem) {
      const wrong = problem.status === 401 || problem.status === 403;
      this.message.textContent = wrong ? text("signInWrong") : explained(problem).title;
      this.field.select();
    }
  }

  finish(signedIn) {
    if (this.asked === null) return;
    this.asked = null;
    this.overlay.close();
    this.settle(signedIn);
  }

  async signOut() {
    await send("/v1/session", { method: "DELETE", signal: never() }).catch(() => {}); // it ends by itself, then
    localStorage.removeItem(SIGNED_IN);
    location.assign("/");
  }
}

/** Headers hold bytes; a key may hold other letters, which go as UTF-8. */
function headerOf(key) {
  return String.fromCharCode(...new TextEncoder().encode(key));
}

function never() {
  return new AbortController().signal;
}
