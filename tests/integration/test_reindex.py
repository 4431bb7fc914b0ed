"""Reindexes: what is copied, what stops one, what searches see meanwhile; embedded and on a server."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.embedding.choice import LOCAL_DIR, ModelChoice
from indexer.embedding.load import load_embedder
from indexer.embedding.port import Embedder
from indexer.errors import FeedNotFound, PromotionImpossible, SpaceMismatch, StoreLocked, StoreUnavailable, VitrineError
from indexer.evaluation.queries import read_queries
from indexer.images.decoder import InProcessDecoder
from indexer.indexing import group_commit
from indexer.indexing.progress import IndexProgress, Phase
from indexer.ledger.port import RunState
from indexer.ledger.reindexes import ReindexState
from indexer.reindex.parts import ReindexParts
from indexer.reindex.promotion import reindexing_alone
from indexer.reindex.switch import promote_latest, prune, roll_back
from indexer.reindex.verify import Golden
from indexer.store.queries import SearchQuery
from tests.checkpoints import write_tiny_checkpoint
from tests.events import delete, patch, upsert
from tests.integration.installations import LIMITS, Installation, Site, Watch, with_limits
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, drawn_picture, encoded, write_feed

LATER_S = 3600.0
"""Events of the tests are newer than the feeds that they draw."""


@pytest.fixture
def catalog(tmp_path: Path) -> DrawnCatalog:
    return draw_catalog(tmp_path / "catalog", products=10, pictures=2)


@pytest.fixture(params=["edge", "server"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    if request.param == "edge":
        return Site(tmp_path / "data", "products")
    catalog = request.getfixturevalue("qdrant_catalog")
    return Site(tmp_path / "data", catalog, request.getfixturevalue("qdrant_url"))


@pytest.fixture
def opened(site: Site, tiny_embedder: Embedder) -> Iterator[Callable[..., Installation]]:
    """Opens the site; may be called again, as another process would."""
    with ExitStack() as stack:
        yield lambda embedder=tiny_embedder: stack.enter_context(site.opened(embedder))


@pytest.fixture
def shop(opened: Callable[..., Installation]) -> Installation:
    return opened()


def rows(numbers: list[int], *, price: str = "") -> list[dict[str, Any]]:
    made = [catalog_row(number, [f"images/p{number}-{position}.jpg" for position in range(2)]) for number in numbers]
    return [row | ({"price": price} if price else {}) for row in made]


def vectors_of(shop: Installation) -> dict[Any, Any]:
    reader = shop.store.collection_reader(shop.current)
    try:
        return dict(reader.vectors([point.id for points in shop.state().values() for point in points]))
    finally:
        reader.close()


def test_vectors_of_unchanged_pictures_are_copied(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    before, vectors, old = shop.state(), vectors_of(shop), shop.current
    record = shop.reindex(catalog.feed)
    assert (record.state, record.donor, record.reason) == (ReindexState.PROMOTED, old, "")
    counts = shop.parts.ledger.run(record.run_id).counts
    assert (counts.products, counts.images, counts.embedded, counts.reused) == (10, 20, 0, 20)
    assert shop.current == record.target != old
    assert shop.store.previous(shop.alias) == old
    assert shop.state() == before
    after = vectors_of(shop)
    assert after.keys() == vectors.keys()
    for identity, vector in vectors.items():
        np.testing.assert_allclose(after[identity], vector, atol=1e-6)
    assert {check.name for check in record.checks} == {"points", "size", "failed", "self-match@1", "recall@10"}
    assert all(check.passed for check in record.checks)


def test_the_target_is_what_the_feed_says_and_no_more(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    catalog.picture(3, 1).write_bytes(encoded(drawn_picture(7777)))
    write_feed(catalog.feed, rows([0, 1, 2, 3, 4, 5, 6], price="7.00 EUR"))
    record = shop.reindex(catalog.feed)
    counts = shop.parts.ledger.run(record.run_id).counts
    assert (counts.embedded, counts.reused) == (1, 13)
    state = shop.state()
    assert sorted(state) == [f"p{number}" for number in range(7)]
    assert {point.payload.price_minor for points in state.values() for point in points} == {700}
    assert {len(points) for points in state.values()} == {2}


def test_a_first_index_can_be_a_reindex(shop: Installation, catalog: DrawnCatalog) -> None:
    record = shop.reindex(catalog.feed)
    assert (record.state, record.donor) == (ReindexState.PROMOTED, "")
    assert len(shop.state()) == 10
    with pytest.raises(PromotionImpossible, match="no previous"):
        roll_back(shop.switch_parts())


def test_a_picture_that_cannot_be_had_today_is_copied_with_todays_price(
    shop: Installation, catalog: DrawnCatalog
) -> None:
    shop.index(catalog.feed)
    before = shop.state()["p4"]
    catalog.picture(4, 0).unlink()
    write_feed(catalog.feed, rows(list(range(10)), price="9.00 EUR"))
    record = shop.reindex(catalog.feed, limits=with_limits(max_failed_ratio=0.1))
    assert record.state is ReindexState.PROMOTED
    assert [failure.product_id for failure in shop.parts.ledger.failures(record.run_id)] == ["p4"]
    after = shop.state()["p4"]
    assert [point.id for point in after] == [point.id for point in before]
    assert {point.payload.price_minor for point in after} == {900}


def test_an_unfit_target_is_not_promoted_and_can_be_mended(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    before, old = shop.state(), shop.current
    good = {number: catalog.picture(number, 0).read_bytes() for number in range(3)}
    for number in good:
        catalog.picture(number, 0).write_bytes(b"broken")
    record = shop.reindex(catalog.feed)
    assert record.state is ReindexState.FAILED
    assert "failed is 0.150, the limit 0.020 (3 of 20 pictures)" in record.reason
    assert [check.name for check in record.checks if not check.passed] == ["failed"]
    assert (shop.current, shop.store.previous(shop.alias), shop.state()) == (old, "", before)
    with pytest.raises(PromotionImpossible, match="No verified reindex"):
        promote_latest(shop.switch_parts())
    for number, data in good.items():
        catalog.picture(number, 0).write_bytes(data)
    mended = shop.reindex(catalog.feed)
    assert (mended.reindex_id, mended.target, mended.state) == (record.reindex_id, record.target, ReindexState.PROMOTED)
    assert shop.state() == before


def test_a_feed_that_lost_most_of_its_products_is_not_promoted(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    write_feed(catalog.feed, rows([0, 1, 2]))
    record = shop.reindex(catalog.feed)
    assert record.state is ReindexState.FAILED
    assert "size is 0.300, the limit 0.500 (6 points; what serves now has 20)" in record.reason
    assert len(shop.state()) == 10


def test_a_feed_that_breaks_off_is_not_promoted(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    items = "".join(
        f"<item><g:id>p{number}</g:id><g:title>T</g:title><g:image_link>images/p{number}-0.jpg</g:image_link></item>"
        for number in range(10)
    )
    feed = catalog.folder / "feed.xml"
    feed.write_text(f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{items}<item><g:id>', "utf-8")
    record = shop.reindex(feed)
    assert (record.state, bool(record.reason)) == (ReindexState.FAILED, True)
    assert shop.parts.ledger.run(record.run_id).state is RunState.FAILED
    assert len(shop.state()["p1"]) == 2


def test_a_missing_feed_begins_nothing(shop: Installation, tmp_path: Path) -> None:
    with pytest.raises(FeedNotFound):
        shop.reindex(tmp_path / "nope.xml")
    assert shop.parts.ledger.reindexes() == []


def test_a_wrong_vector_in_the_donor_is_found_out(
    shop: Installation, catalog: DrawnCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.index(catalog.feed)
    writer = shop.store.target(shop.alias, shop.parts.embedder.space)
    writer.close()
    donated = type(writer).donated

    def spoiled(target: Any, product_ids: Any) -> Any:
        given = donated(target, product_ids)
        return {key: tuple(replace(point, vector=-point.vector) for point in points) for key, points in given.items()}

    monkeypatch.setattr(type(writer), "donated", spoiled)
    record = shop.reindex(catalog.feed)
    assert [check.name for check in record.checks if not check.passed] == ["self-match@1"]


def test_a_manual_promotion_waits_and_brings_in_events(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    old = shop.current
    record = shop.reindex(catalog.feed, promote=False)
    assert (record.state, shop.current) == (ReindexState.VERIFIED, old)
    shop.events.append([delete("p2", LATER_S), patch("p3", LATER_S, price_minor=777)])
    promoted = promote_latest(shop.switch_parts())
    assert (promoted.state, promoted.target) == (ReindexState.PROMOTED, record.target)
    state = shop.state()
    assert "p2" not in state
    assert {point.payload.price_minor for point in state["p3"]} == {777}
    with pytest.raises(PromotionImpossible, match="No verified reindex"):
        promote_latest(shop.switch_parts())


def test_a_stale_target_is_not_promoted_until_it_is_brought_up_to_date(
    shop: Installation, catalog: DrawnCatalog
) -> None:
    shop.index(catalog.feed)
    record = shop.reindex(catalog.feed, promote=False)
    write_feed(catalog.feed, rows(list(range(10)), price="5.00 EUR"))
    shop.index(catalog.feed)
    with pytest.raises(PromotionImpossible, match="could lose"):
        promote_latest(shop.switch_parts())
    again = shop.reindex(catalog.feed)
    assert (again.target, again.state) == (record.target, ReindexState.PROMOTED)
    assert {point.payload.price_minor for points in shop.state().values() for point in points} == {500}


def test_a_run_of_another_feed_beside_the_filling_keeps_it_from_serving(
    opened: Callable[..., Installation], catalog: DrawnCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened()
    first.index(catalog.feed)

    def fails(*arguments: Any) -> Any:
        raise StoreUnavailable("gone")

    monkeypatch.setattr("indexer.reindex.reindexer.Verification.run", fails)
    with pytest.raises(StoreUnavailable):
        first.reindex(catalog.feed)
    monkeypatch.undo()
    newer = catalog.folder / "newer.jsonl"
    write_feed(newer, rows(list(range(10)), price="6.00 EUR"))
    first.index(newer)
    served = first.current
    second = opened()
    record = second.reindex(catalog.feed)
    assert (record.state, second.current) == (ReindexState.VERIFIED, served)
    assert "could lose" in record.reason
    assert second.reindex(newer).state is ReindexState.PROMOTED
    assert {point.payload.price_minor for points in second.state().values() for point in points} == {600}


def test_events_during_a_reindex_hold_after_it(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    sent: set[Phase] = set()
    moments = {Phase.INDEXING: 1, Phase.PUBLISHING: 2, Phase.VERIFYING: 3, Phase.PROMOTING: 4}

    def listen(progress: IndexProgress) -> None:
        # at each phase another product is deleted, changed, and a new one comes that no feed names
        number = moments.get(progress.phase)
        if (
            number is None
            or progress.phase in sent
            or (progress.phase is Phase.INDEXING and not progress.counts.products)
        ):
            return
        sent.add(progress.phase)
        picture = f"images/new-{number}.jpg"
        (catalog.folder / picture).write_bytes(encoded(drawn_picture(5000 + number)))
        shop.events.append(
            [
                delete(f"p{number}", LATER_S),
                patch(f"p{number + 4}", LATER_S, price_minor=number),
                upsert(f"p{number + 20}", LATER_S, picture, root=str(catalog.folder)),
            ]
        )

    assert shop.reindex(catalog.feed, listen=listen).state is ReindexState.PROMOTED
    assert len(sent) == 4
    state = shop.state()
    assert sorted(state) == sorted(["p0", "p5", "p6", "p7", "p8", "p9", "p21", "p22", "p23", "p24"])
    assert {number: state[f"p{number + 4}"][0].payload.price_minor for number in range(1, 5)} == {
        1: 1,
        2: 2,
        3: 3,
        4: 4,
    }
    assert shop.events.applied(shop.alias.name).sequence == shop.events.position()


def test_a_product_that_only_events_brought_survives_a_reindex(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    (catalog.folder / "images" / "new.jpg").write_bytes(encoded(drawn_picture(4242)))
    shop.events.append([upsert("p30", LATER_S, "images/new.jpg", root=str(catalog.folder))])
    shop.reindex(catalog.feed)
    assert [point.payload.image_ref for point in shop.state()["p30"]] == ["images/new.jpg"]


def test_a_rollback_keeps_what_events_said_since(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    old = shop.current
    new = shop.reindex(catalog.feed).target
    shop.events.append([delete("p1", LATER_S), patch("p2", LATER_S, price_minor=42)])
    done = roll_back(shop.switch_parts())
    assert (done.collection, done.instead_of) == (old, new)
    assert done.products == 2
    state = shop.state()
    assert "p1" not in state
    assert {point.payload.price_minor for point in state["p2"]} == {42}
    assert shop.parts.ledger.reindexes()[0].state is ReindexState.ROLLED_BACK


def test_a_second_rollback_undoes_the_first(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    old = shop.current
    new = shop.reindex(catalog.feed).target
    assert roll_back(shop.switch_parts()).collection == old
    shop.events.append([delete("p1", LATER_S)])
    assert roll_back(shop.switch_parts()).collection == new
    assert "p1" not in shop.state()
    assert shop.parts.ledger.reindexes()[0].state is ReindexState.PROMOTED


def test_going_back_and_forth_does_not_bring_back_what_a_newer_feed_replaced(
    shop: Installation, catalog: DrawnCatalog
) -> None:
    def prices() -> set[int | None]:
        return {point.payload.price_minor for point in shop.state()["p2"]}

    shop.index(catalog.feed)
    shop.reindex(catalog.feed)
    shop.events.append([patch("p2", LATER_S, price_minor=42)])
    shop.apply_events()
    assert prices() == {42}
    write_feed(catalog.feed, rows(list(range(10)), price="9.00 EUR"))
    newer_s = time.time() + 2 * LATER_S
    os.utime(catalog.feed, (newer_s, newer_s))
    shop.index(catalog.feed)
    assert prices() == {900}
    roll_back(shop.switch_parts())
    assert prices() == {42}  # the feed was never in this one
    roll_back(shop.switch_parts())
    assert prices() == {900}
    roll_back(shop.switch_parts())
    assert prices() == {42}


def test_index_runs_after_a_reindex_do_not_cost_the_rollback(shop: Installation, catalog: DrawnCatalog) -> None:
    write_feed(catalog.feed, rows(list(range(10)), price="1.00 EUR"))
    shop.index(catalog.feed)
    old = shop.current
    write_feed(catalog.feed, rows(list(range(10)), price="2.00 EUR"))
    shop.reindex(catalog.feed)
    for price in ("3.00 EUR", "4.00 EUR"):
        write_feed(catalog.feed, rows(list(range(10)), price=price))
        shop.index(catalog.feed)
    shop.events.append([delete("p1", LATER_S)])
    now = shop.current
    done = roll_back(shop.switch_parts())
    assert (done.collection, done.instead_of, done.products) == (old, now, 1)
    state = shop.state()
    assert "p1" not in state
    assert {point.payload.price_minor for points in state.values() for point in points} == {100}
    assert roll_back(shop.switch_parts()).collection == now
    state = shop.state()
    assert "p1" not in state
    assert {point.payload.price_minor for points in state.values() for point in points} == {400}


@contextmanager
def searching(shop: Installation, site: Site, seen: Watch) -> Iterator[None]:
    """Searches in threads of their own until the block ends, as an API would: over a store of its own."""
    stop = threading.Event()
    store = site.open_store()
    reader = store.reader(shop.alias)
    queries = list(vectors_of(shop).values())[:4]

    def search(collections: list[str]) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                answer = reader.search(SearchQuery(queries[number % len(queries)], 5))
            except VitrineError as error:
                seen.problems.append(str(error))
                continue
            prices = {hit.point.payload.price_minor for hit in answer.hits}
            if len(answer.hits) != 5 or len(prices) != 1:
                seen.problems.append(f"{len(answer.hits)} hits with the prices {prices} from {answer.collection}")
            seen.answers += 1
            if answer.collection not in collections[-1:]:
                collections.append(answer.collection)

    seen.collections = [[], []]
    threads = [threading.Thread(target=search, args=(collections,)) for collections in seen.collections]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        reader.close()
        store.close()


def wait_for(seen: Watch, collection: str) -> None:
    waited = threading.Event()
    for _ in range(600):
        if all(collections[-1:] == [collection] for collections in seen.collections):
            return
        waited.wait(0.05)
    raise AssertionError(f"searches did not move to {collection}: {seen}")


def test_searches_never_fail_or_mix_while_aliases_switch(shop: Installation, site: Site, catalog: DrawnCatalog) -> None:
    write_feed(catalog.feed, rows(list(range(10)), price="1.00 EUR"))
    shop.index(catalog.feed)
    old = shop.current
    seen = Watch()
    with searching(shop, site, seen):
        wait_for(seen, old)
        write_feed(catalog.feed, rows(list(range(10)), price="2.00 EUR"))
        new = shop.reindex(catalog.feed).target
        wait_for(seen, new)
        assert roll_back(shop.switch_parts()).collection == old
        wait_for(seen, old)
        roll_back(shop.switch_parts())
        wait_for(seen, new)
        write_feed(catalog.feed, rows(list(range(10)), price="3.00 EUR"))
        last = shop.reindex(catalog.feed).target
        assert prune(shop.switch_parts()) == [old]
        wait_for(seen, last)
    assert seen.problems == []
    assert seen.collections == [[old, new, old, new, last]] * 2


def test_a_new_model_is_filled_beside_the_old_one(
    opened: Callable[..., Installation], catalog: DrawnCatalog, tmp_path: Path
) -> None:
    old = opened()
    old.index(catalog.feed)
    folder = write_tiny_checkpoint(tmp_path / "new", seed=5)
    embedder = load_embedder(ModelChoice(model=f"{LOCAL_DIR}{folder}", device="cpu", threads=1))
    new = opened(embedder)
    assert new.alias != old.alias
    with pytest.raises(SpaceMismatch):
        new.reader().status()
    before = old.current
    record = new.reindex(catalog.feed)
    assert (record.state, record.donor) == (ReindexState.PROMOTED, "")
    assert new.parts.ledger.run(record.run_id).counts.embedded == 20  # another space: nothing is copied
    assert old.current == before
    # each model finds its own pictures in its own index
    for shop in (old, new):
        for identity, vector in list(vectors_of(shop).items())[:3]:
            answer = shop.reader().search(SearchQuery(vector, 1))
            assert (answer.hits[0].point.id, answer.collection) == (identity, shop.current)
    # the old one goes on
    write_feed(catalog.feed, rows(list(range(10)), price="4.00 EUR"))
    old.reindex(catalog.feed)
    assert {point.payload.price_minor for points in old.state().values() for point in points} == {400}
    assert {point.payload.price_minor for points in new.state().values() for point in points} != {400}
    with pytest.raises(PromotionImpossible, match="no previous"):
        roll_back(new.switch_parts(), new.alias.space_id)
    assert roll_back(old.switch_parts(), old.alias.space_id).collection == before


def test_two_at_once_are_refused(opened: Callable[..., Installation], catalog: DrawnCatalog) -> None:
    first, second = opened(), opened()
    first.index(catalog.feed)
    with reindexing_alone(first.store, first.parts.ledger, first.parts.catalog):
        with pytest.raises(StoreLocked, match="under way: process"):
            second.reindex(catalog.feed)
        with pytest.raises(StoreLocked, match="under way: process"):
            roll_back(second.switch_parts())
        # what an index run wrote behind the alias now would be lost by the promotion
        with pytest.raises(StoreLocked):
            second.index(catalog.feed)
    assert second.reindex(catalog.feed).state is ReindexState.PROMOTED


def test_a_reindex_that_was_broken_off_goes_on(
    opened: Callable[..., Installation], catalog: DrawnCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened()
    first.index(catalog.feed)
    before, old = first.state(), first.current
    writes = 0
    writer = first.store.target(first.alias, first.parts.embedder.space)
    kind = type(writer)
    writer.close()
    write = kind.write

    def refuse_later(target: Any, change: Any) -> None:
        nonlocal writes
        writes += 1
        if writes > 2:
            raise StoreUnavailable("No space left on device.")
        write(target, change)

    monkeypatch.setattr(kind, "write", refuse_later)
    monkeypatch.setattr(group_commit, "MOST_TOGETHER", 1)  # else all that is ready is one write
    with pytest.raises(StoreUnavailable):
        first.reindex(catalog.feed)
    monkeypatch.undo()
    (begun,) = first.parts.ledger.reindexes()
    assert (begun.state, first.current, first.state()) == (ReindexState.FILLING, old, before)
    # a run behind the alias in between takes nothing of it up, and deletes nothing of it
    first.index(catalog.feed)
    second = opened()
    record = second.reindex(catalog.feed)
    assert (record.reindex_id, record.target, record.state) == (begun.reindex_id, begun.target, ReindexState.PROMOTED)
    assert second.parts.ledger.run(record.run_id).counts.products == 10
    assert second.state() == before


def test_a_filled_target_is_not_filled_again(
    opened: Callable[..., Installation], catalog: DrawnCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = opened()
    shop.index(catalog.feed)

    def fails(*arguments: Any) -> Any:
        raise StoreUnavailable("gone")

    monkeypatch.setattr("indexer.reindex.reindexer.Verification.run", fails)
    with pytest.raises(StoreUnavailable):
        shop.reindex(catalog.feed)
    monkeypatch.undo()
    (begun,) = shop.parts.ledger.reindexes()
    record = opened().reindex(catalog.feed)
    assert (record.run_id, record.state) == (begun.run_id, ReindexState.PROMOTED)
    assert [run.run_id for run in shop.parts.ledger.runs() if run.plan.target] == [begun.run_id]


def test_pruning_keeps_what_may_still_serve(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    first = shop.current
    second = shop.reindex(catalog.feed).target
    third = shop.reindex(catalog.feed).target
    waiting = shop.reindex(catalog.feed, promote=False).target
    assert prune(shop.switch_parts()) == [first]
    assert prune(shop.switch_parts()) == []
    write_feed(catalog.feed, rows([0, 1]))
    failed = shop.reindex(catalog.feed)
    assert (failed.target, failed.state) == (waiting, ReindexState.FAILED)
    assert prune(shop.switch_parts()) == [waiting]
    assert (shop.current, shop.store.previous(shop.alias)) == (third, second)
    # what was pruned is begun anew
    write_feed(catalog.feed, rows(list(range(10))))
    anew = shop.reindex(catalog.feed)
    assert (anew.state, anew.target != waiting or anew.reindex_id != failed.reindex_id) == (ReindexState.PROMOTED, True)


def test_golden_queries_compare_old_and_new(shop: Installation, catalog: DrawnCatalog) -> None:
    shop.index(catalog.feed)
    lines: list[dict[str, object]] = [
        {"image": f"images/p{number}-0.jpg", "relevant": [f"p{number}"]} for number in range(10)
    ]
    golden = catalog.folder / "golden.jsonl"
    write_feed(golden, lines)
    queries = read_queries(golden, where={})

    @contextmanager
    def compared() -> Iterator[Golden]:
        reader = shop.store.collection_reader(shop.current)
        try:
            yield Golden(queries, InProcessDecoder(LIMITS), shop.parts.embedder, reader)
        finally:
            reader.close()

    parts = shop.reindex_parts()
    with_golden = ReindexParts(parts.parts, parts.dispatcher, parts.catch_up, compared)
    record = shop.reindex(catalog.feed, reindex_parts=with_golden)
    (check,) = [check for check in record.checks if check.name == "golden queries"]
    assert (check.passed, check.value) == (True, 1.0)
    # products that the queries look for are sold without their pictures now
    write_feed(catalog.feed, [catalog_row(number, [f"images/p{(number + 1) % 10}-1.jpg"]) for number in range(10)])
    worse = shop.reindex(catalog.feed, reindex_parts=with_golden)
    assert worse.state is ReindexState.FAILED
    assert "golden queries" in worse.reason
