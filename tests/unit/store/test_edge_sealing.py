"""Points that a run wrote are put out of memory, and nothing of them is lost or found less well for it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import qdrant_edge as edge

from indexer.points import Point
from indexer.store.edge_graphs import is_sealed, points_at_rest
from indexer.store.edge_optimizer import EdgeOptimizer  # noqa: F401 - scripts in processes use it
from indexer.store.edge_segments import optimize, seal, sealing_config
from indexer.store.edge_shard import EdgeShard
from indexer.store.edge_store import EdgeStore
from indexer.store.filters import AnyOf
from indexer.store.port import Alias, BatchChange, CollectionWriter, PayloadUpdate
from indexer.store.queries import NearestQuery
from indexer.store.tuning import IndexTuning
from tests.points import DIM, made_up_point, made_up_space, unit_vector
from tests.processes import REPOSITORY, has_ended

TUNING = IndexTuning(exact_below=100, sealed_at=200)
ALIAS = Alias("shop", "products")
SPACE = made_up_space()
_SOON_S = 30


@cache
def point(number: int) -> Point:
    return made_up_point(f"p{number}", 0, seed=number, price_minor=number)


def points(*numbers: int) -> tuple[Point, ...]:
    return tuple(point(number) for number in range(*numbers))


def priced(number: int, price_minor: int) -> BatchChange:
    before = point(number).payload
    after = replace(before, price_minor=price_minor)
    return BatchChange(payloads=(PayloadUpdate(point(number).id, after, after.changed_fields(before)),))


def segments(folder: Path) -> int:
    return len(list(folder.glob("segments/*")))


def filled(folder: Path) -> EdgeShard:
    """600 points, sealed twice; 7 of them removed since, and one with another price."""
    shard = EdgeShard.create(folder, DIM, TUNING)
    for start in (0, 250):
        shard.apply(BatchChange(points=points(start, start + 250)))
        shard.close()
        seal(folder, DIM, TUNING)
        shard = EdgeShard.open(folder, TUNING, points=start + 250)
    shard.apply(BatchChange(points=points(500, 600)))
    shard.apply(priced(3, 99_999))
    shard.apply(BatchChange(deletions=tuple(item.id for item in points(10, 17))))
    return shard


def assert_whole(shard: EdgeShard) -> None:
    kept = [number for number in range(600) if number not in range(10, 17)]
    assert shard.count() == len(kept)
    vectors = shard.vectors([point(number).id for number in range(600)])
    assert vectors.keys() == {point(number).id for number in kept}
    assert all((abs(vectors[point(number).id] - point(number).vector) < 1e-6).all() for number in kept)
    assert shard.count(AnyOf("brand", ("Acme",))) == len(kept)
    assert [item.payload.price_minor for item in shard.of_products(["p3", "p4"])] in ([99_999, 4], [4, 99_999])


def test_what_is_sealed_is_at_rest_and_can_be_read_changed_and_removed(tmp_path: Path) -> None:
    shard = filled(tmp_path / "shard")
    assert_whole(shard)
    assert (shard.indexed_count(), shard.needs_optimizing()) == (0, True)
    assert points_at_rest(tmp_path / "shard") == 500 - 7 - 1
    shard.close()
    # two that were sealed, which the second time did not bring together, and one for what comes
    assert segments(tmp_path / "shard") == 3


def test_the_search_index_is_that_of_a_shard_that_was_never_sealed(tmp_path: Path) -> None:
    filled(tmp_path / "shard").close()
    optimize(tmp_path / "shard", DIM, TUNING)
    other = EdgeShard.create(tmp_path / "other", DIM, TUNING)
    other.apply(BatchChange(points=points(600)))
    other.apply(priced(3, 99_999))
    other.apply(BatchChange(deletions=tuple(item.id for item in points(10, 17))))
    other.close()
    optimize(tmp_path / "other", DIM, TUNING)
    one, another = [json.loads((tmp_path / name / "edge_config.json").read_bytes()) for name in ("shard", "other")]
    assert one == another
    assert segments(tmp_path / "shard") == segments(tmp_path / "other") == 2
    with closing(EdgeShard.open(tmp_path / "shard", TUNING)) as shard:
        assert_whole(shard)
        assert (shard.indexed_count(), shard.needs_optimizing(), is_sealed(tmp_path / "shard")) == (593, False, False)
        queries = [unit_vector(seed) for seed in range(5000, 5020)]
        for query in queries:
            exact = [hit.id for hit in shard.nearest(query, 10, exact=True)]
            assert [hit.id for hit in shard.nearest(query, 10)] == exact
    quantized = list((tmp_path / "shard").glob("segments/*/vector_storage-image/quantized.data"))
    assert len(quantized) == 1


def test_a_shard_whose_sealing_only_began_gets_a_graph_with_edges(tmp_path: Path) -> None:
    """The engine keeps the configuration first: killed then, it would build a graph without edges next."""
    folder = tmp_path / "shard"
    shard = EdgeShard.create(folder, DIM, TUNING)
    shard.apply(BatchChange(points=points(300)))
    shard.close()
    edge.EdgeShard.load(str(folder), sealing_config(DIM, TUNING)).close()
    assert is_sealed(folder)
    optimize(folder, DIM, TUNING)
    with closing(EdgeShard.open(folder, TUNING, points=300)) as shard:
        assert (shard.indexed_count(), is_sealed(folder)) == (300, False)


def test_few_points_that_are_left_of_sealed_ones_are_searched_too(tmp_path: Path) -> None:
    folder = tmp_path / "shard"
    shard = EdgeShard.create(folder, DIM, TUNING)
    shard.apply(BatchChange(points=points(250)))
    shard.close()
    seal(folder, DIM, TUNING)
    shard = EdgeShard.open(folder, TUNING)
    shard.delete([item.id for item in points(20, 250)])
    shard.flush()
    assert shard.needs_optimizing()
    shard.close()
    optimize(folder, DIM, TUNING)
    with closing(EdgeShard.open(folder, TUNING, points=20)) as shard:
        assert not shard.needs_optimizing()
        assert {shard.nearest(item.vector, 1)[0].id for item in points(20)} == {item.id for item in points(20)}


@pytest.mark.parametrize("step", ["seal", "optimize"])
def test_a_process_that_is_killed_at_it_loses_nothing(tmp_path: Path, step: str) -> None:
    folder = tmp_path / "shard"
    filled(folder).close()
    script = f"from tests.unit.store.test_edge_sealing import *; {step}(Path({str(folder)!r}), DIM, TUNING)"
    luck = random.Random(step)
    for _ in range(4):
        busy = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY)
        before, deadline_s = segments(folder), time.monotonic() + _SOON_S
        while busy.poll() is None and segments(folder) == before and time.monotonic() < deadline_s:
            time.sleep(0.0005)  # until the engine has begun to write
        time.sleep(luck.uniform(0, 0.03))
        busy.kill()
        busy.wait()
        with closing(EdgeShard.open(folder, TUNING)) as shard:
            assert_whole(shard)
    optimize(folder, DIM, TUNING)
    with closing(EdgeShard.open(folder, TUNING)) as shard:
        assert_whole(shard)
        assert (shard.indexed_count(), is_sealed(folder)) == (593, False)


@pytest.fixture(params=["run", "reindex"])
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CollectionWriter]:
    store = EdgeStore(tmp_path, TUNING, follow_s=0)
    made = store.writer(ALIAS, SPACE) if request.param == "run" else store.target(ALIAS, SPACE)
    with closing(made) as writer:
        yield writer


def shard_folder(writer: CollectionWriter, root: Path) -> Path:
    return root / "collections" / writer.collection / "shard"


def test_a_run_seals_what_it_wrote_while_batches_are_read(writer: CollectionWriter, tmp_path: Path) -> None:
    ids = [f"p{number}" for number in range(700)]
    wrong: list[object] = []
    done = threading.Event()
    written = 0

    def read() -> None:
        while not done.is_set():
            known = written
            found = writer.product_points(ids[:known])
            if len(found) < known:
                wrong.append((known, len(found)))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for start in range(0, 700, 50):
            writer.write(BatchChange(points=points(start, start + 50)))
            written = start + 50
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not wrong
    assert points_at_rest(shard_folder(writer, tmp_path)) == 600  # three times 200
    folder = shard_folder(writer, tmp_path)
    assert writer.publish()
    assert (points_at_rest(folder), is_sealed(folder)) == (700, False)
    with closing(EdgeShard.open(folder, TUNING, points=700)) as shard:
        assert shard.indexed_count() == 700


def test_a_graph_is_never_built_anew_for_it(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path, TUNING, follow_s=0)
    with closing(store.writer(ALIAS, SPACE)) as writer:
        writer.write(BatchChange(points=points(300)))
        writer.publish()
    with closing(store.writer(ALIAS, SPACE)) as writer:
        writer.write(BatchChange(points=points(300, 600)))
        folder = shard_folder(writer, tmp_path)
        assert points_at_rest(folder) == 300
        assert not is_sealed(folder)
        writer.publish()
    reader = store.reader(ALIAS)
    assert reader.status().points == 600
    found = reader.nearest(NearestQuery(point(450).vector, count=1))
    assert [hit.product_id for hit in found] == ["p450"]


def test_the_process_that_builds_ends_with_the_one_that_waits_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "shard"
    shard = EdgeShard.create(folder, DIM, TUNING)
    for start in range(0, 12_000, 1000):
        shard.upsert([made_up_point(f"p{number}", 0, seed=number) for number in range(start, start + 1000)])
    shard.flush()
    shard.close()
    script = (
        "from tests.unit.store.test_edge_sealing import *\n"
        f"shard = EdgeShard.open(Path({str(folder)!r}), TUNING)\n"
        f"EdgeOptimizer(Path({str(folder)!r}), 'c', DIM, TUNING).build_search_index(shard)"
    )
    run = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY)
    builder = None
    deadline_s = time.monotonic() + _SOON_S
    while builder is None and run.poll() is None and time.monotonic() < deadline_s:
        for child in psutil.Process(run.pid).children():
            with suppress(psutil.Error):
                if any(item.path.startswith(str(folder)) for item in child.memory_maps()):
                    child.suspend()  # in the middle of it; nothing but being killed can end it now
                    builder = child
    run.kill()
    run.wait()
    assert builder is not None
    while not has_ended(builder) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert has_ended(builder)
    optimize(folder, DIM, TUNING)
    with closing(EdgeShard.open(folder, TUNING, points=12_000)) as shard:
        assert shard.indexed_count() == 12_000
