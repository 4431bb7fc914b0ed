// Requests to the server, and what goes wrong with them.

import { text } from "./language.js";

const TIMEOUT_MS = 30_000;

/** What went wrong, as the server's problem document has it, or as the page found out itself (status 0). */
export class Problem extends Error {
  constructor(code, detail, { status = 0, retryAfterS = 0, fromServer = false, document = {} } = {}) {
    super(detail);
    Object.assign(this, { code, status, retryAfterS, fromServer, document });
  }

  /** Whether the same request may succeed later with nothing changed. */
  get passes() {
    return this.status === 503 || this.status === 429 || this.code === "unreachable";
  }
}

let askForKey = async () => false;

/** Says how to ask for a key when the server wants one: `ask` resolves to whether there is one now. */
export function onKeyWanted(ask) {
  askForKey = ask;
}

/** As `send`; where the server wants a key, it is asked for, and the request made again. */
export async function request(path, options) {
  for (;;) {
    try {
      return await send(path, options);
    } catch (error) {
      if (error.code !== "key_required" || !(await askForKey())) throw error;
    }
  }
}

/** The JSON that the server answers, null if it answers nothing; a `Problem` for every other answer, and for none. */
export async function send(path, { signal, ...options }) {
  signal.throwIfAborted();
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), TIMEOUT_MS);
  const stop = () => timeout.abort();
  signal.addEventListener("abort", stop);
  try {
    const response = await fetch(path, { ...options, signal: timeout.signal });
    if (response.ok) return response.status === 204 ? null : await response.json();
    throw await problemOf(response);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Problem) throw error;
    throw new Problem("unreachable", text("detailOffline"));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/** The same with a JSON body. */
export function post(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", headers, body: JSON.stringify(body), signal });
}

/** Returns when the server says that it can answer; asks at growing intervals, and at once when the network is back. */
export async function untilReady(firstWaitS, signal) {
  for (let waitS = Math.max(firstWaitS, 0.5); ; waitS = Math.min(waitS * 1.5, 10)) {
    await pause(waitS * 1000, signal);
    try {
      await request("/readyz", { signal });
      return;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }
}

/** Runs the work; a problem goes to `onProblem`, an abort ends it quietly. */
export async function guarded(signal, work, onProblem) {
  try {
    await work();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    onProblem(error);
  }
}

async function problemOf(response) {
  const document = await response.json().catch(() => ({}));
  const status = response.status;
  const retryAfterS = Number(response.headers.get("Retry-After")) || 0;
  if (typeof document.detail === "string" && typeof document.code === "string") {
    return new Problem(document.code, document.detail, { status, retryAfterS, fromServer: true, document });
  }
  return new Problem("unknown", text("detailStatus", { status: String(status) }), { status, retryAfterS });
}

/** Waits; shorter if the network comes back meanwhile. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const end = (then) => () => {
      clearTimeout(timer);
      window.removeEventListener("online", over);
      signal.removeEventListener("abort", aborted);
      then();
    };
    const over = end(resolve);
    const aborted = end(() => reject(signal.reason));
    const timer = setTimeout(over, milliseconds);
    window.addEventListener("online", over);
    signal.addEventListener("abort", aborted);
  });
}
