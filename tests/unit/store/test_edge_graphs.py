"""How many points of an embedded shard are in its graph, whatever was done to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from indexer.store.edge_graphs import points_in_graphs
from indexer.store.edge_segments import optimize
from indexer.store.edge_shard import EdgeShard
from indexer.store.port import BatchChange, PayloadUpdate
from indexer.store.tuning import IndexTuning
from tests.points import DIM, made_up_point

TUNING = IndexTuning(exact_below=100)
POINTS = [made_up_point(f"p{number}", 0, seed=number) for number in range(300)]


def with_title(title: str, start: int, end: int) -> BatchChange:
    payloads = [(point.id, point.payload, replace(point.payload, title=title)) for point in POINTS[start:end]]
    return BatchChange(payloads=tuple(PayloadUpdate(key, new, new.changed_fields(old)) for key, old, new in payloads))


def test_points_that_were_changed_or_removed_are_in_no_graph_until_it_is_built_again(tmp_path: Path) -> None:
    folder = tmp_path / "shard"
    shard = EdgeShard.create(folder, DIM, TUNING)
    shard.apply(BatchChange(points=tuple(POINTS)))
    assert (shard.indexed_count(), shard.needs_optimizing()) == (0, True)
    shard.close()
    optimize(folder, DIM, TUNING)
    shard = EdgeShard.open(folder, TUNING)
    assert (shard.indexed_count(), shard.needs_optimizing()) == (300, False)
    shard.apply(with_title("Kettle", 0, 40))
    assert (shard.indexed_count(), shard.needs_optimizing()) == (260, False)
    dearer = replace(POINTS[50].payload, price_minor=7)
    update = PayloadUpdate(POINTS[50].id, dearer, dearer.changed_fields(POINTS[50].payload))
    shard.apply(BatchChange(payloads=(update,)))
    assert shard.indexed_count() == 259
    shard.apply(BatchChange(deletions=tuple(point.id for point in POINTS[30:60])))
    assert (shard.count(), shard.indexed_count()) == (270, 240)
    shard.delete_products([point.payload.product_id for point in POINTS[60:70]])
    shard.flush()
    assert (shard.count(), shard.indexed_count(), shard.needs_optimizing()) == (260, 230, False)
    shard.apply(with_title("Kettle", 100, 180))
    assert (shard.indexed_count(), shard.needs_optimizing()) == (150, True)
    shard.close()
    assert points_in_graphs(folder) == 150
    optimize(folder, DIM, TUNING)
    shard = EdgeShard.open(folder, TUNING)
    assert (shard.count(), shard.indexed_count(), shard.needs_optimizing()) == (260, 260, False)
    shard.close()
