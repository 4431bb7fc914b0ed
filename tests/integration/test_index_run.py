"""Index runs end to end: what is embedded, what is not again, what is removed, what a failure costs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.embedding.port import Embedder, LabelScale, Pixels
from indexer.errors import (
    CollectionOutdated,
    ConfigurationError,
    FeedNotFound,
    ModelFailed,
    RunNotFound,
    StoreUnavailable,
)
from indexer.images.squares import Square
from indexer.indexing import group_commit
from indexer.indexing.progress import IndexProgress, Phase
from indexer.ledger.port import Counts, RunState, Stage
from indexer.points import StoredPoint, Vectors, point_id
from indexer.spaces import EmbeddingSpace
from indexer.store.edge_shard import EdgeShard
from indexer.store.filters import AnyOf
from indexer.store.queries import FacetQuery, OrderedQuery, SearchQuery
from tests.earlier import version_before_filters
from tests.integration.conftest import Shop
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, drawn_picture, encoded, write_feed


@pytest.fixture
def catalog(tmp_path: Path) -> DrawnCatalog:
    return draw_catalog(tmp_path / "catalog", products=10, pictures=2)


def rows(numbers: Sequence[int], pictures: int = 2) -> list[dict[str, Any]]:
    return [
        catalog_row(number, [f"images/p{number}-{position}.jpg" for position in range(pictures)]) for number in numbers
    ]


def state_of(shop: Shop) -> dict[str, tuple[StoredPoint, ...]]:
    reader = shop.reader()
    return dict(reader.product_points([f"p{number}" for number in range(40)]))


def test_every_picture_becomes_a_point_that_finds_itself(shop: Shop, catalog: DrawnCatalog) -> None:
    record = shop.index(catalog.feed)
    assert record.state is RunState.FINISHED
    assert record.counts == Counts(rows=10, products=10, images=20, embedded=20)
    reader = shop.reader()
    assert reader.status().points == 20
    for product in (0, 7):
        picture = Image.open(catalog.picture(product, 1)).convert("RGB")
        vector = shop.parts.embedder.embed_images(shop.parts.embedder.prepare_image(picture)[None])[0]
        (hit,) = reader.search(SearchQuery(vector, 1)).hits
        assert (hit.product_id, hit.point.payload.position) == (f"p{product}", 1)
        assert hit.score == pytest.approx(1, abs=1e-3)
        assert hit.point.payload.price_minor == (product + 1) * 100 + 50
        assert (hit.point.payload.width_px, hit.point.payload.height_px) == picture.size


def test_indexing_the_same_again_changes_nothing(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    before, collection = state_of(shop), shop.reader().status().collection
    record = shop.index(catalog.feed)
    assert record.counts == Counts(rows=10, products=10, images=20, reused=20, unchanged=20)
    assert state_of(shop) == before
    assert shop.reader().status().collection == collection


def test_a_new_price_is_a_payload_update_without_embedding(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    changed = rows(range(10))
    changed[3]["price"] = "99.00 EUR"
    write_feed(catalog.feed, changed)
    record = shop.index(catalog.feed)
    assert record.counts == Counts(rows=10, products=10, images=20, reused=20, payload_updates=2, unchanged=18)
    assert {point.payload.price_minor for point in state_of(shop)["p3"]} == {9900}


def test_a_changed_picture_replaces_its_point(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    before = state_of(shop)["p4"]
    catalog.picture(4, 0).write_bytes(encoded(drawn_picture(9999)))
    record = shop.index(catalog.feed)
    assert (record.counts.embedded, record.counts.removed, record.counts.unchanged) == (1, 1, 19)
    after = state_of(shop)["p4"]
    assert [point.payload.position for point in after] == [0, 1]
    assert after[0].id != before[0].id
    assert after[1] == before[1]
    assert shop.reader().status().points == 20


def test_pictures_that_change_places_are_not_embedded_again(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    first, second = catalog.picture(2, 0), catalog.picture(2, 1)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    record = shop.index(catalog.feed)
    assert (record.counts.embedded, record.counts.payload_updates, record.counts.removed) == (0, 2, 0)


def test_a_picture_that_left_the_product_is_removed(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    write_feed(catalog.feed, rows(range(10), pictures=1))
    record = shop.index(catalog.feed)
    assert record.counts.removed == 10
    assert shop.reader().status().points == 10


def test_the_same_picture_twice_in_a_product_is_one_point(shop: Shop, catalog: DrawnCatalog) -> None:
    shutil.copy(catalog.picture(1, 0), catalog.picture(1, 1))
    record = shop.index(catalog.feed)
    assert (record.counts.embedded, record.counts.reused) == (19, 1)
    assert [point.payload.position for point in state_of(shop)["p1"]] == [0]


def test_the_same_picture_in_two_products_is_embedded_once(shop: Shop, catalog: DrawnCatalog) -> None:
    shutil.copy(catalog.picture(1, 0), catalog.picture(2, 0))
    record = shop.index(catalog.feed, batch=20)
    assert (record.counts.embedded, record.counts.reused) == (19, 1)
    assert len(state_of(shop)["p1"]) == len(state_of(shop)["p2"]) == 2


def test_ids_are_those_of_product_and_content(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    for product_id, points in state_of(shop).items():
        for point in points:
            assert point.id == point_id(product_id, point.payload.image_sha256)


def test_without_full_products_that_left_the_feed_stay(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    write_feed(catalog.feed, rows(range(5)))
    shop.index(catalog.feed)
    assert len(state_of(shop)) == 10


def test_full_removes_what_left_the_feed(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    write_feed(catalog.feed, rows([0, 1, 2, 3, 4, 8]))
    record = shop.index(catalog.feed, full=True)
    assert record.counts.removed == 8
    assert sorted(state_of(shop)) == ["p0", "p1", "p2", "p3", "p4", "p8"]


def test_full_keeps_products_whose_row_is_bad_today(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    bad = rows(range(9))
    bad[4]["price"] = "twelve"
    write_feed(catalog.feed, bad)
    record = shop.index(catalog.feed, full=True)
    assert record.counts.failed == 1
    assert sorted(state_of(shop)) == [f"p{number}" for number in range(9)]


def test_full_with_nothing_readable_removes_nothing(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    write_feed(catalog.feed, [{"id": "p0", "title": "", "image_link": ""}])
    record = shop.index(catalog.feed, full=True)
    assert record.state is RunState.FAILED
    assert "nothing was removed" in record.reason
    assert len(state_of(shop)) == 10


def test_full_with_a_limit_is_refused(shop: Shop, catalog: DrawnCatalog) -> None:
    with pytest.raises(ConfigurationError, match="limit"):
        shop.index(catalog.feed, full=True, limit=3)


def test_the_limit_is_exact(shop: Shop, catalog: DrawnCatalog) -> None:
    assert shop.index(catalog.feed, limit=7).counts.products == 7
    assert len(state_of(shop)) == 7


def test_failed_pictures_cost_nothing_else_and_are_listed(shop: Shop, catalog: DrawnCatalog) -> None:
    catalog.picture(1, 0).write_bytes(b"")
    catalog.picture(2, 1).unlink()
    catalog.picture(3, 0).write_bytes(catalog.picture(3, 0).read_bytes()[:300])
    catalog.picture(4, 1).write_bytes(b"no picture at all")
    record = shop.index(catalog.feed)
    assert record.state is RunState.FINISHED
    assert (record.counts.embedded, record.counts.failed) == (16, 4)
    listed = [
        (failure.product_id, failure.position, failure.stage, failure.code, failure.line)
        for failure in shop.parts.ledger.failures(record.run_id)
    ]
    assert listed == [
        ("p1", 0, Stage.DECODE, "image_empty", 2),
        ("p2", 1, Stage.FETCH, "image_not_found", 3),
        ("p3", 0, Stage.DECODE, "image_damaged", 4),
        ("p4", 1, Stage.DECODE, "image_not_an_image", 5),
    ]
    assert {len(points) for points in state_of(shop).values()} == {1, 2}


def test_a_retry_indexes_what_failed_and_nothing_else(shop: Shop, catalog: DrawnCatalog) -> None:
    good = {product: catalog.picture(product, 0).read_bytes() for product in (1, 3)}
    for product in good:
        catalog.picture(product, 0).write_bytes(b"")
    run_id = shop.index(catalog.feed).run_id
    catalog.picture(1, 0).write_bytes(good[1])
    record = shop.retry(run_id)
    assert (record.counts.products, record.counts.embedded, record.counts.failed) == (2, 1, 1)
    assert [failure.product_id for failure in shop.parts.ledger.failures(run_id)] == ["p3"]
    catalog.picture(3, 0).write_bytes(good[3])
    assert shop.retry(run_id).counts.failed == 0
    assert shop.parts.ledger.failures(run_id) == []
    assert shop.reader().status().points == 20
    with pytest.raises(ConfigurationError, match="can be retried"):
        shop.retry(run_id)
    with pytest.raises(RunNotFound):
        shop.retry("nope")


def test_a_picture_that_fails_later_keeps_its_old_point_with_the_new_price(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    before = state_of(shop)["p1"]
    catalog.picture(1, 0).write_bytes(b"")
    changed = rows(range(10))
    changed[1]["price"] = "7.77 EUR"
    write_feed(catalog.feed, changed)
    record = shop.index(catalog.feed)
    assert (record.counts.failed, record.counts.removed, record.counts.payload_updates) == (1, 0, 2)
    after = state_of(shop)["p1"]
    assert [point.id for point in after] == [point.id for point in before]
    assert {point.payload.price_minor for point in after} == {777}


def test_bad_rows_are_listed_and_the_rest_is_indexed(shop: Shop, catalog: DrawnCatalog) -> None:
    with catalog.feed.open("a") as file:
        file.write("{broken\n")
        file.write('{"id": "p77", "title": "No picture"}\n')
    record = shop.index(catalog.feed)
    assert (record.counts.rows, record.counts.products, record.counts.failed) == (12, 10, 2)
    failures = shop.parts.ledger.failures(record.run_id)
    assert [(failure.line, failure.stage, failure.code) for failure in failures] == [
        (11, Stage.READ, "feed_row_invalid"),
        (12, Stage.READ, "feed_row_invalid"),
    ]
    with pytest.raises(ConfigurationError, match="mended in the feed"):
        shop.retry(record.run_id)


def test_a_feed_that_breaks_off_keeps_what_was_read(shop: Shop, catalog: DrawnCatalog) -> None:
    items = "".join(
        f"<item><g:id>p{number}</g:id><g:title>T</g:title><g:image_link>images/p{number}-0.jpg</g:image_link></item>"
        for number in range(10)
    )
    feed = catalog.folder / "feed.xml"
    feed.write_text(f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{items}<item><g:id>', "utf-8")
    record = shop.index(feed, full=True)
    assert record.state is RunState.FAILED
    assert record.counts.products == 10
    assert record.reason
    assert shop.reader().status().points == 10


def test_an_unreadable_feed_stops_with_its_reason(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(FeedNotFound, match=r"nope\.xml"):
        shop.index(tmp_path / "nope.xml")


class _FailingEmbedder:
    """The tiny embedder, failing where a test wants it to."""

    def __init__(self, embedder: Embedder, fails: Callable[[Pixels], bool]) -> None:
        self._embedder = embedder
        self._fails = fails

    @property
    def space(self) -> EmbeddingSpace:
        return self._embedder.space

    @property
    def label_scale(self) -> LabelScale:
        return self._embedder.label_scale

    @property
    def description(self) -> str:
        return self._embedder.description

    @property
    def square(self) -> Square:
        return self._embedder.square

    def prepare_image(self, image: Image.Image) -> Pixels:
        return self._embedder.prepare_image(image)

    def embed_images(self, pixels: Pixels) -> Vectors:
        if self._fails(pixels):
            raise ModelFailed("The model failed.")
        return self._embedder.embed_images(pixels)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.embed_texts(texts)


def test_a_picture_that_breaks_the_model_costs_only_itself(
    open_shop: Callable[..., Shop], catalog: DrawnCatalog, tiny_embedder: Embedder
) -> None:
    black = encoded(Image.new("RGB", (64, 64)), "PNG")
    catalog.picture(5, 0).write_bytes(black)
    shop = open_shop(_FailingEmbedder(tiny_embedder, lambda pixels: bool((pixels.max(axis=(1, 2, 3)) == 0).any())))
    record = shop.index(catalog.feed)
    assert (record.counts.embedded, record.counts.failed) == (19, 1)
    (failure,) = shop.parts.ledger.failures(record.run_id)
    assert (failure.product_id, failure.position, failure.stage, failure.code) == ("p5", 0, Stage.EMBED, "model_failed")


def test_a_model_that_fails_for_good_stops_the_run_and_it_resumes(
    open_shop: Callable[..., Shop], catalog: DrawnCatalog, tiny_embedder: Embedder
) -> None:
    calls = 0

    def fails_after_two(pixels: Pixels) -> bool:
        nonlocal calls
        calls += 1
        return calls > 2

    broken = open_shop(_FailingEmbedder(tiny_embedder, fails_after_two))
    with pytest.raises(ModelFailed):
        broken.index(catalog.feed)
    interrupted = broken.parts.ledger.runs(1)[0]
    assert interrupted.state is RunState.RUNNING
    record = open_shop().index(catalog.feed)
    assert record.run_id == interrupted.run_id
    assert record.counts == Counts(rows=10, products=10, images=20, embedded=20)
    assert open_shop().reader().status().points == 20


@pytest.mark.parametrize("together", [1, 3])
def test_a_run_resumes_after_a_store_failure_without_repeating_batches(
    open_shop: Callable[..., Shop], catalog: DrawnCatalog, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    upsert, calls, written = EdgeShard.upsert, 0, 0

    def full_disk(self: EdgeShard, points: Any) -> None:
        nonlocal calls, written
        calls += 1
        if calls > 2:
            raise StoreUnavailable("No space left on device.")
        upsert(self, points)
        written += len(points)

    monkeypatch.setattr(group_commit, "MOST_TOGETHER", together)

    monkeypatch.setattr(EdgeShard, "upsert", full_disk)
    with pytest.raises(StoreUnavailable):
        open_shop().index(catalog.feed, batch=2)
    monkeypatch.undo()
    shop = open_shop()
    interrupted = shop.parts.ledger.runs(1)[0]
    assert interrupted.batches == 2 if together == 1 else 2 <= interrupted.batches <= 6
    assert interrupted.counts.embedded == written
    embedded: list[int] = []

    def never_fails(pixels: Pixels) -> bool:
        embedded.append(len(pixels))
        return False

    counted = _FailingEmbedder(shop.parts.embedder, never_fails)
    record = open_shop(counted).index(catalog.feed, batch=2)
    assert record.run_id == interrupted.run_id
    assert record.counts == Counts(rows=10, products=10, images=20, embedded=20)
    assert sum(embedded) == 20 - interrupted.counts.embedded
    assert shop.reader().status().points == 20


def test_what_an_abandoned_run_wrote_is_not_embedded_again(
    open_shop: Callable[..., Shop], catalog: DrawnCatalog, tiny_embedder: Embedder
) -> None:
    calls = 0

    def fails_after_two(pixels: Pixels) -> bool:
        nonlocal calls
        calls += 1
        return calls > 2

    with pytest.raises(ModelFailed):
        open_shop(_FailingEmbedder(tiny_embedder, fails_after_two)).index(catalog.feed)
    write_feed(catalog.feed, rows(range(10)) + rows([]))
    catalog.feed.touch()
    other = catalog.folder / "other.jsonl"
    write_feed(other, rows(range(10)))
    record = open_shop().index(other)
    assert record.counts.reused > 0
    assert record.counts.embedded + record.counts.reused == 20
    assert open_shop().reader().status().points == 20


def test_progress_is_told_to_the_end(shop: Shop, catalog: DrawnCatalog) -> None:
    seen: list[IndexProgress] = []
    shop.index_listening(catalog.feed, seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert seen[-1].phase is Phase.PUBLISHING
    assert seen[-1].counts.products == 10


def test_vectors_are_those_of_the_model(shop: Shop, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    points = [point for group in state_of(shop).values() for point in group]
    stored = shop.reader().vectors([point.id for point in points])
    embedder = shop.parts.embedder
    for point in points:
        picture = Image.open(catalog.folder / point.payload.image_ref).convert("RGB")
        expected = embedder.embed_images(embedder.prepare_image(picture)[None])[0]
        assert float(np.dot(stored[point.id], expected)) > 0.999  # decoded at a fraction


def test_a_collection_of_an_earlier_version_is_brought_up_to_date(shop: Shop, catalog: DrawnCatalog) -> None:
    with version_before_filters():
        shop.index(catalog.feed)
    with pytest.raises(CollectionOutdated, match="20 of 20 points"):
        shop.reader().facet(FacetQuery("category_path"))
    write_feed(catalog.feed, rows(range(7)))  # three products are in the collection and no longer in the feed
    record = shop.index(catalog.feed)
    assert (record.counts.embedded, record.counts.payload_updates, record.counts.unchanged) == (0, 14, 0)
    reader = shop.reader()
    assert reader.count_products() == 10
    assert reader.count_products(AnyOf("identifiers", ("p8",))) == 1
    assert [point.payload.position for point in reader.ordered(OrderedQuery("price_asc", 20))] == [0] * 10
    collection = reader.status().collection
    assert shop.index(catalog.feed).counts.unchanged == 14
    assert shop.reader().status().collection == collection
