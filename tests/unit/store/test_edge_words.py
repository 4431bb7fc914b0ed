"""Words of products in an embedded shard whose writer is killed."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from indexer.lexical.sparse import query_vector
from indexer.points import Point, PointPayload
from indexer.store.edge_shard import EdgeShard
from indexer.store.filters import AnyOf
from indexer.store.port import BatchChange, PayloadUpdate
from indexer.store.tuning import IndexTuning
from tests.points import DIM, made_up_point

TUNING = IndexTuning(exact_below=50)
POINTS = [made_up_point(f"p{number}", 0, seed=number) for number in range(120)]


def changed(point: Point) -> PayloadUpdate:
    payload: PointPayload = replace(point.payload, title="Kettle")
    return PayloadUpdate(point.id, payload, payload.changed_fields(point.payload))


def killed_writer(folder: Path, after: str) -> None:
    """Writes new titles, and is killed at a place."""
    shard = EdgeShard.open(folder, TUNING)
    updates = [changed(point) for point in POINTS]
    if after == "words unflushed":
        shard.flush = lambda: None  # type: ignore[method-assign]
    shard.update_words(updates)
    os.kill(os.getpid(), signal.SIGKILL)


def titles_and_kettles(folder: Path) -> tuple[int, set[str], int]:
    """Points, their titles, and how many are found as kettles."""
    shard = EdgeShard.open(folder, TUNING)
    titles = {point.payload.title for point in shard.of_products([item.payload.product_id for item in POINTS])}
    found = shard.lexical(query_vector("kettle"), 1000, AnyOf("main", (True,)))
    count = shard.count()
    shard.close()
    return count, titles, len(found or ())


@pytest.mark.parametrize("after", ["words unflushed", "words"])
def test_no_title_is_there_without_its_words_and_the_next_writer_brings_both(tmp_path: Path, after: str) -> None:
    folder = tmp_path / "shard"
    shard = EdgeShard.create(folder, DIM, TUNING)
    shard.upsert(POINTS)
    shard.flush()
    shard.close()
    process = get_context("spawn").Process(target=killed_writer, args=(folder, after))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    count, titles, kettles = titles_and_kettles(folder)
    assert count == len(POINTS)
    assert kettles == len(POINTS) or titles == {point.payload.title for point in POINTS}
    shard = EdgeShard.open(folder, TUNING)
    shard.apply(BatchChange(payloads=tuple(changed(point) for point in POINTS)))
    shard.close()
    assert titles_and_kettles(folder) == (len(POINTS), {"Kettle"}, len(POINTS))
