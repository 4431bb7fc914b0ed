"""What one tenant writes, changes and removes leaves another's points as they are, ids and pictures being the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from indexer.errors import ConfigurationError
from indexer.points import Point, StoredPoint, point_id
from indexer.store.filters import AnyOf, Not, Or
from indexer.store.port import Alias, BatchChange, PayloadUpdate, VectorStore
from indexer.store.queries import FacetQuery, LexicalQuery, NearestQuery, OrderedQuery, SearchQuery
from indexer.store.tenant_store import of_tenant, tenant_of
from indexer.store.tuning import IndexTuning
from tests.points import made_up_point, made_up_space, unit_vector
from tests.stores import opened_store

SPACE = made_up_space()
ALIAS = Alias("shops", SPACE.space_id)


def point_of(tenant: str, product_id: str, position: int, seed: int, price_minor: int) -> Point:
    made = made_up_point(product_id, position, seed, price_minor=price_minor)
    payload = replace(made.payload, tenant=tenant, brand=f"{tenant} brand", title=f"{tenant} lamp {product_id}")
    return Point(point_id(product_id, payload.image_sha256, tenant), made.vector, payload)


def written(store: VectorStore, tenant: str, change: BatchChange) -> None:
    with closing(of_tenant(store, tenant).writer(ALIAS, SPACE)) as writer:
        assert tenant_of(writer) == tenant
        writer.write(change)
        writer.publish()


def points_of(tenant: str) -> list[Point]:
    """Of six products, two pictures each: the same pictures in every shop."""
    price = {"north": 100, "south": 900}[tenant]
    return [
        point_of(tenant, f"p{number}", position, number * 2 + position, price + number)
        for number in range(6)
        for position in range(2)
    ]


@pytest.fixture(params=["edge", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    opened = opened_store(request.param, tmp_path, "", IndexTuning(exact_below=500, tenants=True))
    for tenant in ("north", "south"):
        written(opened, tenant, BatchChange(points=tuple(points_of(tenant))))
    yield opened
    opened.close()


def all_of(store: VectorStore, tenant: str) -> dict[UUID, StoredPoint]:
    with closing(of_tenant(store, tenant).reader(ALIAS)) as reader:
        return {
            point.id: point
            for points in reader.product_points([f"p{number}" for number in range(6)]).values()
            for point in points
        }


def test_the_same_picture_of_the_same_product_is_a_point_of_each(store: VectorStore) -> None:
    north, south = all_of(store, "north"), all_of(store, "south")
    assert len(north) == len(south) == 12
    assert not north.keys() & south.keys()
    with closing(store.reader(ALIAS)) as everything:
        assert everything.status().points == 24
        assert {p.payload.tenant for p in everything.points(list(north)).values()} == {"north"}


def test_no_question_of_a_tenant_is_answered_with_another_s_points(store: VectorStore) -> None:
    south_ids = list(all_of(store, "south"))
    theirs = AnyOf("tenant", ("south",))
    with closing(of_tenant(store, "north").reader(ALIAS)) as reader:
        # a filter that names the other tenant, or asks for everything but one's own, does not help
        for where in (None, Or((theirs, AnyOf("brand", ("south brand",)))), Not(AnyOf("tenant", ("north",)))):
            hits = reader.search(SearchQuery(unit_vector(3), 50, where=where)).hits
            assert {hit.point.payload.tenant for hit in hits} <= {"north"}
            assert len(hits) == (6 if where is None else 0)
            assert len(reader.nearest(NearestQuery(unit_vector(3), 50, where))) == (12 if where is None else 0)
            assert reader.count_products(where) == (6 if where is None else 0)
            assert len(reader.ordered(OrderedQuery("price_asc", 50, where))) == (6 if where is None else 0)
            assert len(reader.ordered(OrderedQuery("catalog", 50, where))) == (6 if where is None else 0)
            assert len(reader.lexical(LexicalQuery("lamp", 50, where))) == (6 if where is None else 0)
        prices = reader.price_range()
        assert prices is not None
        assert (prices.min_minor, prices.max_minor) == (100, 105)
        assert [item.value for item in reader.facet(FacetQuery("brand"))] == ["north brand"]
        assert [item.value for item in reader.facet(FacetQuery("tenant"))] == ["north"]
        assert reader.lexical(LexicalQuery("south", 50)) == ()
        assert reader.points(south_ids) == {}
        assert reader.vectors(south_ids) == {}
        assert {point.payload.tenant for points in reader.product_points(["p1"]).values() for point in points} == {
            "north"
        }
        assert reader.status().points == 12


def test_what_a_tenant_changes_and_removes_leaves_the_other_as_it_is(store: VectorStore) -> None:
    before = all_of(store, "south")
    own = all_of(store, "north")
    cheaper = [replace(point.payload, price_minor=1) for point in own.values()]
    written(
        store,
        "north",
        BatchChange(
            payloads=tuple(
                PayloadUpdate(identity, payload, frozenset({"price_minor"}))
                for identity, payload in zip(own, cheaper, strict=True)
            )
        ),
    )
    with closing(of_tenant(store, "north").writer(ALIAS, SPACE)) as writer:
        assert sorted(writer.product_ids()) == sorted(f"p{number}" for number in range(6) for _ in range(2))
        writer.delete_products(["p1", "p2"])
        assert list(writer.outdated_product_ids()) == []
        writer.publish()
    assert all_of(store, "south") == before
    left = all_of(store, "north")
    assert {point.payload.product_id for point in left.values()} == {"p0", "p3", "p4", "p5"}
    assert {point.payload.price_minor for point in left.values()} == {1}


def test_a_writer_refuses_another_s_point_and_writes_nothing(store: VectorStore) -> None:
    own, foreign = point_of("north", "new", 0, 77, 1), point_of("south", "new", 0, 77, 1)
    with closing(of_tenant(store, "north").writer(ALIAS, SPACE)) as writer:
        with pytest.raises(ValueError, match="'south'"):
            writer.write(BatchChange(points=(own, foreign)))
        update = PayloadUpdate(foreign.id, foreign.payload, frozenset({"title"}))
        with pytest.raises(ValueError, match="'south'"):
            writer.write(BatchChange(payloads=(update,)))
        with pytest.raises(ValueError, match="''"):
            writer.write(BatchChange(points=(made_up_point("new", 0, 77),)))
        assert writer.product_points(["new"]) == {}


def test_annotations_are_a_tenant_s_own_and_collections_nobody_s(store: VectorStore) -> None:
    collection = store.current(ALIAS)
    of_tenant(store, "north").annotate(collection, "calibration", {"of": "north"})
    for tenant, expected in (("north", {"of": "north"}), ("south", None)):
        with closing(of_tenant(store, tenant).reader(ALIAS)) as reader:
            assert reader.annotation("calibration") == expected
    with closing(store.reader(ALIAS)) as everything:
        assert everything.annotation("calibration") is None
    north = of_tenant(store, "north")
    for refused in (
        lambda: north.target(ALIAS, SPACE),
        lambda: north.promote(ALIAS, collection),
        lambda: north.prune(ALIAS),
        north.collections,
    ):
        with pytest.raises(ConfigurationError, match="all tenants"):
            refused()


def test_without_a_tenant_nothing_is_wrapped_and_points_are_as_they_were(store: VectorStore) -> None:
    assert of_tenant(store, "") is store
    point = made_up_point("p", 0, 1)
    assert "tenant" not in point.payload.to_json()
    # computed by the version before there were tenants
    assert str(point_id("p", "0" * 64)) == "049de1a2-c713-5111-bc62-17f7ccb1af73"
