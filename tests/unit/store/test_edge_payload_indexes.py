"""Payload indexes of embedded shards: there before the first point, kept through everything, and answering filters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from indexer.store.edge_files import copy_shard
from indexer.store.edge_segments import optimize
from indexer.store.edge_shard import EdgeShard
from indexer.store.filters import And, AnyOf, Filter, Not, Range
from indexer.store.payload_indexes import PAYLOAD_INDEXES
from indexer.store.port import BatchChange
from indexer.store.tuning import IndexTuning
from tests.points import DIM, made_up_point, unit_vector

TUNING = IndexTuning(exact_below=100, facet_attributes=("color", "size"))


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> EdgeShard:
    """300 points with a graph, copied and opened again; every third out of stock, prices 0 to 299."""
    folder = tmp_path_factory.mktemp("shard")
    made = EdgeShard.create(folder / "first", DIM, TUNING)
    assert made.indexed_fields() == PAYLOAD_INDEXES.keys()
    points = []
    for number in range(300):
        point = made_up_point(f"p{number}", 0, seed=number, price_minor=number)
        changed = {"in_stock": number % 3 > 0, "brand": f"brand {number % 10}", "updated_at": "2026-01-01T00:00:00Z"}
        points.append(replace(point, payload=replace(point.payload, **changed)))  # type: ignore[arg-type]
    made.apply(BatchChange(points=tuple(points)))
    made.close()
    optimize(folder / "first", DIM, TUNING)
    copy_shard(folder / "first", folder / "copy")
    return EdgeShard.open(folder / "copy", TUNING, points=300)


def test_every_field_that_is_to_be_indexed_is(shard: EdgeShard) -> None:
    assert shard.indexed_fields() == {*PAYLOAD_INDEXES, "attributes.color"}
    assert not shard.missing_indexes()


@pytest.mark.parametrize("exact", [False, True])
def test_filters_find_exactly_what_fulfils_them(shard: EdgeShard, exact: bool) -> None:
    def found(*where: Filter) -> set[int]:
        hits = shard.nearest(unit_vector(1), 300, And(where), exact=exact)
        return {int(hit.product_id.removeprefix("p")) for hit in hits}

    cheap = Range("price_minor", lt=10)
    assert found(AnyOf("brand", ("brand 7",))) == set(range(7, 300, 10))
    assert found(Range("price_minor", lt=30)) == set(range(30))
    # the binding takes Python's booleans for integers, which no such index has
    assert found(AnyOf("in_stock", (True,))) == {number for number in range(300) if number % 3 > 0}
    assert found(AnyOf("in_stock", (False,))) == set(range(0, 300, 3))
    assert found(AnyOf("category_path", ("Home > Kitchen",)), AnyOf("in_stock", (False,)), cheap) == {0, 3, 6, 9}
    assert found(Not(AnyOf("product_id", ("p3",))), Range("price_minor", lt=6)) == {0, 1, 2, 4, 5}
