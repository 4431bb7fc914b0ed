// Searches under way and those done lately: an answer is asked for once, page by page, and kept for the way back.

import { find } from "./api.js";
import { Problem, untilReady } from "./http.js";
import { text } from "./language.js";
import { recallPhoto } from "./photo.js";
import { keyOf } from "./query.js";

const KEPT = 12;

/** What was answered to one query so far. */
export class Session {
  constructor(query) {
    Object.assign(this, {
      query,
      photo: query.photo && recallPhoto(query.photo.id),
      hits: [],
      ids: new Set(),
      cursor: "",
      complete: false, // whether there are no more
      answer: null, // the first, which has what holds for all: facets, notes, the total
      timings: null, // of the last one
      scrollY: 0,
      focused: "", // what had the focus when it was left, by its `data-key`
    });
  }

  /** Fetches the next products and returns those that are new. */
  async next(signal) {
    if (this.query.photo && this.photo === null) throw new Problem("photo_gone", text("detailPhotoGone"));
    const found = await find(this.query, { photo: this.photo, cursor: this.cursor, signal });
    signal.throwIfAborted();
    // the catalog may change between two answers; no product is shown twice whatever happens
    const fresh = found.hits.filter(({ product_id: id }) => !this.ids.has(id));
    for (const { product_id: id } of fresh) this.ids.add(id);
    this.hits.push(...fresh);
    this.cursor = found.cursor ?? "";
    this.complete = this.cursor === "";
    this.answer ??= found;
    this.timings = found.timings_ms;
    return fresh;
  }

  /** Asks until there is an answer; a problem that passes is told and waited out. */
  async first(signal, onProblem) {
    for (let attempt = 0; this.answer === null; attempt += 1) {
      try {
        await this.next(signal);
      } catch (error) {
        if (!(error instanceof Problem && error.passes)) throw error;
        onProblem(error);
        await untilReady(Math.max(error.retryAfterS, Math.min(attempt, 10)), signal);
      }
    }
  }
}

/** The last searches, by their queries. */
export class Sessions {
  constructor() {
    this.byKey = new Map();
  }

  /** That of a query, made if there is none. */
  of(query) {
    const key = keyOf(query);
    const session = this.byKey.get(key) ?? new Session(query);
    this.byKey.delete(key);
    this.byKey.set(key, session);
    if (this.byKey.size > KEPT) this.byKey.delete(this.byKey.keys().next().value);
    return session;
  }

  /** Forgets what was answered: asked anew, it is answered anew. */
  forget(query) {
    this.byKey.delete(keyOf(query));
  }
}
