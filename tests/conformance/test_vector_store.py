"""One suite for every vector store: Qdrant Edge, qdrant-client in memory, and a server or its stand-in."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient

from indexer.errors import CollectionNotFound, SpaceMismatch
from indexer.points import Point, Vectors, with_product_fields
from indexer.store.edge_store import EdgeStore
from indexer.store.port import Alias, BatchChange, PayloadUpdate, VectorStore
from indexer.store.qdrant_gateway import QdrantGateway
from indexer.store.qdrant_options import ServerAddress, ServerOptions
from indexer.store.qdrant_store import QdrantStore
from indexer.store.queries import SearchQuery
from indexer.store.tuning import IndexTuning
from tests.points import DIM, made_up_point, made_up_product, made_up_space, unit_vector
from tests.qdrant_server import REAL_URL, remove_catalog

SPACE = made_up_space()
OTHER_SPACE = made_up_space("other")
TUNING = IndexTuning(exact_below=200)
OPTIONS = ServerOptions()


@pytest.fixture(params=["edge", "memory", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path, catalog: str) -> Iterator[VectorStore]:
    """An empty store of each kind; ``server`` is a real one where ``QDRANT_URL`` is set, else the stand-in."""
    opened = open_store(request.param, tmp_path, request)
    yield opened
    opened.close()
    if request.param == "server":
        remove_catalog(request.getfixturevalue("qdrant_url"), catalog)


def open_store(kind: str, tmp_path: Path, request: pytest.FixtureRequest, *, follow_s: float = 0) -> VectorStore:
    if kind == "edge":
        return EdgeStore(tmp_path / "store", TUNING, follow_s=follow_s)
    if kind == "memory":
        return QdrantStore(QdrantGateway(QdrantClient(":memory:"), TUNING, OPTIONS), OPTIONS)
    address = ServerAddress(request.getfixturevalue("qdrant_url"), prefer_grpc=bool(REAL_URL))
    return QdrantStore(QdrantGateway.connect(address, TUNING, OPTIONS), OPTIONS)


@pytest.fixture
def catalog() -> str:
    """A name that no other run uses, since a server may be shared."""
    return f"test_{secrets.token_hex(6)}"


@pytest.fixture
def alias(catalog: str) -> Alias:
    return Alias(catalog, SPACE.space_id)


def publish(store: VectorStore, alias: Alias, *points: Point) -> str:
    """Writes points in a run of their own and returns the collection."""
    writer = store.writer(alias, SPACE)
    try:
        writer.write(BatchChange(points=points))
        collection = writer.collection
        writer.publish()
    finally:
        writer.close()
    return collection


def found(store: VectorStore, alias: Alias, vector: Vectors, limit: int, offset: int = 0) -> list[str]:
    """Product ids of an answer."""
    return [hit.product_id for hit in store.reader(alias).search(SearchQuery(vector, limit, offset)).hits]


def test_an_alias_without_a_collection_is_told(store: VectorStore, alias: Alias) -> None:
    reader = store.reader(alias)
    for call in (
        lambda: reader.search(SearchQuery(unit_vector(1), 1)),
        reader.status,
        lambda: reader.product_points(["p1"]),
    ):
        with pytest.raises(CollectionNotFound, match="Nothing is indexed"):
            call()


def test_a_published_point_is_found_with_all_it_holds(store: VectorStore, alias: Alias) -> None:
    point = made_up_point("p1", 0, seed=1)
    collection = publish(store, alias, point, made_up_point("p2", 0, seed=2))
    answer = store.reader(alias).search(SearchQuery(unit_vector(1), 1))
    assert answer.collection == collection
    (hit,) = answer.hits
    assert (hit.product_id, hit.point.id, hit.point.payload) == ("p1", point.id, point.payload)
    assert hit.score == pytest.approx(1.0, abs=1e-5)


def test_what_is_not_published_is_not_found(store: VectorStore, alias: Alias) -> None:
    writer = store.writer(alias, SPACE)
    writer.write(BatchChange(points=(made_up_point("p1", 0, seed=1),)))
    with pytest.raises(CollectionNotFound):
        store.reader(alias).status()
    writer.close()


def test_products_come_once_each_with_their_best_picture(store: VectorStore, alias: Alias) -> None:
    points = [
        made_up_point(f"p{number}", position, seed=number * 10 + position)
        for number in range(20)
        for position in range(5)
    ]
    publish(store, alias, *points)
    wanted = points[37]
    answer = store.reader(alias).search(SearchQuery(wanted.vector, 20))
    assert sorted(hit.product_id for hit in answer.hits) == sorted({point.payload.product_id for point in points})
    assert answer.hits[0].point.id == wanted.id
    by_product: dict[str, float] = {}
    for point in points:
        score = float(point.vector @ wanted.vector)
        by_product[point.payload.product_id] = max(by_product.get(point.payload.product_id, -1.0), score)
    assert [hit.score for hit in answer.hits] == pytest.approx(sorted(by_product.values(), reverse=True), abs=1e-4)


def test_the_limit_is_exact_where_a_few_products_have_most_of_the_near_pictures(
    store: VectorStore, alias: Alias
) -> None:
    rng = np.random.default_rng(5)
    near = unit_vector(0)
    points = []
    for number in range(150):
        product_id = "crowd" if number < 140 else f"p{number}"
        point = made_up_point(product_id, number, seed=1000 + number)
        spread = 0.01 if number < 140 else 0.5
        vector = near + (spread * rng.standard_normal(DIM)).astype(np.float32)
        points.append(Point(point.id, (vector / np.linalg.norm(vector)).astype(np.float32), point.payload))
    publish(store, alias, *points)
    assert len(found(store, alias, near, 8)) == 8
    assert found(store, alias, near, 1) == ["crowd"]


def test_pages_join_without_gap_or_repetition(store: VectorStore, alias: Alias) -> None:
    publish(store, alias, *[made_up_point(f"p{number}", 0, seed=number) for number in range(50)])
    whole = found(store, alias, unit_vector(99), 50)
    assert len(whole) == 50
    pages = [item for offset in range(0, 60, 7) for item in found(store, alias, unit_vector(99), 7, offset)]
    assert pages == whole


def test_equal_scores_come_in_the_order_of_their_ids(store: VectorStore, alias: Alias) -> None:
    # the same picture sold by many products: their points differ, their vectors do not
    publish(store, alias, *[made_up_point(f"p{number:02d}", 0, seed=7) for number in (*range(40, 60), *range(20, 40))])
    assert found(store, alias, unit_vector(7), 10) == [f"p{number}" for number in range(20, 30)]
    assert found(store, alias, unit_vector(7), 5, 33) == [f"p{number}" for number in range(53, 58)]


def test_a_product_can_be_left_out(store: VectorStore, alias: Alias) -> None:
    publish(store, alias, *[made_up_point(f"p{number}", 0, seed=number) for number in range(5)])
    answer = store.reader(alias).search(SearchQuery(unit_vector(3), 5, exclude_product_id="p3"))
    assert sorted(hit.product_id for hit in answer.hits) == ["p0", "p1", "p2", "p4"]


def test_product_points_come_by_position(store: VectorStore, alias: Alias) -> None:
    points = [made_up_point("p1", position, seed=position) for position in (2, 0, 1)]
    publish(store, alias, *points, made_up_point("p2", 0, seed=9))
    reader = store.reader(alias)
    assert [point.payload.position for point in reader.product_points(["p1"])["p1"]] == [0, 1, 2]
    assert set(reader.product_points(["p2", "none"])) == {"p2"}
    assert reader.product_points([]) == {}


def test_vectors_come_back_as_written(store: VectorStore, alias: Alias) -> None:
    points = [made_up_point("p1", 0, seed=1), made_up_point("p2", 0, seed=2)]
    publish(store, alias, *points)
    vectors = store.reader(alias).vectors([point.id for point in points] + [made_up_point("p3", 0, seed=3).id])
    assert set(vectors) == {point.id for point in points}
    for point in points:
        np.testing.assert_allclose(vectors[point.id], point.vector, atol=1e-6)
        assert vectors[point.id].dtype == np.float32


def test_a_payload_changes_without_its_vector(store: VectorStore, alias: Alias) -> None:
    point = made_up_point("p1", 0, seed=1)
    publish(store, alias, point)
    dearer = with_product_fields(point.payload, made_up_product("p1", price_minor=999))
    writer = store.writer(alias, SPACE)
    writer.write(BatchChange(payloads=(PayloadUpdate(point.id, dearer),)))
    writer.publish()
    writer.close()
    (hit,) = store.reader(alias).search(SearchQuery(unit_vector(1), 5)).hits
    assert hit.point.payload == dearer
    assert hit.score == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"price_minor": 999},
        {"price_minor": None, "currency": ""},
        {"in_stock": None},
        {"attributes": {"size": "L"}, "category": ("Home",)},
        {"attributes": {}, "category": (), "brand": ""},
    ],
)
def test_the_fields_that_changed_are_as_they_are_to_be_and_the_others_as_they_were(
    store: VectorStore, alias: Alias, changes: dict[str, Any]
) -> None:
    points = [made_up_point(f"p{number}", 0, seed=number) for number in range(3)]
    rich: dict[str, Any] = {
        "attributes": {"color": "red", "size": "M"},
        "category": ("Home", "Mugs"),
        "brand": "Acme",
        "in_stock": True,
    }
    points = [replace(point, payload=replace(point.payload, **rich)) for point in points]
    publish(store, alias, *points)
    wanted = [replace(point.payload, **changes) for point in points[:2]]
    updates = [
        PayloadUpdate(point.id, payload, payload.changed_fields(point.payload))
        for point, payload in zip(points, wanted, strict=False)
    ]
    writer = store.writer(alias, SPACE)
    writer.write(BatchChange(payloads=tuple(updates)))
    writer.publish()
    writer.close()
    found = store.reader(alias).product_points(["p0", "p1", "p2"])
    assert [found[f"p{number}"][0].payload for number in range(3)] == [*wanted, points[2].payload]


def test_points_and_products_can_be_removed(store: VectorStore, alias: Alias) -> None:
    points = [
        made_up_point(f"p{number}", position, seed=number * 2 + position) for number in range(4) for position in (0, 1)
    ]
    publish(store, alias, *points)
    writer = store.writer(alias, SPACE)
    writer.write(BatchChange(deletions=(points[0].id,)))
    writer.delete_products(["p1", "none"])
    writer.delete_products([])
    assert sorted(writer.product_ids()) == ["p0", "p2", "p2", "p3", "p3"]
    writer.publish()
    writer.close()
    reader = store.reader(alias)
    assert [point.id for point in reader.product_points(["p0"])["p0"]] == [points[1].id]
    assert "p1" not in reader.product_points(["p1"])
    assert reader.status().points == 5


def test_writing_the_same_again_changes_nothing(store: VectorStore, alias: Alias) -> None:
    points = [made_up_point(f"p{number}", 0, seed=number) for number in range(10)]
    publish(store, alias, *points)
    publish(store, alias, *points)
    assert store.reader(alias).status().points == 10


def test_an_unchanged_run_publishes_nothing(store: VectorStore, alias: Alias) -> None:
    collection = publish(store, alias, made_up_point("p1", 0, seed=1))
    writer = store.writer(alias, SPACE)
    writer.write(BatchChange())
    assert writer.product_points(["p1"])["p1"][0].payload.title == "Title of p1"
    assert not writer.publish()
    writer.close()
    reader = store.reader(alias)
    assert (reader.status().collection, reader.collection_name()) == (collection, collection)


def test_another_space_is_refused_by_name(store: VectorStore, catalog: str, alias: Alias) -> None:
    publish(store, alias, made_up_point("p1", 0, seed=1))
    reader = store.reader(Alias(catalog, OTHER_SPACE.space_id))
    with pytest.raises(SpaceMismatch, match=f"{SPACE.space_id}.*{OTHER_SPACE.space_id}"):
        reader.search(SearchQuery(unit_vector(1), 1))


def test_two_spaces_stand_side_by_side(store: VectorStore, catalog: str, alias: Alias) -> None:
    publish(store, alias, made_up_point("p1", 0, seed=1))
    other = Alias(catalog, OTHER_SPACE.space_id)
    writer = store.writer(other, OTHER_SPACE)
    writer.write(BatchChange(points=(made_up_point("p2", 0, seed=1),)))
    writer.publish()
    writer.close()
    assert found(store, alias, unit_vector(1), 5) == ["p1"]
    assert found(store, other, unit_vector(1), 5) == ["p2"]


def test_an_interrupted_run_goes_on_with_what_it_wrote(store: VectorStore, alias: Alias) -> None:
    publish(store, alias, made_up_point("p1", 0, seed=1))
    interrupted = store.writer(alias, SPACE)
    interrupted.write(BatchChange(points=(made_up_point("p2", 0, seed=2),)))
    collection = interrupted.collection
    interrupted.close()
    resumed = store.writer(alias, SPACE, resume_of=collection)
    assert resumed.continues
    assert set(resumed.product_points(["p1", "p2"])) == {"p1", "p2"}
    resumed.publish()
    resumed.close()
    assert sorted(found(store, alias, unit_vector(1), 5)) == ["p1", "p2"]


def test_a_run_whose_collection_is_gone_is_told_so(store: VectorStore, alias: Alias) -> None:
    publish(store, alias, made_up_point("p1", 0, seed=1))
    writer = store.writer(alias, SPACE, resume_of=f"{alias.name}--000099")
    assert not writer.continues
    writer.close()


def test_status_counts_and_names(store: VectorStore, alias: Alias) -> None:
    collection = publish(store, alias, *[made_up_point(f"p{number}", 0, seed=number) for number in range(7)])
    status = store.reader(alias).status()
    assert (status.alias, status.collection, status.points) == (alias.name, collection, 7)
    assert status.space == SPACE
    assert [item for item in store.collections() if item.collection == collection] == [status]


def test_a_larger_collection_is_searched_with_recall(store: VectorStore, alias: Alias) -> None:
    points = [made_up_point(f"p{number:04d}", 0, seed=number) for number in range(600)]
    publish(store, alias, *points)
    matrix = np.stack([point.vector for point in points])
    hits = 0
    for seed in range(5000, 5020):
        query = unit_vector(seed)
        best = {points[index].payload.product_id for index in np.argsort(-(matrix @ query))[:10]}
        hits += len(best & set(found(store, alias, query, 10)))
    assert hits / 200 >= 0.95


def fill(store: VectorStore, alias: Alias, *points: Point, collection: str = "") -> str:
    """Writes points into the target of a reindex and returns its name."""
    target = store.target(alias, SPACE, collection=collection)
    try:
        target.write(BatchChange(points=points))
        target.publish()
        return target.collection
    finally:
        target.close()


def test_a_target_is_searched_only_once_it_is_promoted(store: VectorStore, alias: Alias) -> None:
    old = publish(store, alias, made_up_point("p1", 0, seed=1))
    target = store.target(alias, SPACE)
    assert target.collection != old
    assert target.product_points(["p1"]) == {}
    target.write(BatchChange(points=(made_up_point("p2", 0, seed=2),)))
    assert set(target.product_points(["p1", "p2"])) == {"p2"}
    assert target.publish()
    assert found(store, alias, unit_vector(2), 5) == ["p1"]
    target.close()
    store.promote(alias, target.collection)
    assert (store.current(alias), store.previous(alias)) == (target.collection, old)
    assert store.reader(alias).search(SearchQuery(unit_vector(2), 5)).collection == target.collection
    assert found(store, alias, unit_vector(2), 5) == ["p2"]


def test_a_rollback_is_a_promotion_of_the_previous(store: VectorStore, alias: Alias) -> None:
    assert (store.current(alias), store.previous(alias)) == ("", "")
    old = publish(store, alias, made_up_point("p1", 0, seed=1))
    new = fill(store, alias, made_up_point("p2", 0, seed=2))
    store.promote(alias, new)
    store.promote(alias, new)  # again, as after a crash
    assert (store.current(alias), store.previous(alias)) == (new, old)
    store.promote(alias, store.previous(alias))
    assert (store.current(alias), store.previous(alias)) == (old, new)
    assert found(store, alias, unit_vector(2), 5) == ["p1"]
    store.promote(alias, store.previous(alias))
    assert found(store, alias, unit_vector(2), 5) == ["p2"]
    # the next index run goes on from what is served
    publish(store, alias, made_up_point("p3", 0, seed=3))
    assert sorted(found(store, alias, unit_vector(2), 5)) == ["p2", "p3"]


def test_index_runs_after_a_promotion_leave_what_a_rollback_goes_back_to(store: VectorStore, alias: Alias) -> None:
    old = publish(store, alias, made_up_point("p1", 0, seed=1))
    store.promote(alias, fill(store, alias, made_up_point("p2", 0, seed=2)))
    for number in range(3, 6):
        publish(store, alias, made_up_point(f"p{number}", 0, seed=number))
    assert store.previous(alias) == old
    now = store.current(alias)
    store.promote(alias, old)
    assert (found(store, alias, unit_vector(1), 5), store.previous(alias)) == (["p1"], now)
    for number in range(6, 9):
        publish(store, alias, made_up_point(f"p{number}", 0, seed=number))
    assert store.previous(alias) == now
    store.promote(alias, now)
    assert sorted(found(store, alias, unit_vector(1), 9)) == ["p2", "p3", "p4", "p5"]


def test_a_first_collection_can_be_a_reindexs(store: VectorStore, alias: Alias) -> None:
    store.promote(alias, fill(store, alias, made_up_point("p1", 0, seed=1)))
    assert found(store, alias, unit_vector(1), 5) == ["p1"]
    assert store.previous(alias) == ""


def test_an_interrupted_target_goes_on_by_its_name(store: VectorStore, alias: Alias) -> None:
    interrupted = store.target(alias, SPACE)
    interrupted.write(BatchChange(points=(made_up_point("p1", 0, seed=1),)))
    interrupted.close()
    resumed = store.target(alias, SPACE, collection=interrupted.collection)
    assert set(resumed.product_points(["p1"])) == {"p1"}
    assert sorted(resumed.product_ids()) == ["p1"]
    resumed.write(BatchChange(points=(made_up_point("p2", 0, seed=2), made_up_point("p3", 0, seed=3))))
    resumed.delete_products(["p2"])
    resumed.publish()
    resumed.write(BatchChange(deletions=(made_up_point("p3", 0, seed=3).id,)))  # what was caught up later
    resumed.publish()
    resumed.close()
    store.promote(alias, resumed.collection)
    assert found(store, alias, unit_vector(1), 5) == ["p1"]
    assert store.reader(alias).status().points == 1


def test_index_runs_leave_an_unfinished_target_alone(store: VectorStore, alias: Alias) -> None:
    unfinished = store.target(alias, SPACE)
    unfinished.write(BatchChange(points=(made_up_point("target", 0, seed=9),)))
    unfinished.close()
    for number in range(3):
        publish(store, alias, made_up_point(f"p{number}", 0, seed=number))
    assert sorted(found(store, alias, unit_vector(9), 5)) == ["p0", "p1", "p2"]
    resumed = store.target(alias, SPACE, collection=unfinished.collection)
    assert set(resumed.product_points(["target", "p0"])) == {"target"}
    resumed.close()


def test_a_target_that_is_gone_or_of_another_space_is_told(store: VectorStore, catalog: str, alias: Alias) -> None:
    collection = fill(store, alias, made_up_point("p1", 0, seed=1))
    for call in (
        lambda: store.target(alias, SPACE, collection=f"{alias.name}--000099"),
        lambda: store.collection_reader(f"{alias.name}--000099"),
        lambda: store.promote(alias, f"{alias.name}--000099"),
    ):
        with pytest.raises(CollectionNotFound):
            call()
    with pytest.raises(SpaceMismatch, match=SPACE.space_id):
        store.target(Alias(catalog, OTHER_SPACE.space_id), OTHER_SPACE, collection=collection)
    assert store.current(alias) == ""


def test_a_collection_is_read_by_name_whatever_the_alias_says(store: VectorStore, alias: Alias) -> None:
    points = [made_up_point(f"p{number:03d}", 0, seed=number) for number in range(400)]
    old = publish(store, alias, *points)
    new = fill(store, alias, made_up_point("p999", 0, seed=999))
    exact = store.collection_reader(old, exact=True)
    matrix = np.stack([point.vector for point in points])
    for seed in range(5000, 5010):
        query = unit_vector(seed)
        best = [points[index].payload.product_id for index in np.argsort(-(matrix @ query))[:10]]
        assert [hit.product_id for hit in exact.search(SearchQuery(query, 10)).hits] == best
    assert set(exact.product_points(["p001", "p999"])) == {"p001"}
    np.testing.assert_allclose(exact.vectors([points[7].id])[points[7].id], points[7].vector, atol=1e-6)
    assert exact.vectors([]) == {}
    assert (exact.status().collection, exact.status().points, exact.status().space) == (old, 400, SPACE)
    exact.close()
    other = store.collection_reader(new)
    assert other.search(SearchQuery(unit_vector(1), 5)).collection == new
    assert other.status().points == 1
    other.close()


def test_pruning_keeps_the_current_the_previous_and_what_is_named(store: VectorStore, alias: Alias) -> None:
    assert store.prune(alias) == []
    names = [fill(store, alias, made_up_point(f"p{number}", 0, seed=number)) for number in range(5)]
    for name in names[:4]:
        store.promote(alias, name)
    assert list(store.prune(alias, keep=[names[4]])) == names[:2]
    assert list(store.prune(alias)) == [names[4]]
    left = [item.collection for item in store.collections() if item.collection.startswith(alias.name)]
    assert left == names[2:4]
    store.promote(alias, store.previous(alias))
    assert found(store, alias, unit_vector(1), 5) == ["p2"]


def test_a_reader_follows_promotions_and_outlives_pruning(store: VectorStore, alias: Alias) -> None:
    publish(store, alias, made_up_point("p0", 0, seed=0))
    reader = store.reader(alias)
    assert reader.status().points == 1
    for number in range(1, 5):
        store.promote(alias, fill(store, alias, made_up_point(f"p{number}", 0, seed=number)))
        store.prune(alias)
        # never an error and never a mixture, be the answer from before the promotion or from after it
        (hit,) = reader.search(SearchQuery(unit_vector(1), 5)).hits
        assert hit.product_id.startswith("p")


@pytest.mark.parametrize("kind", ["edge", "memory", "server"])
def test_a_refreshed_reader_answers_with_what_is_published(
    kind: str, tmp_path: Path, catalog: str, alias: Alias, request: pytest.FixtureRequest
) -> None:
    store = open_store(kind, tmp_path, request, follow_s=3600)
    reader = store.reader(alias)
    for number in range(5):
        store.promote(alias, fill(store, alias, made_up_point(f"p{number}", 0, seed=number)))
        reader.refresh()
        assert [hit.product_id for hit in reader.search(SearchQuery(unit_vector(1), 5)).hits] == [f"p{number}"]
    store.promote(alias, store.previous(alias))
    reader.refresh()
    assert set(reader.product_points(["p3", "p4"])) == {"p3"}
    store.close()
    if kind == "server":
        remove_catalog(request.getfixturevalue("qdrant_url"), catalog)


def test_the_reader_of_an_event_loop_answers_as_the_blocking_one(store: VectorStore, alias: Alias) -> None:
    blocking = store.reader(alias)
    ids = [f"p{number}" for number in range(60)]

    async def compare() -> None:
        reader = store.async_reader(alias)
        with pytest.raises(CollectionNotFound, match="Nothing is indexed"):
            await reader.search(SearchQuery(unit_vector(1), 5))
        points = [made_up_point(product_id, 0, seed=number) for number, product_id in enumerate(ids)]
        publish(store, alias, *points)
        queries = [SearchQuery(point.vector, 7, offset=number % 3) for number, point in enumerate(points)]
        answers = await asyncio.gather(*(reader.search(query) for query in queries))
        for query, answer in zip(queries, answers, strict=True):
            same = blocking.search(query)
            assert answer.collection == same.collection
            assert [hit.point for hit in answer.hits] == [hit.point for hit in same.hits]
            assert [hit.score for hit in answer.hits] == pytest.approx([hit.score for hit in same.hits], abs=1e-6)
        assert await reader.product_points([*ids, "none"]) == blocking.product_points(ids)
        vectors = await reader.vectors([point.id for point in points])
        for point in points:
            np.testing.assert_allclose(vectors[point.id], point.vector, atol=1e-6)
        assert await reader.status() == blocking.status()
        assert await reader.collection_name() == blocking.collection_name()
        store.promote(alias, fill(store, alias, made_up_point("new", 0, seed=77)))
        await asyncio.to_thread(reader.refresh)
        assert set(await reader.product_points(["new", "p1"])) == {"new"}
        await reader.close()

    asyncio.run(compare())


def test_a_target_copies_vectors_from_its_donor(store: VectorStore, alias: Alias) -> None:
    points = [made_up_point("p1", position, seed=position) for position in range(3)]
    old = publish(store, alias, *points, made_up_point("p2", 0, seed=9))
    writer = store.writer(alias, SPACE)
    assert writer.donated(["p1"]) == {}
    writer.close()
    target = store.target(alias, SPACE, donor=old)
    donated = target.donated(["p1", "none"])
    assert set(donated) == {"p1"}
    for given, point in zip(donated["p1"], points, strict=True):
        assert (given.id, given.payload) == (point.id, point.payload)
        np.testing.assert_allclose(given.vector, point.vector, atol=1e-6)
    target.close()
    without = store.target(alias, SPACE, collection=target.collection, donor=f"{alias.name}--000099")
    assert without.donated(["p1"]) == {}
    without.close()


def test_a_writer_can_be_opened_again_inside_an_exclusive_block(store: VectorStore, alias: Alias) -> None:
    with store.exclusive():
        collection = fill(store, alias, made_up_point("p1", 0, seed=1))
        store.promote(alias, collection)
        publish(store, alias, made_up_point("p2", 0, seed=2))
        store.prune(alias)
    assert sorted(found(store, alias, unit_vector(1), 5)) == ["p1", "p2"]
    publish(store, alias, made_up_point("p3", 0, seed=3))


NOTE: dict[str, Any] = {"version": 1, "means": [0.1, -2.5e-7, 3], "photo": None, "words": {"ключ": "слово"}, "ok": True}


def test_an_annotation_is_kept_with_its_collection(store: VectorStore, alias: Alias) -> None:
    collection = publish(store, alias, made_up_point("p1", 0, seed=1))
    reader = store.reader(alias)
    assert reader.annotation("calibration") is None
    store.annotate(collection, "calibration", NOTE)
    store.annotate(collection, "another", {"is": "another"})
    assert reader.annotation("calibration") == NOTE
    assert store.collection_reader(collection).annotation("calibration") == NOTE
    store.annotate(collection, "calibration", {"version": 2})  # as a whole, not merged
    assert reader.annotation("calibration") == {"version": 2}
    assert reader.annotation("another") == {"is": "another"}
    status = reader.status()
    assert (status.space, status.collection, status.points) == (SPACE, collection, 1)

    async def ask() -> Any:
        opened = store.async_reader(alias)
        try:
            return await opened.annotation("calibration"), await opened.annotation("none")
        finally:
            await opened.close()

    assert asyncio.run(ask()) == ({"version": 2}, None)


def test_index_runs_leave_annotations_and_a_new_target_has_none(store: VectorStore, alias: Alias) -> None:
    old = publish(store, alias, made_up_point("p1", 0, seed=1))
    store.annotate(old, "calibration", NOTE)
    for number in range(2, 5):
        now = publish(store, alias, made_up_point(f"p{number}", 0, seed=number))
        assert store.reader(alias).annotation("calibration") == NOTE
    target = fill(store, alias, made_up_point("p9", 0, seed=9))
    store.promote(alias, target)
    assert store.reader(alias).annotation("calibration") is None
    store.annotate(target, "calibration", {"of": "the target"})
    store.promote(alias, now)
    assert store.reader(alias).annotation("calibration") == NOTE


def test_an_annotation_made_while_a_run_writes_is_not_lost(store: VectorStore, alias: Alias) -> None:
    collection = publish(store, alias, made_up_point("p1", 0, seed=1))
    store.annotate(collection, "calibration", {"version": 1})
    writer = store.writer(alias, SPACE)
    writer.write(BatchChange(points=(made_up_point("p2", 0, seed=2),)))
    store.annotate(collection, "calibration", {"version": 2})  # takes no lock
    writer.publish()
    writer.close()
    reader = store.reader(alias)
    assert reader.status().points == 2
    assert reader.annotation("calibration") == {"version": 2}


def test_a_collection_that_is_not_there_cannot_be_annotated(store: VectorStore, alias: Alias) -> None:
    publish(store, alias, made_up_point("p1", 0, seed=1))
    with pytest.raises(CollectionNotFound):
        store.annotate(f"{alias.name}--000099", "calibration", NOTE)
