// The search view: starts searches, draws what they find, and turns what the visitor touches into the next query.

import { REGIONS, countFacets, pictureUrl, product, regions } from "./api.js";
import { learnAttributes } from "./attributes.js";
import { Crop } from "./crop.js";
import { picture } from "./elements.js";
import { Filters } from "./filters.js";
import { guarded } from "./http.js";
import { text } from "./language.js";
import { Parts } from "./parts.js";
import { EMPTY, changed, hasParts, sortOf, unfiltered } from "./query.js";
import { Results } from "./results.js";
import { Sessions } from "./sessions.js";

const SKELETONS_AFTER_MS = 150;
const LEAST_REGION_SCORE = 0.6; // of the best one's
const MOST_REGIONS = 4;
const MOST_SHARED = 0.6;

const byId = (id) => document.getElementById(id);

export class Searching {
  /** `onQuery` gets the query that the visitor wants next, `onPicture` the picture of the query that is shown;
   * `onSettled` is called when a search has found something or failed; `hrefs` give addresses. */
  constructor({ onQuery, hrefs, onPicture, onSettled }) {
    Object.assign(this, { onQuery, onPicture, onSettled, current: null, sessions: new Sessions(), known: new Map() });
    this.running = new AbortController();
    this.offer = () => false; // until the server has said what it offers
    this.results = new Results({
      hrefs,
      onRetry: () => this.start(this.current),
      onClear: () => onQuery(unfiltered(this.current.query)),
      onMore: (how) => this.more(how),
    });
    const known = (id) => this.known.get(id);
    this.parts = new Parts({ parts: byId("parts"), suggestions: byId("suggestions") }, { onChange: onQuery, known });
    this.filters = new Filters(byId("filters"), onQuery);
    this.crop = new Crop(byId("query-photo"), (box) => {
      const { photo } = this.current.query;
      onQuery(changed(this.current.query, { photo: { ...photo, box, whole: box === null } }));
    });
    this.sort = byId("sort");
    this.sort.addEventListener("change", () => onQuery(changed(this.current.query, { sort: this.sort.value })));
  }

  /** Learns what the server offers, and shows what waited for it. */
  setOffer(offer) {
    this.offer = offer;
    this.crop.enable(offer(REGIONS));
    document.body.classList.toggle("explains", offer("/v1/search", "explain"));
    const session = this.current;
    if (!session?.answer) return;
    this.showAround(session);
    this.findRegions(session, this.running.signal);
  }

  /** Shows a query's products; those that are known already at once, and where they were left. */
  show(query, { back = false } = {}) {
    const session = this.sessions.of(query);
    if (session !== this.current) this.start(session, { back });
  }

  forget(query) {
    this.sessions.forget(query);
    if (this.current && this.sessions.of(this.current.query) !== this.current) this.current = null;
  }

  leave() {
    this.remember();
    this.running.abort();
    this.current = null;
    this.results.busy(false);
    this.results.found.hidden = true;
  }

  /** Keeps where the visitor is in the results, for the way back. */
  remember() {
    const key = document.activeElement?.dataset?.key;
    if (this.current?.answer && key) this.current.focused = key;
  }

  async start(session, { back = false } = {}) {
    this.remember();
    this.running.abort();
    this.running = new AbortController();
    const { signal } = this.running;
    const before = this.current;
    this.current = session;
    this.results.showSearching();
    this.showQuery(session, signal);
    if (session.answer) {
      this.draw(session);
      this.findRegions(session, signal);
      if (back) this.restore(session);
      else scrollTo({ top: 0, behavior: "instant" });
      return;
    }
    if (before !== session) scrollTo({ top: 0, behavior: "instant" });
    const slow = setTimeout(() => this.results.showSkeletons(), SKELETONS_AFTER_MS);
    signal.addEventListener("abort", () => clearTimeout(slow));
    const onProblem = (problem) => {
      clearTimeout(slow);
      this.results.showProblem(problem);
    };
    await guarded(
      signal,
      async () => {
        await session.first(signal, onProblem);
        clearTimeout(slow);
        this.draw(session);
        this.learnFacets(session, signal);
        this.findRegions(session, signal);
      },
      onProblem,
    );
    if (!signal.aborted) this.onSettled();
  }

  draw(session) {
    for (const hit of session.hits) this.known.set(hit.product_id, hit);
    this.showAround(session);
    this.results.showProducts(session);
  }

  restore({ scrollY, focused }) {
    scrollTo({ top: scrollY, behavior: "instant" });
    if (focused === "") return;
    const nodes = [...document.querySelectorAll("[data-key]")];
    nodes.find((node) => node.dataset.key === focused)?.focus({ preventScroll: true });
  }

  async more({ byKeyboard }) {
    const session = this.current;
    const { signal } = this.running;
    if (!session?.answer || session.complete || this.results.isLoadingMore) return;
    this.results.showLoadingMore(true);
    await guarded(
      signal,
      async () => {
        const fresh = await session.next(signal);
        for (const hit of fresh) this.known.set(hit.product_id, hit);
        const first = this.results.addProducts(session, fresh);
        if (byKeyboard) first?.focus();
      },
      (problem) => this.results.showMoreProblem(problem),
    );
  }

  // ---- around the products

  showQuery({ query, photo }, signal) {
    this.results.showHeading(headingOf(query, this.known));
    this.onPicture(this.queryPicture(query, photo));
    this.parts.showQuery(query, this.currency);
    this.filters.showQuery(query);
    if (photo) this.crop.show(photo, query.photo.box);
    else this.crop.hide();
    this.showSort(query);
    this.learnProducts(query, signal);
  }

  /** What an answer says beside its hits: facets, suggestions, the part of the photo that was searched. */
  showAround({ query, answer, photo }) {
    const options = {
      inStock: Object.keys(answer.facets ?? {}).length > 0,
      variantsAsOne: this.offer("/v1/search", "group_by") && (query.variantsAsOne || hasVariants(answer)),
      samePictureOnce: this.offer("/v1/search", "collapse_duplicates"),
    };
    const { attribute_names: _, ...facets } = answer.facets ?? {};
    this.currency = facets.price?.currency ?? answer.hits[0]?.currency ?? this.currency;
    this.filters.show(query, facets, options);
    this.parts.showQuery(query, this.currency);
    this.parts.showSuggestions(query, answer);
    if (photo) this.showSearchedPart(query, answer.regions?.[0]);
  }

  /** Counts attributes that are seen for the first time; later searches ask for them at once. */
  async learnFacets(session, signal) {
    const { query, photo, answer } = session;
    const fresh = learnAttributes(answer);
    if (!answer.facets || fresh.length === 0) return;
    const learn = async () => {
      answer.facets = { ...answer.facets, ...(await countFacets(query, fresh, { photo, signal })) };
      this.showAround(session);
    };
    await guarded(signal, learn, () => {}); // the others are there
  }

  showSearchedPart({ photo }, searched) {
    const won = searched?.won === "crop" && Array.isArray(searched.box) ? searched.box : null;
    this.crop.follow(photo.box ?? (photo.whole ? null : won));
    this.crop.say(photo.box || photo.whole ? {} : searched);
  }

  showSort(query) {
    const relevance = this.sort.querySelector("[value=relevance]");
    relevance.hidden = relevance.disabled = !hasParts(query);
    this.sort.value = sortOf(query);
  }

  /** Only after the search, which the model is better used for first. */
  async findRegions({ photo }, signal) {
    if (photo?.regions) this.crop.showRegions(photo, photo.regions);
    if (!photo || photo.regions || !this.offer(REGIONS)) return;
    // a photo without objects is as good as one with them, and so is one for which nobody could say
    await guarded(
      signal,
      async () => {
        photo.regions = clearest((await regions(photo, signal)).regions);
        this.crop.showRegions(photo, photo.regions);
      },
      () => {},
    );
  }

  /** Titles and pictures of the products that a query names, where no answer has told them yet. */
  async learnProducts(query, signal) {
    const unknown = [...query.products, ...query.liked, ...query.disliked].filter((id) => !this.known.has(id));
    const learn = (id) =>
      guarded(
        signal,
        async () => {
          const { images, ...rest } = await product(id, signal);
          this.known.set(id, { ...rest, image: images[0], score: 0 });
        },
        () => {}, // the search itself shows the problem
      );
    if (unknown.length === 0) return;
    await Promise.all(unknown.map(learn));
    if (signal.aborted) return;
    this.results.showHeading(headingOf(query, this.known));
    this.onPicture(this.queryPicture(query, null));
    this.parts.showQuery(query, this.currency);
  }

  queryPicture({ products }, photo) {
    if (photo) return picture(photo.url, { lazy: false });
    const hit = this.known.get(products[0]);
    return hit ? picture(pictureUrl(hit.image.url, { small: true }), { lazy: false }) : null;
  }
}

/** A few objects to tap: those that stand out, and of those that lie in each other one. */
function clearest(found) {
  const kept = [];
  for (const region of found) {
    const stands = region.score >= found[0].score * LEAST_REGION_SCORE;
    if (stands && kept.every(({ box }) => shared(box, region.box) < MOST_SHARED)) kept.push(region);
  }
  return kept.slice(0, MOST_REGIONS);
}

/** How much of the smaller box lies in the other, 0 to 1. */
function shared(one, other) {
  const area = ([left, top, right, bottom]) => Math.max(0, right - left) * Math.max(0, bottom - top);
  const common = [
    Math.max(one[0], other[0]),
    Math.max(one[1], other[1]),
    Math.min(one[2], other[2]),
    Math.min(one[3], other[3]),
  ];
  return area(common) / Math.max(1e-9, Math.min(area(one), area(other)));
}

function headingOf(query, known) {
  const { texts, photo, products, liked, disliked } = query;
  if (photo) return text("headingPhoto");
  if (products.length > 0) {
    const hit = known.get(products[0]);
    return hit ? text("headingSimilar", { title: hit.title }) : text("similarTitle");
  }
  if (texts.length > 0) return text("quoted", { words: texts[0] });
  return text(liked.length + disliked.length > 0 ? "headingLiked" : "headingAll");
}

function hasVariants({ hits }) {
  return hits.some(({ item_group_id: group }) => Boolean(group));
}

/** The whole catalog. */
export const ALL = changed(EMPTY, { all: true });
