"""Products by their words, the same from every vector store."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import qdrant_edge

from indexer.errors import CollectionOutdated
from indexer.lexical.sparse import LEXICAL_VECTOR
from indexer.lexical.text import product_weights, query_text
from indexer.points import Point, PointPayload
from indexer.store.edge_store import EdgeStore
from indexer.store.filters import AnyOf, Range
from indexer.store.port import Alias, BatchChange, PayloadUpdate, VectorStore
from indexer.store.qdrant_store import QdrantStore
from indexer.store.queries import LexicalQuery
from tests.conformance.test_vector_store import SPACE, open_store, publish
from tests.points import made_up_point
from tests.qdrant_server import REAL_URL, remove_catalog


@pytest.fixture(scope="module", params=["edge", "memory", "server"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStore]:
    """A store of each kind, for all tests: each has a catalog of its own in it."""
    opened = open_store(request.param, tmp_path_factory.mktemp("words"), request)
    yield opened
    opened.close()


@pytest.fixture
def alias(store: VectorStore, request: pytest.FixtureRequest) -> Iterator[Alias]:
    alias = Alias(f"test_{secrets.token_hex(6)}", SPACE.space_id)
    yield alias
    if isinstance(store, QdrantStore) and REAL_URL:
        remove_catalog(request.getfixturevalue("qdrant_url"), alias.catalog)


def product(
    product_id: str, title: str, brand: str = "", attributes: Mapping[str, str] | None = None, **fields: Any
) -> Point:
    """The main picture of a product, told from others by its id."""
    point = made_up_point(product_id, 0, seed=int.from_bytes(product_id.encode(), "big") % 10_000)
    given = {"title": title, "brand": brand, "attributes": attributes or {}, "main": True, **fields}
    return replace(point, payload=replace(point.payload, **given))


def found(store: VectorStore, alias: Alias, text: str, count: int = 10, **options: Any) -> list[str]:
    reader = store.reader(alias)
    return [point.product_id for point in reader.lexical(LexicalQuery(text, count, **options))]


def rewritten(store: VectorStore, alias: Alias, point: Point, payload: PointPayload) -> None:
    """A run that changes a payload and no vector."""
    writer = store.writer(alias, SPACE)
    writer.write(BatchChange(payloads=(PayloadUpdate(point.id, payload, payload.changed_fields(point.payload)),)))
    writer.publish()
    writer.close()


def test_words_are_found_in_title_brand_and_attributes_best_first(store: VectorStore, alias: Alias) -> None:
    publish(
        store,
        alias,
        product("p1", "Красные кроссовки", "Нордика"),
        product("p2", "Rote Laufschuhe", "Häusler", {"mpn": "AB-1200/2"}),
        product("p3", "红色连衣裙女士长款"),
        product("p4", "Giày thể thao đỏ"),
        product("p5", "Running shoes, running socks and more", "Acme"),
        product("p6", "Zapatos rojos para correr"),
        product("p7", "Chaussures rouges"),
        product("p8", "Running shoe", "Acme"),
    )
    for text, wanted in {
        "красная кроссовка": ["p1"],
        "нордика": ["p1"],
        "haeusler": ["p2"],
        "ab 1200 2": ["p2"],
        "连衣裙": ["p3"],
        "giay the thao": ["p4"],
        "zapato rojo": ["p6"],
        "chaussure rouge": ["p7"],
        "the shoe of Acme": ["p8", "p5"],
        "sandals": [],
        "": [],
        "?!": [],
    }.items():
        assert found(store, alias, text) == wanted, text
    assert found(store, alias, "acme", count=1) == ["p8"]


def test_scores_are_bm25_with_the_rarity_of_each_term(store: VectorStore, alias: Alias) -> None:
    points = [product(f"p{n}", "Red mug" if n else "Red Zylvex mug", "Acme", {"size": "L"}) for n in range(9)]
    publish(store, alias, *points, product("other", "Blue kettle"))
    query = query_text("red zylvex").weights()
    weights = {point.payload.product_id: product_weights(point.payload) for point in points}
    rarity = {
        term: math.log(1 + (10 - n + 0.5) / (n + 0.5))
        for term in query
        for n in [sum(term in w for w in weights.values())]
    }
    hits = store.reader(alias).lexical(LexicalQuery("red zylvex", 20))
    assert [hit.product_id for hit in hits] == [f"p{n}" for n in range(9)]
    for hit in hits:
        terms = weights[hit.product_id]
        wanted = sum(weight * terms.get(term, 0) * rarity[term] for term, weight in query.items())
        assert hit.score == pytest.approx(wanted, rel=1e-4)


def test_a_filter_and_the_number_asked_for_hold(store: VectorStore, alias: Alias) -> None:
    publish(
        store,
        alias,
        *(product(f"p{n}", "Red mug", price_minor=100 * n, in_stock=n % 2 == 0) for n in range(8)),
        *(product(f"q{n}", "Blue kettle") for n in range(40)),
    )
    assert found(store, alias, "kettle", 5) == ["q0", "q1", "q10", "q11", "q12"]
    assert found(store, alias, "mugs", 3) == ["p0", "p1", "p2"]
    assert found(store, alias, "mugs", where=AnyOf("in_stock", (True,))) == ["p0", "p2", "p4", "p6"]
    assert found(store, alias, "mugs", where=Range("price_minor", gte=600)) == ["p6", "p7"]


def test_a_product_is_found_once_by_its_main_picture(store: VectorStore, alias: Alias) -> None:
    main = product("p1", "Mug")
    other = made_up_point("p1", 1, seed=77)
    other = replace(other, payload=replace(main.payload, position=1, main=False))
    publish(store, alias, main, other)
    (hit,) = store.reader(alias).lexical(LexicalQuery("mug", 10))
    assert hit.id == main.id
    # its main picture is taken away, and the other one becomes it
    writer = store.writer(alias, SPACE)
    payload = replace(other.payload, main=True)
    update = PayloadUpdate(other.id, payload, payload.changed_fields(other.payload))
    writer.write(BatchChange(payloads=(update,), deletions=(main.id,)))
    writer.publish()
    writer.close()
    (hit,) = store.reader(alias).lexical(LexicalQuery("mug", 10))
    assert hit.id == other.id


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        ({"title": "Blue kettle"}, "mug", "kettle"),
        ({"brand": "Zylvex"}, "acme", "zylvex"),
        ({"attributes": {"mpn": "XY-77"}}, "ab-12", "xy 77"),
        ({"title": "—", "brand": "", "attributes": {}}, "mug", ""),
    ],
)
def test_words_follow_a_change_of_the_payload_alone(
    store: VectorStore, alias: Alias, changes: dict[str, Any], before: str, after: str
) -> None:
    point = product("p1", "Red mug", "Acme", {"mpn": "AB-12"})
    publish(store, alias, point, product("p2", "Something else"))
    assert found(store, alias, before) == ["p1"]
    rewritten(store, alias, point, replace(point.payload, **changes))
    assert found(store, alias, before) == []
    assert found(store, alias, after) == (["p1"] if after else [])


def test_another_price_leaves_the_words_and_the_picture_as_they_were(store: VectorStore, alias: Alias) -> None:
    point = product("p1", "Red mug", price_minor=100)
    publish(store, alias, point)
    rewritten(store, alias, point, replace(point.payload, price_minor=200))
    reader = store.reader(alias)
    assert found(store, alias, "mug") == ["p1"]
    assert reader.vectors([point.id])[point.id] == pytest.approx(point.vector, abs=1e-6)


def test_an_event_loop_is_answered_too(store: VectorStore, alias: Alias) -> None:
    publish(store, alias, product("p1", "Red mug"))

    async def ask() -> list[str]:
        reader = store.async_reader(alias)
        try:
            return [point.product_id for point in await reader.lexical(LexicalQuery("mugs", 5))]
        finally:
            await reader.close()

    assert asyncio.run(ask()) == ["p1"]


def without_place_for_words(store: VectorStore, collection: str) -> None:
    """Makes of a collection what an earlier version would have made."""
    if isinstance(store, EdgeStore):
        shard = qdrant_edge.EdgeShard.load(str(store._folders.shard(collection)))
        shard.update(qdrant_edge.UpdateOperation.delete_vector_name(LEXICAL_VECTOR))
        shard.flush()
        shard.close()
    else:
        assert isinstance(store, QdrantStore)
        store._gateway._client.delete_vector_name(collection, LEXICAL_VECTOR)


def test_a_collection_of_an_earlier_version_says_so_and_is_given_words_by_the_next_run(
    store: VectorStore, alias: Alias
) -> None:
    points = [product("p1", "Red mug"), product("p2", "Blue mug")]
    without_place_for_words(store, publish(store, alias, *points))
    with pytest.raises(CollectionOutdated, match="words of the products") as error:
        found(store, alias, "mug")
    assert "index FEED" in error.value.remedy
    rewritten(store, alias, points[0], replace(points[0].payload, title="Red kettle"))
    assert found(store, alias, "kettle") == ["p1"]
    assert found(store, alias, "mug") == []
    new = product("p3", "Green mug")
    publish(store, alias, new)
    assert found(store, alias, "mug") == ["p3"]


def test_a_server_that_cannot_add_words_is_written_without(
    store: VectorStore, alias: Alias, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isinstance(store, QdrantStore):
        pytest.skip("the embedded engine can")
    point = product("p1", "Red mug", price_minor=100)
    collection = publish(store, alias, point)
    without_place_for_words(store, collection)

    def refused(*_: Any, **__: Any) -> None:
        raise ValueError("unknown call")

    monkeypatch.setattr(store._gateway._client, "create_vector_name", refused)
    changed = replace(point.payload, title="Red kettle")
    rewritten(store, alias, point, changed)
    publish(store, alias, product("p2", "Blue mug"))
    reader = store.reader(alias)
    assert reader.product_points(["p1"])["p1"][0].payload == changed
    assert set(reader.product_points(["p1", "p2"])) == {"p1", "p2"}
    with pytest.raises(CollectionOutdated):
        found(store, alias, "mug")
