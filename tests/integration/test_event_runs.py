"""Events applied to a real embedded store: what is embedded, what holds against feeds, what a failure costs."""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from indexer.embedding.port import Embedder
from indexer.errors import ConfigurationError, ImageFetchFailed, ModelFailed, StoreUnavailable
from indexer.events.apply import EventApplier
from indexer.events.follow import Follower, FollowOptions
from indexer.events.overlay import EventOverlay
from indexer.events.pending import retry_events
from indexer.events.port import EventLog, ProductEvent
from indexer.events.retries import RetryPace
from indexer.events.sqlite import SqliteEventLog
from indexer.images.decoder import InProcessDecoder
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.limits import ImageLimits
from indexer.images.source import FetchedImage, ImagesByReference, LocalImages
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.run import IndexOptions, index_feed
from indexer.ledger.port import Counts, RunRecord, RunState, Stage
from indexer.ledger.sqlite import SqliteLedger
from indexer.points import PointPayload
from indexer.requests.port import RequestState, RunOrder
from indexer.requests.sqlite import SqliteWorkQueue
from indexer.store.edge_store import EdgeStore
from indexer.store.edge_writer import EdgeWriter
from indexer.store.tuning import IndexTuning
from tests.events import OneLog, at, delete, patch, upsert
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, drawn_picture, encoded, write_feed

LIMITS = ImageLimits()


class CountingImages:
    """The real source of pictures, which notes what is fetched."""

    def __init__(self, source: ImagesByReference) -> None:
        self._source = source
        self.fetched: list[str] = []

    def fetch(self, image_ref: str, image_root: str) -> FetchedImage:
        self.fetched.append(image_ref)
        return self._source.fetch(image_ref, image_root)

    def fetch_changed(self, image_ref: str, image_root: str, validator: str) -> FetchedImage | None:
        self.fetched.append(image_ref)
        return self._source.fetch_changed(image_ref, image_root, validator)

    def begin(self, image_ref: str, image_root: str, validator: str) -> Future[FetchedImage | None] | None:
        download = self._source.begin(image_ref, image_root, validator)
        if download is not None:
            self.fetched.append(image_ref)
        return download


@dataclass(frozen=True, slots=True)
class EventShop:
    """An embedded installation with its event log."""

    parts: IndexParts
    log: EventLog
    queue: SqliteWorkQueue
    images: CountingImages
    follower: Follower
    said: list[str]

    def index(self, feed: Path, *, full: bool = False) -> RunRecord:
        return index_feed(feed, IndexOptions(full=full, batch_products=4), InlineDispatcher(self.parts))

    def send(self, *events: ProductEvent) -> None:
        self.log.append(events)
        self.follower.apply_pending()

    def payloads(self, product_id: str) -> list[PointPayload]:
        found = self.parts.store.reader(self.parts.alias).product_points([product_id])
        return [point.payload for point in found.get(product_id, ())]

    def counts(self) -> Counts:
        """Of today's run of events."""
        return next(run for run in self.parts.ledger.runs() if run.plan.is_events).counts


@pytest.fixture
def open_shop(tmp_path: Path, tiny_embedder: Embedder) -> Iterator[Callable[..., EventShop]]:
    with ExitStack() as stack:

        def open_it(embedder: Embedder = tiny_embedder) -> EventShop:
            data = tmp_path / "data"
            log, ledger = SqliteEventLog(data / "events.sqlite3"), SqliteLedger(data / "ledger.sqlite3")
            queue = SqliteWorkQueue(data / "requests.sqlite3")
            store = EdgeStore(data / "store", IndexTuning(exact_below=500), follow_s=0)
            remote = RemoteImages(LIMITS, DownloadLimits(timeout_s=2))
            for part in (log, ledger, queue, store, remote):
                stack.callback(part.close)
            images = CountingImages(ImagesByReference(LocalImages(LIMITS), remote))
            pipeline = stack.enter_context(
                IndexPipeline(
                    embedder, images, InProcessDecoder(LIMITS), image_threads=4, events=lambda _: EventOverlay(log)
                )
            )
            parts = IndexParts(embedder, store, ledger, pipeline, "products")
            said: list[str] = []
            options = FollowOptions(gather_s=0.0, batch_products=4, retry_pace=RetryPace(8, 0.05, 0.2))
            follower = Follower(parts, OneLog(log), queue, options, said.append)
            return EventShop(parts, log, queue, images, follower, said)

        yield open_it


@pytest.fixture
def shop(open_shop: Callable[..., EventShop]) -> EventShop:
    return open_shop()


@pytest.fixture
def catalog(tmp_path: Path) -> DrawnCatalog:
    drawn = draw_catalog(tmp_path / "catalog", products=6, pictures=2)
    written(drawn, -1000)
    return drawn


def written(catalog: DrawnCatalog, seconds: float) -> None:
    """Lets the feed's file be of some time."""
    moment = at(seconds).timestamp()
    os.utime(catalog.feed, (moment, moment))


def picture(catalog: DrawnCatalog, name: str, seed: int) -> str:
    (catalog.folder / name).write_bytes(encoded(drawn_picture(seed)))
    return name


def test_an_upsert_is_embedded_published_and_updated(shop: EventShop, catalog: DrawnCatalog) -> None:
    refs = [picture(catalog, f"new-{number}.jpg", 900 + number) for number in range(2)]
    root = str(catalog.folder)
    shop.send(upsert("n1", 0, *refs, root=root, price_minor=100, currency="EUR"))
    assert [(item.position, item.price_minor) for item in shop.payloads("n1")] == [(0, 100), (1, 100)]
    assert shop.counts() == Counts(rows=1, products=1, images=2, embedded=2)
    shop.send(upsert("n1", 1, refs[1], root=root, price_minor=200, currency="EUR"))
    assert [(item.image_ref, item.price_minor) for item in shop.payloads("n1")] == [(refs[1], 200)]
    assert shop.counts().embedded == 2
    shop.send(delete("n1", 2))
    assert shop.payloads("n1") == []


def test_changed_fields_fetch_nothing_and_embed_nothing(shop: EventShop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    shop.images.fetched.clear()
    shop.send(
        patch("p1", 0, price_minor=777, in_stock=None),
        patch("p2", 0, category=["A", "B"], attributes={"size": "L"}, title="Новое"),
    )
    assert shop.images.fetched == []
    assert {(item.price_minor, item.in_stock, item.currency) for item in shop.payloads("p1")} == {(777, None, "EUR")}
    (two,) = {(item.title, item.category, item.attributes["size"]) for item in shop.payloads("p2")}
    assert two == ("Новое", ("A", "B"), "L")
    assert shop.counts() == Counts(rows=2, products=2, payload_updates=4)
    # nor do they behind an upsert that is in the store already, and then it is the upsert that they change
    shop.send(upsert("p3", 1, "images/p3-0.jpg", root=str(catalog.folder), brand="Own"))
    shop.images.fetched.clear()
    shop.send(patch("p3", 2, price_minor=5, currency="USD"))
    assert shop.images.fetched == []
    (three,) = shop.payloads("p3")
    assert (three.brand, three.price_minor, three.currency) == ("Own", 5, "USD")


def test_a_patch_of_an_unknown_product_waits_for_it(shop: EventShop, catalog: DrawnCatalog) -> None:
    shop.send(patch("p4", 0, price_minor=4242))
    assert shop.counts() == Counts(rows=1)
    shop.index(catalog.feed)
    assert {item.price_minor for item in shop.payloads("p4")} == {4242}


def test_an_old_event_after_a_new_one_changes_nothing(shop: EventShop, catalog: DrawnCatalog) -> None:
    root = str(catalog.folder)
    shop.send(upsert("p1", 10, "images/p1-0.jpg", root=root, price_minor=10, currency="EUR"))
    shop.send(upsert("p1", 5, "images/p1-1.jpg", root=root, price_minor=5, currency="EUR"), delete("p1", 6))
    shop.send(patch("p1", 7, price_minor=7))
    (only,) = shop.payloads("p1")
    assert (only.price_minor, only.image_ref) == (10, "images/p1-0.jpg")
    assert shop.counts().rows == 1


def test_any_order_of_delivery_leaves_the_same_products(
    tmp_path: Path, open_shop: Callable[..., EventShop], catalog: DrawnCatalog
) -> None:
    shop, root = open_shop(), str(catalog.folder)
    events = {
        suffix: [
            upsert(f"p0{suffix}", 1, "images/p0-0.jpg", root=root, price_minor=1),
            patch(f"p0{suffix}", 2, price_minor=2),
            upsert(f"p0{suffix}", 3, "images/p0-1.jpg", root=root, price_minor=3),
            patch(f"p0{suffix}", 4, title="Four"),
        ]
        for suffix in ("a", "b", "c", "d")
    }
    rng = random.Random(3)
    for group in events.values():
        rng.shuffle(group)
        for event in group:
            shop.send(event)
    found = {
        tuple((item.title, item.price_minor, item.image_ref) for item in shop.payloads(f"p0{suffix}"))
        for suffix in events
    }
    assert found == {(("Four", 3, "images/p0-1.jpg"),)}


def test_a_feed_brings_back_neither_what_was_deleted_nor_an_old_price(shop: EventShop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    new = picture(catalog, "new.jpg", 77)
    shop.send(
        delete("p0", 0),
        patch("p1", 0, price_minor=9999),
        upsert("p2", 0, new, root=str(catalog.folder), price_minor=22),
        upsert("only-event", 0, new, root=str(catalog.folder)),
    )
    for full in (False, True):
        record = shop.index(catalog.feed, full=full)
        assert (record.counts.rows, record.counts.products, record.counts.removed) == (6, 5, 0)
        assert record.counts.embedded == record.counts.payload_updates == 0
        assert shop.payloads("p0") == []
        assert {item.price_minor for item in shop.payloads("p1")} == {9999}
        assert [(item.image_ref, item.price_minor) for item in shop.payloads("p2")] == [(new, 22)]
        assert len(shop.payloads("only-event")) == 1


def test_a_new_collection_is_filled_as_events_say(shop: EventShop, catalog: DrawnCatalog) -> None:
    """The same as above for a first index run: the overlay alone, with nothing in the store that it could rest on."""
    new = picture(catalog, "new.jpg", 77)
    shop.log.append([delete("p0", 0), patch("p1", 0, price_minor=9999), upsert("p2", 0, new, root=str(catalog.folder))])
    record = shop.index(catalog.feed)
    assert (record.counts.rows, record.counts.products, record.counts.embedded) == (6, 5, 4 * 2 + 1)
    assert shop.payloads("p0") == []
    assert {item.price_minor for item in shop.payloads("p1")} == {9999}
    assert [item.image_ref for item in shop.payloads("p2")] == [new]


def test_a_feed_that_is_newer_holds_against_events(shop: EventShop, catalog: DrawnCatalog) -> None:
    shop.send(
        delete("p0", 0),
        patch("p1", 0, price_minor=9999),
        upsert("gone", 0, "images/p3-0.jpg", root=str(catalog.folder)),
    )
    written(catalog, 5)
    shop.index(catalog.feed, full=True)
    assert len(shop.payloads("p0")) == 2
    assert {item.price_minor for item in shop.payloads("p1")} == {250}
    assert shop.payloads("gone") == []


def test_a_rows_own_version_counts_before_the_files(shop: EventShop, catalog: DrawnCatalog) -> None:
    rows = [catalog_row(number, [f"images/p{number}-0.jpg"]) for number in range(4)]
    rows[0] |= {"updated_at": at(5).isoformat()}
    rows[1] |= {"updated_at": at(-5).isoformat()}
    rows[2] |= {"updated_at": at(0).isoformat()}
    write_feed(catalog.feed, rows)
    written(catalog, 100)
    shop.log.append([patch(f"p{number}", 0, price_minor=1) for number in range(4)])
    shop.index(catalog.feed)
    assert [shop.payloads(f"p{number}")[0].price_minor for number in range(4)] == [150, 1, 1, 450]
    # the store remembers a row's version, so that an event which comes late is known to be older
    shop.send(upsert("p0", 4, "images/p5-0.jpg", root=str(catalog.folder)), delete("p0", 3), patch("p0", 6, title="T"))
    assert [(item.image_ref, item.title) for item in shop.payloads("p0")] == [("images/p0-0.jpg", "T")]


def test_failed_pictures_are_on_record_until_they_are_mended(shop: EventShop, catalog: DrawnCatalog) -> None:
    root = str(catalog.folder)
    good = picture(catalog, "good.jpg", 5)
    (catalog.folder / "bad.jpg").write_bytes(b"no picture")
    shop.send(upsert("n1", 0, good, "bad.jpg", root=root), upsert("n2", 0, "missing.jpg", root=root))
    run = shop.parts.ledger.runs(1)[0]
    assert (run.state, run.counts.failed, run.counts.embedded) == (RunState.RUNNING, 2, 1)
    failures = shop.parts.ledger.failures(run.run_id)
    assert {(item.product_id, item.position, item.stage, item.code) for item in failures} == {
        ("n1", 1, Stage.DECODE, "image_not_an_image"),
        ("n2", 0, Stage.FETCH, "image_not_found"),
    }
    assert [line.split(",")[0] for line in shop.said] == ["2 failed"]
    picture(catalog, "bad.jpg", 6)
    assert set(retry_events(run.run_id, shop.parts.ledger, shop.log)) == {"n1", "n2"}
    shop.follower.apply_pending()
    assert [item.product_id for item in shop.parts.ledger.failures(run.run_id)] == ["n2"]
    assert len(shop.payloads("n1")) == 2
    shop.send(delete("n2", 1))
    assert shop.parts.ledger.failures(run.run_id) == []
    with pytest.raises(ConfigurationError, match="Nothing"):
        retry_events(run.run_id, shop.parts.ledger, shop.log)


class _Breaking:
    """The tiny embedder, which fails on black pictures, or for good."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.space, self.label_scale, self.description = embedder.space, embedder.label_scale, embedder.description
        self.prepare_image, self.square = embedder.prepare_image, embedder.square
        self.is_broken = False

    def embed_images(self, pixels: Any) -> Any:
        if self.is_broken or bool((pixels.max(axis=(1, 2, 3)) == 0).any()):
            raise ModelFailed("The model failed.")
        return self._embedder.embed_images(pixels)

    def embed_texts(self, texts: Sequence[str]) -> Any:
        if self.is_broken:
            raise ModelFailed("The model failed.")
        return self._embedder.embed_texts(texts)


def test_a_picture_that_breaks_the_model_does_not_stop_the_events_behind_it(
    open_shop: Callable[..., EventShop], catalog: DrawnCatalog, tiny_embedder: Embedder
) -> None:
    (catalog.folder / "black.png").write_bytes(encoded(Image.new("RGB", (64, 64)), "PNG"))
    breaking = _Breaking(tiny_embedder)
    shop, root = open_shop(breaking), str(catalog.folder)
    shop.send(upsert("black", 0, "black.png", root=root), upsert("ok", 0, "images/p1-0.jpg", root=root))
    shop.send(upsert("black2", 0, "black.png", root=root))
    assert (len(shop.payloads("ok")), shop.payloads("black")) == (1, [])
    failures = shop.parts.ledger.failures(shop.parts.ledger.runs(1)[0].run_id)
    assert {(item.product_id, item.stage, item.code) for item in failures} == {
        ("black", Stage.EMBED, "model_failed"),
        ("black2", Stage.EMBED, "model_failed"),
    }
    breaking.is_broken = True
    with pytest.raises(ModelFailed):
        shop.send(upsert("later", 1, "images/p2-0.jpg", root=root))
    breaking.is_broken = False
    shop.follower.apply_pending()
    assert len(shop.payloads("later")) == 1


def test_an_event_that_arrives_while_another_is_applied_is_applied_too(
    shop: EventShop, catalog: DrawnCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading the log and the end of writing, the product is deleted, and another one changed again."""
    shop.index(catalog.feed)
    fetch = shop.images.fetch
    late = itertools.count()

    def fetch_late(image_ref: str, image_root: str) -> FetchedImage:
        if next(late) == 0:
            shop.log.append([delete("n1", 1), patch("p1", 1, price_minor=2)])
        return fetch(image_ref, image_root)

    monkeypatch.setattr(shop.images, "fetch", fetch_late)
    shop.log.append([upsert("n1", 0, "images/p5-0.jpg", root=str(catalog.folder)), patch("p1", 0, price_minor=1)])
    writer = shop.parts.store.writer(shop.parts.alias, shop.parts.embedder.space)
    applier = EventApplier(shop.log, shop.parts.pipeline, shop.parts.embedder)
    try:
        applier.apply(["n1", "p1"], 1, writer)
        writer.publish()
    finally:
        writer.close()
    assert shop.payloads("n1") == []
    assert {item.price_minor for item in shop.payloads("p1")} == {2}


def test_a_feeds_batch_does_not_overwrite_an_event_that_overtook_it(
    shop: EventShop, catalog: DrawnCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the feed's batch is fetched, events arrive and are applied by another process, before the batch writes."""
    shop.index(catalog.feed)
    changed = [catalog_row(number, [f"images/p{number}-0.jpg"]) | {"title": "New"} for number in range(4)]
    write_feed(catalog.feed, changed)
    written(catalog, -10)
    fetch = shop.images.fetch
    late = itertools.count()

    def fetch_late(image_ref: str, image_root: str) -> FetchedImage:
        if next(late) == 0:
            shop.log.append([delete("p0", 0), patch("p1", 0, price_minor=1)])
        return fetch(image_ref, image_root)

    monkeypatch.setattr(shop.images, "fetch", fetch_late)
    shop.index(catalog.feed)
    assert shop.payloads("p0") == []
    assert {(item.title, item.price_minor) for item in shop.payloads("p1")} == {("New", 1)}


def test_what_was_not_published_is_applied_again(
    open_shop: Callable[..., EventShop], catalog: DrawnCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, root = open_shop(), str(catalog.folder)
    shop.send(upsert("n0", 0, "images/p0-0.jpg", root=root))
    before = shop.log.applied(shop.parts.alias.name)

    def full_disk(self: EdgeWriter) -> bool:
        raise StoreUnavailable("No space left on device.")

    monkeypatch.setattr(EdgeWriter, "publish", full_disk)
    with pytest.raises(StoreUnavailable):
        shop.send(*(upsert(f"n{n}", 0, f"images/p{n}-0.jpg", root=root) for n in range(1, 6)), delete("n0", 1))
    assert shop.log.applied(shop.parts.alias.name) == before
    assert (len(shop.payloads("n0")), shop.payloads("n1")) == (1, [])
    monkeypatch.undo()
    other = open_shop()
    assert other.follower.apply_pending() == 6
    assert other.log.applied(other.parts.alias.name).sequence == other.log.position()
    assert (other.payloads("n0"), [len(other.payloads(f"n{n}")) for n in range(1, 6)]) == ([], [1] * 5)
    assert other.counts().embedded == 6  # each picture once, in spite of it all


def test_a_requested_run_is_done_and_its_failure_told(shop: EventShop, catalog: DrawnCatalog) -> None:
    good = shop.queue.request_run(RunOrder(feed=str(catalog.feed), full=True))
    bad = shop.queue.request_run(RunOrder(feed=str(catalog.folder / "nope.xml")))
    lost = shop.queue.request_run(RunOrder(retry_of="nope"))
    while (request := shop.queue.oldest()) is not None:
        shop.follower.carry_out(request)
    done = shop.queue.request(good.request_id)
    assert (done.state, done.fraction, shop.parts.ledger.run(done.run_id).counts.products) == (
        RequestState.FINISHED,
        1.0,
        6,
    )
    failed = [shop.queue.request(item.request_id) for item in (bad, lost)]
    assert [item.state for item in failed] == [RequestState.FAILED] * 2
    assert "nope.xml" in failed[0].reason
    assert [item.request_id for item in shop.queue.requests(2)] == [lost.request_id, bad.request_id]


def test_following_goes_on_behind_a_part_that_was_away(shop: EventShop, catalog: DrawnCatalog) -> None:
    """Another process is writing: that is told once, and waited for."""
    shop.log.append([upsert("n1", 0, "images/p1-0.jpg", root=str(catalog.folder))])
    writer = shop.parts.store.writer(shop.parts.alias, shop.parts.embedder.space)
    stop = threading.Event()
    thread = threading.Thread(target=shop.follower.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: any("Waiting" in line for line in shop.said))
        writer.close()
        wait_until(lambda: shop.log.applied(shop.parts.alias.name).sequence == 1)
    finally:
        stop.set()
        thread.join()
    assert sum("Waiting" in line for line in shop.said) == 1
    assert len(shop.payloads("n1")) == 1


@pytest.mark.parametrize("small_runs", [1, 3])
def test_events_between_an_interrupted_run_and_its_resumption(
    shop: EventShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_runs: int
) -> None:
    """What the run had acknowledged is neither lost nor embedded again, and the events hold."""
    catalog = draw_catalog(tmp_path / "large", products=40)
    written(catalog, -1000)
    fetch = shop.images.fetch

    def breaks_off(image_ref: str, image_root: str) -> FetchedImage:
        if "p30-" in image_ref:
            raise RuntimeError("killed")
        return fetch(image_ref, image_root)

    monkeypatch.setattr(shop.images, "fetch", breaks_off)
    with pytest.raises(RuntimeError):
        shop.index(catalog.feed)
    monkeypatch.undo()
    interrupted = shop.parts.ledger.runs(1)[0]
    assert (interrupted.state, interrupted.batches > 2) == (RunState.RUNNING, True)
    for number in range(small_runs):
        shop.send(patch("p1", number, price_minor=number), patch("p39", number, price_minor=number))
    shop.send(delete("p0", 0), delete("p38", 0))
    record = shop.index(catalog.feed)
    assert (record.run_id, record.state, record.counts.rows) == (interrupted.run_id, RunState.FINISHED, 40)
    assert sorted(number for number in range(40) if not shop.payloads(f"p{number}")) == [0, 38]
    assert {shop.payloads(f"p{number}")[0].price_minor for number in (1, 39)} == {small_runs - 1}
    pictures = {item.image_sha256 for number in range(40) for item in shop.payloads(f"p{number}")}
    assert len(pictures) == shop.parts.store.reader(shop.parts.alias).status().points == 38
    assert shop.counts().embedded == 0


def test_a_picture_whose_host_is_away_is_tried_again_by_itself(
    shop: EventShop, catalog: DrawnCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = shop.images.fetch
    tried: list[str] = []

    def fetch_later(image_ref: str, image_root: str) -> FetchedImage:
        tried.append(image_ref)
        if len(tried) <= 3:
            raise ImageFetchFailed("The host is away.")
        return fetch(image_ref, image_root)

    monkeypatch.setattr(shop.images, "fetch", fetch_later)
    stop = threading.Event()
    thread = threading.Thread(target=shop.follower.run, args=(stop,))
    thread.start()
    try:
        shop.log.append([upsert("n1", 0, "images/p1-0.jpg", root=str(catalog.folder))])
        wait_until(lambda: len(tried) == 4 and shop.log.applied(shop.parts.alias.name).sequence == shop.log.position())
    finally:
        stop.set()
        thread.join()
    assert len(shop.payloads("n1")) == 1
    assert shop.parts.ledger.failures(shop.parts.ledger.runs(1)[0].run_id) == []


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
