"""Payload indexes of embedded shards: there before the first point, kept through everything, and answering filters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from indexer.store.edge_files import copy_shard
from indexer.store.edge_shard import EdgeShard, below, equals, optimize
from indexer.store.payload_indexes import PAYLOAD_INDEXES
from indexer.store.port import BatchChange
from indexer.store.tuning import IndexTuning
from tests.points import DIM, made_up_point, unit_vector

TUNING = IndexTuning(exact_below=100)


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> EdgeShard:
    """300 points with a graph, copied and opened again; every third out of stock, prices 0 to 299."""
    folder = tmp_path_factory.mktemp("shard")
    made = EdgeShard.create(folder / "first", DIM, TUNING)
    assert made.indexed_fields() == dict.fromkeys(PAYLOAD_INDEXES, 0)
    points = []
    for number in range(300):
        point = made_up_point(f"p{number}", 0, seed=number, price_minor=number)
        changed = {"in_stock": number % 3 > 0, "brand": f"brand {number % 10}", "updated_at": "2026-01-01T00:00:00Z"}
        points.append(replace(point, payload=replace(point.payload, **changed)))  # type: ignore[arg-type]
    made.apply(BatchChange(points=tuple(points)))
    made.close()
    optimize(folder / "first")
    copy_shard(folder / "first", folder / "copy")
    return EdgeShard.open(folder / "copy", TUNING, points=300)


def test_every_field_that_is_to_be_indexed_is(shard: EdgeShard) -> None:
    assert shard.indexed_fields() == dict.fromkeys(PAYLOAD_INDEXES, 300)


@pytest.mark.parametrize("exact", [False, True])
def test_filters_find_exactly_what_fulfils_them(shard: EdgeShard, exact: bool) -> None:
    def found(*where: object) -> set[int]:
        hits = shard.nearest(unit_vector(1), 300, exact=exact, where=where)  # type: ignore[arg-type]
        return {int(hit.product_id.removeprefix("p")) for hit in hits}

    assert found(equals("brand", "brand 7")) == set(range(7, 300, 10))
    assert found(below("price_minor", 30)) == set(range(30))
    # the binding takes Python's booleans for integers, which no such index has
    assert found(equals("in_stock", value=True)) == {number for number in range(300) if number % 3 > 0}
    assert found(equals("in_stock", value=False)) == set(range(0, 300, 3))
    assert found(equals("category", "Kitchen"), equals("in_stock", value=False), below("price_minor", 10)) == {
        0,
        3,
        6,
        9,
    }


def test_a_filter_and_an_excluded_product_hold_together(shard: EdgeShard) -> None:
    hits = shard.nearest(unit_vector(1), 300, "p3", where=[below("price_minor", 6)])
    assert {hit.product_id for hit in hits} == {"p0", "p1", "p2", "p4", "p5"}
