// What problems are called, what helps against them, and how they are shown.

import { element } from "./elements.js";
import { text } from "./language.js";

const PROBLEMS = {
  image_too_large: ["problemTooLarge", "photo"],
  image_too_many_pixels: ["problemTooLarge", "photo"],
  image_not_an_image: ["problemNotPicture", "photo"],
  image_damaged: ["problemUnreadable", "photo"],
  image_empty: ["problemUnreadable", "photo"],
  image_timeout: ["problemUnreadable", "photo"],
  image_too_many_frames: ["problemUnreadable", "photo"],
  image_memory: ["problemUnreadable", "photo"],
  image_crashed_decoder: ["problemUnreadable", "photo"],
  photo_gone: ["problemPhotoGone", "photo"],
  query_text_empty: ["problemText", "none"],
  query_text_too_long: ["problemText", "none"],
  filter_field_unknown: ["problemFilter", "clear"],
  filter_invalid: ["problemFilter", "clear"],
  product_not_found: ["problemGone", "none"],
  overloaded: ["problemBusy", "retry"],
  rate_limited: ["problemBusy", "retry"],
  too_many_at_once: ["problemBusy", "retry"],
  key_required: ["problemKey", "retry"],
  scope_missing: ["problemScope", "none"],
  unreachable: ["problemOffline", "retry"],
};
const ICONS = { unreachable: "offline", overloaded: "wait", rate_limited: "wait", too_many_at_once: "wait", model_loading: "wait" };

/** Title, remedy and icon of a problem, by its code. */
export function explained(problem) {
  const [title, remedy] = PROBLEMS[problem.code] ?? [problem.passes ? "problemStarting" : "problemOther", "retry"];
  return { title: text(title), remedy, icon: ICONS[problem.code] ?? "alert" };
}

/** What the server says is in English, whatever the page's language is. */
export function problemDetail(problem) {
  const node = element("p", { dir: "auto", className: "message-detail" }, problem.message);
  if (problem.fromServer) node.lang = "en";
  return node;
}
