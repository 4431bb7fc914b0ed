"""One suite for every vector store: what is asked about products, held against plain Python over the same payloads."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.errors import CollectionOutdated, FilterFieldUnknown, FilterInvalid
from indexer.points import Point, PointPayload, with_main
from indexer.store.edge_shard import EdgeShard
from indexer.store.filters import And, AnyOf, Filter, Not, Or, Range
from indexer.store.generations import GenerationFolders
from indexer.store.port import Alias, BatchChange, CollectionReader, PayloadUpdate, VectorStore
from indexer.store.qdrant_gateway import QdrantGateway
from indexer.store.qdrant_options import ServerAddress, ServerOptions
from indexer.store.qdrant_store import QdrantStore
from indexer.store.queries import FacetCount, FacetQuery, NearestQuery, Order, OrderedAfter, OrderedQuery, SearchQuery
from indexer.store.tuning import IndexTuning
from tests.filters import BRANDS, CATEGORIES, FILTERS, MOMENTS, NAMES, PRICES, STOCK, VALUES, fulfils
from tests.points import made_up_point, made_up_space, unit_vector
from tests.qdrant_server import remove_catalog
from tests.stores import opened_store, publish

TUNING = IndexTuning(exact_below=1000, facet_attributes=("color", "screen size"))
PRODUCTS = 70
ORDERS: tuple[Order, ...] = ("price_asc", "price_desc", "newest", "catalog")


@dataclass(frozen=True)
class Shop:
    """A filled store and what is in it."""

    store: VectorStore
    alias: Alias
    points: tuple[Point, ...]
    reader: CollectionReader

    def products(self, where: Filter | None = None) -> list[PointPayload]:
        """Payloads of the main points that fulfil a filter."""
        return [item.payload for item in self.points if item.payload.main and fulfils(where, item.payload)]


def made_up_points() -> tuple[Point, ...]:
    """One to three pictures each, whose first is not always there; values drawn from few, so that many are equal."""
    draw = random.Random(5)
    points: list[Point] = []
    for number in range(PRODUCTS):
        fields: dict[str, Any] = {
            "brand": draw.choice(BRANDS),
            "category": draw.choice(CATEGORIES),
            "price_minor": draw.choice(PRICES),
            "in_stock": draw.choice(STOCK),
            "updated_at": draw.choice(MOMENTS),
            "item_group_id": draw.choice(("", "", "g1", "g2", "g3", f"p{number}")),
            "attributes": {name: draw.choice(VALUES) for name in draw.sample(NAMES, draw.randrange(4))},
        }
        if number == 2:
            fields["attributes"] = {"gtin": "GTIN-2"}
        positions = draw.sample(range(4), draw.randrange(1, 4))
        made = [made_up_point(f"p{number}", position, seed=number * 10 + position) for position in positions]
        payloads = with_main({item.id: replace(item.payload, **fields) for item in made})
        points += [replace(item, payload=payloads[item.id]) for item in made]
    return tuple(points)


@pytest.fixture(scope="module", params=["edge", "memory", "server"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    url = request.getfixturevalue("qdrant_url") if request.param == "server" else ""
    store = opened_store(request.param, tmp_path_factory.mktemp("shop"), url, TUNING)
    alias = Alias(f"test_{secrets.token_hex(6)}", made_up_space().space_id)
    points = made_up_points()
    publish(store, alias, *points)
    yield Shop(store, alias, points, store.reader(alias))
    store.close()
    if request.param == "server":
        remove_catalog(url, alias.catalog)


@pytest.mark.parametrize("kind", ["edge", "server"])
def test_an_index_run_makes_the_indexes_that_are_missing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("qdrant_url") if kind == "server" else ""
    alias = Alias(f"test_{secrets.token_hex(6)}", made_up_space().space_id)

    def indexes(names: tuple[str, ...], *points: Point) -> tuple[bool, set[str]]:
        store = opened_store(kind, tmp_path, url, IndexTuning(facet_attributes=names))
        writer = store.writer(alias, made_up_space())
        writer.write(BatchChange(points=points))
        published = writer.publish()
        writer.close()
        assert store.reader(alias).facet(FacetQuery("attributes.color")) == (FacetCount("red", 1),)
        if isinstance(store, QdrantStore):
            there = QdrantGateway.connect(ServerAddress(url, prefer_grpc=False), TUNING, ServerOptions())
            found = there.describe(store.current(alias)).indexed_fields
            there.close()
        else:
            shard = EdgeShard.open(GenerationFolders(tmp_path / "store").shard(store.current(alias)), TUNING)
            found = shard.indexed_fields()
            shard.close()
        store.close()
        return published, {field for field in found if field.startswith("attributes.")}

    assert indexes((), made_up_point("p1", 0, seed=1)) == (True, set())
    published, found = indexes(("color", "no such"))
    assert "attributes.color" in found
    assert published == (kind == "edge")  # where it takes a generation of its own
    assert indexes(("color", "no such")) == (False, found)
    if kind == "server":
        remove_catalog(url, alias.catalog)


def test_the_shop_has_what_the_tests_need() -> None:
    points = made_up_points()
    mains = [item for item in points if item.payload.main]
    assert len(mains) == PRODUCTS < len(points)
    assert any(item.payload.position > 0 for item in mains)
    for point in points:
        lowest = min(item.payload.position for item in points if item.payload.product_id == point.payload.product_id)
        assert point.payload.main is (point.payload.position == lowest)


@given(where=FILTERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_filter_finds_what_it_means(shop: Shop, where: Filter) -> None:
    wanted = {item.id for item in shop.points if fulfils(where, item.payload)}
    found = shop.reader.nearest(NearestQuery(unit_vector(1), len(shop.points), where))
    assert {point.id for point in found} == wanted
    assert shop.reader.count_products(where) == len(shop.products(where))


@pytest.mark.parametrize("where", [None, Range("price_minor", gte=1), AnyOf("brand", ("none",))])
@pytest.mark.parametrize(
    "field", ["brand", "category_path", "attributes.color", "attributes.screen size", "attributes.размер", "in_stock"]
)
def test_facets_count_products(shop: Shop, field: str, where: Filter | None) -> None:
    counted: Counter[Any] = Counter()
    for payload in shop.products(where):
        name = field.removeprefix("attributes.")
        held = payload.attributes.get(name) if name != field else getattr(payload, field)
        counted.update(held if isinstance(held, list) else [held])
    wanted = [FacetCount(value, count) for value, count in counted.items() if value not in (None, "")]
    wanted.sort(key=lambda item: (-item.count, str(item.value)))
    assert list(shop.reader.facet(FacetQuery(field, where))) == wanted
    assert list(shop.reader.facet(FacetQuery(field, where, limit=2))) == wanted[:2]


def test_facets_of_names_and_identifiers(shop: Shop) -> None:
    names = {item.value: item.count for item in shop.reader.facet(FacetQuery("attribute_names"))}
    assert names == Counter(name for payload in shop.products() for name in payload.attributes)
    identifiers = shop.reader.facet(FacetQuery("identifiers", AnyOf("product_id", ("p2",))))
    assert [item.value for item in identifiers] == ["gtin2", "p2"]


@pytest.mark.parametrize("field", ["price_minor", "updated_at"])
def test_what_has_no_values_to_count_is_told(shop: Shop, field: str) -> None:
    with pytest.raises(FilterInvalid, match="range"):
        shop.reader.facet(FacetQuery(field))
    with pytest.raises(FilterFieldUnknown, match="category_path"):
        shop.reader.facet(FacetQuery("category"))
    with pytest.raises(FilterInvalid, match="at least one"):
        shop.reader.facet(FacetQuery("brand", limit=0))


def test_prices_have_a_range(shop: Shop) -> None:
    for where in (None, AnyOf("brand", ("Acme",)), Range("price_minor", gt=1, lt=102)):
        prices = [item.price_minor for item in shop.products(where) if item.price_minor is not None]
        found = shop.reader.price_range(where)
        assert found is not None
        assert (found.min_minor, found.max_minor) == (min(prices), max(prices))
    assert shop.reader.price_range(Not(Range("price_minor", gte=0))) is None


def rank(by: Order, point: Point) -> tuple[Any, ...]:
    if by == "catalog":
        return (point.id,)
    if by == "newest":
        moment = point.payload.updated_at
        return (not moment, -datetime.fromisoformat(moment).timestamp() if moment else 0, point.id)
    price = point.payload.price_minor
    return (price is None, (price or 0) * (1 if by == "price_asc" else -1), point.id)


@pytest.mark.parametrize("count", [1, 7, 200])
@pytest.mark.parametrize("by", ORDERS)
def test_an_order_names_every_product_once(shop: Shop, by: Order, count: int) -> None:
    where = Not(AnyOf("brand", ("Bolt",)))
    found: list[Any] = []
    while page := shop.reader.ordered(
        OrderedQuery(by, count, where, OrderedAfter.of(by, found[-1]) if found else None)
    ):
        assert len(page) <= count
        found += page
    mains = [item for item in shop.points if item.payload.main and fulfils(where, item.payload)]
    wanted = sorted(mains, key=lambda point: rank(by, point))
    assert [point.payload for point in found] == [point.payload for point in wanted]


@given(where=FILTERS, by=st.sampled_from(ORDERS), count=st.integers(1, 30))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_order_of_some_products_leaves_none_out(shop: Shop, where: Filter, by: Order, count: int) -> None:
    ids: list[str] = []
    after = None
    while page := shop.reader.ordered(OrderedQuery(by, count, where, after)):
        ids += [point.payload.product_id for point in page]
        after = OrderedAfter.of(by, page[-1])
    assert sorted(ids) == sorted(payload.product_id for payload in shop.products(where))


def test_variants_are_one_hit(shop: Shop) -> None:
    where = Range("price_minor", gte=0)
    answer = shop.reader.search(SearchQuery(unit_vector(7), 100, where=where, group_by="item_group"))
    fulfilling = [item for item in shop.points if fulfils(where, item.payload)]
    groups: dict[str, list[Point]] = {}
    for point in fulfilling:
        key = f"group {point.payload.item_group_id}" if point.payload.item_group_id else point.payload.product_id
        groups.setdefault(key, []).append(point)
    assert len(answer.hits) == len(groups)
    scores = {point.id: float(point.vector @ unit_vector(7)) for point in fulfilling}
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)
    for hit in answer.hits:
        group = hit.point.payload.item_group_id
        members = groups[f"group {group}" if group else hit.product_id]
        best = max(members, key=lambda point: scores[point.id])
        assert hit.point.id == best.id
        own = {point.id for point in members if point.payload.product_id == hit.product_id}
        assert {point.id for point in hit.matched} == own
        others = {point.payload.product_id for point in members} - {hit.product_id}
        assert {point.product_id for point in hit.variants} == others
        assert len(hit.variants) == len(others)


def test_all_pictures_of_a_hit_are_told_best_first(shop: Shop) -> None:
    for hit in shop.reader.search(SearchQuery(unit_vector(3), 100)).hits:
        assert hit.variants == ()
        assert hit.matched[0].id == hit.point.id
        assert [point.score for point in hit.matched] == sorted((point.score for point in hit.matched), reverse=True)
        assert len(hit.matched) == sum(item.payload.product_id == hit.product_id for item in shop.points)


def test_pages_join_under_a_filter(shop: Shop) -> None:
    where = Or((AnyOf("in_stock", (True,)), AnyOf("attributes.color", ("red",))))
    whole = [hit.product_id for hit in shop.reader.search(SearchQuery(unit_vector(9), 100, where=where)).hits]
    queries = [SearchQuery(unit_vector(9), 7, offset, where=where) for offset in range(0, 77, 7)]
    assert [hit.product_id for query in queries for hit in shop.reader.search(query).hits] == whole
    left = {item.payload.product_id for item in shop.points if fulfils(where, item.payload)}
    assert sorted(whole) == sorted(left)
    without = SearchQuery(unit_vector(9), 100, exclude_product_id=whole[0], where=where)
    assert [hit.product_id for hit in shop.reader.search(without).hits] == whole[1:]


def test_points_are_found_by_id(shop: Shop) -> None:
    wanted = shop.points[:3]
    unknown = made_up_point("none", 0, seed=1).id
    found = shop.reader.points([*(point.id for point in wanted), unknown])
    assert {identity: point.payload for identity, point in found.items()} == {
        point.id: point.payload for point in wanted
    }
    assert shop.reader.points([]) == {}


def test_the_reader_of_an_event_loop_answers_the_same(shop: Shop) -> None:
    where = AnyOf("brand", ("Acme", "acme"))

    async def compare() -> None:
        reader = shop.store.async_reader(shop.alias)
        near = NearestQuery(unit_vector(4), 9, where)
        assert [point.id for point in await reader.nearest(near)] == [point.id for point in shop.reader.nearest(near)]
        for field in ("category_path", "attributes.размер"):
            facet = FacetQuery(field, where)
            assert await reader.facet(facet) == shop.reader.facet(facet)
        assert await reader.count_products(where) == shop.reader.count_products(where)
        assert await reader.price_range(where) == shop.reader.price_range(where)
        ordered = OrderedQuery("newest", 5, where)
        assert await reader.ordered(ordered) == shop.reader.ordered(ordered)
        ids = [shop.points[0].id]
        assert await reader.points(ids) == shop.reader.points(ids)
        await reader.close()

    asyncio.run(compare())


def test_points_of_earlier_versions_are_not_passed_over_in_silence(shop: Shop) -> None:
    alias = Alias(f"{shop.alias.catalog}_old", shop.alias.space_id)
    if shop.store.current(alias):
        pytest.skip("asked once of each store")
    old = [replace(point, payload=replace(point.payload, main=None)) for point in shop.points[:4]]
    publish(shop.store, alias, *old, shop.points[5])
    reader = shop.store.reader(alias)
    everything = AnyOf("main", (True, False))
    for ask in (
        lambda: reader.facet(FacetQuery("brand")),
        reader.count_products,
        reader.price_range,
        lambda: reader.ordered(OrderedQuery("catalog", 1)),
        lambda: reader.search(SearchQuery(unit_vector(1), 1, where=Not(everything))),
        lambda: reader.nearest(NearestQuery(unit_vector(1), 1, And((everything,)))),
    ):
        with pytest.raises(CollectionOutdated, match=r"4 of 5 points.*index FEED"):
            ask()
    # what these fields are not needed for goes on
    assert reader.search(SearchQuery(unit_vector(1), 9, where=Range("price_minor", gte=0))) is not None
    writer = shop.store.writer(alias, made_up_space())
    assert sorted(writer.outdated_product_ids()) == sorted(point.payload.product_id for point in old)
    wanted = with_main({point.id: point.payload for point in old})
    updates = [PayloadUpdate(item.id, wanted[item.id], wanted[item.id].changed_fields(item.payload)) for item in old]
    writer.write(BatchChange(payloads=tuple(updates)))
    assert list(writer.outdated_product_ids()) == []
    writer.publish()
    writer.close()
    reader.refresh()
    assert reader.count_products(everything) == sum(bool(item.main) for item in wanted.values()) + bool(
        shop.points[5].payload.main
    )
    assert {item.value for item in reader.facet(FacetQuery("category_path"))} == {
        path for item in (*wanted.values(), shop.points[5].payload) if item.main for path in item.category_path
    }
