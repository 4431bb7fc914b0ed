"""Generations on disk: the lock, the pointer, what is kept, and what a crash leaves."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from indexer.errors import StoreDamaged, StoreLocked, StoreUnavailable
from indexer.store.edge_reader import EdgeReader
from indexer.store.edge_store import EdgeStore
from indexer.store.generations import GenerationFolders
from indexer.store.port import Alias, BatchChange
from indexer.store.queries import SearchQuery
from indexer.store.tuning import IndexTuning
from tests.points import made_up_point, made_up_space, unit_vector
from tests.processes import REPOSITORY

SPACE = made_up_space()
ALIAS = Alias("products", SPACE.space_id)
TUNING = IndexTuning(exact_below=100)


@pytest.fixture
def store(tmp_path: Path) -> EdgeStore:
    return EdgeStore(tmp_path / "store", TUNING, follow_s=0.02)


def publish(store: EdgeStore, *product_ids: str) -> str:
    writer = store.writer(ALIAS, SPACE)
    writer.write(BatchChange(points=tuple(made_up_point(item, 0, seed=hash_of(item)) for item in product_ids)))
    collection = writer.collection
    writer.publish()
    writer.close()
    return collection


def hash_of(product_id: str) -> int:
    return sum(product_id.encode())


def test_a_second_writer_is_told_who_holds_the_lock(store: EdgeStore, tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from indexer.store.writer_lock import WriterLock;"
        "lock = WriterLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "store")], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        with pytest.raises(StoreLocked, match=f"process {holder.pid} on .*since"):
            store.writer(ALIAS, SPACE)
    finally:
        holder.kill()  # and nothing is cleaned up: the operating system lets go of the lock
        holder.wait()
        holder.stdout.close()
    store.writer(ALIAS, SPACE).close()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreUnavailable, match="--data-dir"):
        EdgeStore(tmp_path / "file" / "store", TUNING).writer(ALIAS, SPACE)


def test_the_current_generation_and_the_one_before_are_kept(store: EdgeStore) -> None:
    names = [publish(store, f"p{number}") for number in range(5)]
    assert [status.collection for status in store.collections()] == names[-2:]
    assert [bool(status.alias) for status in store.collections()] == [False, True]


def test_a_reader_moves_on_by_itself(store: EdgeStore) -> None:
    first = publish(store, "p1")
    reader = store.reader(ALIAS)
    assert reader.status().collection == first
    second = publish(store, "p2")
    deadline_s = time.monotonic() + 20
    while reader.status().collection != second and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert reader.status().points == 2
    store.close()


def test_no_query_fails_or_mixes_while_generations_change(store: EdgeStore) -> None:
    publish(store, "p0")
    reader = store.reader(ALIAS)
    failures: list[BaseException] = []
    answers: list[tuple[str, int]] = []
    stop = threading.Event()

    def search() -> None:
        try:
            while not stop.is_set():
                answer = reader.search(SearchQuery(unit_vector(1), 100))
                answers.append((answer.collection, len(answer.hits)))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    sizes = {}
    for number in range(1, 5):
        sizes[publish(store, f"p{number}")] = number + 1
        time.sleep(0.05)
    time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    store.close()
    assert not failures
    assert len({collection for collection, _ in answers}) > 1
    for collection, size in answers:
        assert size == sizes.get(collection, 1)


def test_several_processes_read_while_one_writes(store: EdgeStore, tmp_path: Path) -> None:
    publish(store, "p1")
    script = (
        "import sys; from pathlib import Path; from indexer.store.edge_store import EdgeStore;"
        "from indexer.store.port import Alias; from indexer.store.tuning import IndexTuning;"
        "reader = EdgeStore(Path(sys.argv[1]), IndexTuning(), follow_s=0).reader(Alias('products', sys.argv[2]));"
        "print(reader.status().points, flush=True); sys.stdin.readline(); print(reader.status().points, flush=True)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "store"), SPACE.space_id]
    readers = [
        subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "1\n"
    publish(store, "p2")
    for reader in readers:
        rest, _ = reader.communicate("go\n")
        assert (rest, reader.returncode) == ("2\n", 0)


def test_a_large_enough_generation_gets_its_graph(store: EdgeStore, tmp_path: Path) -> None:
    publish(store, *(f"p{number}" for number in range(99)))
    assert store.collections()[-1].indexed_points == 0
    publish(store, *(f"q{number}" for number in range(50)))
    status = store.collections()[-1]
    assert (status.points, status.indexed_points) == (149, 149)
    # int8 copies of the vectors are made with the graph, and answers are rescored by the originals
    assert list((tmp_path / "store" / "collections" / status.collection).rglob("quantized.data"))
    point = made_up_point("p7", 0, seed=hash_of("p7"))
    (hit,) = store.reader(ALIAS).search(SearchQuery(point.vector, 1)).hits
    assert hit.score == pytest.approx(1, abs=1e-5)
    store.close()


def test_an_unfinished_generation_is_taken_up_by_any_run(store: EdgeStore) -> None:
    publish(store, "p1")
    writer = store.writer(ALIAS, SPACE)
    writer.write(BatchChange(points=(made_up_point("p2", 0, seed=2),)))
    name = writer.collection
    writer.close()
    assert "being written" in store.collections()[-1].detail
    assert publish(store, "p3") == name
    assert EdgeReader(GenerationFolders(store._folders.root), ALIAS, TUNING, follow_s=0).status().points == 3


def test_a_damaged_unfinished_generation_is_begun_anew(
    store: EdgeStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(store, "p1")
    writer = store.writer(ALIAS, SPACE)
    writer.write(BatchChange(points=(made_up_point("p2", 0, seed=2),)))
    name = writer.collection
    writer.close()
    for file in (tmp_path / "store" / "collections" / name).rglob("segment.json"):
        file.write_bytes(b"")
    resumed = store.writer(ALIAS, SPACE, resume_of=name)
    assert not resumed.continues
    assert set(resumed.product_points(["p1", "p2"])) == {"p1"}
    resumed.close()
    assert "begun anew" in caplog.text


def test_an_unfinished_generation_of_an_older_base_is_not_taken_up(store: EdgeStore, tmp_path: Path) -> None:
    publish(store, "p1")
    writer = store.writer(ALIAS, SPACE)
    writer.write(BatchChange(points=(made_up_point("p2", 0, seed=2),)))
    orphan = writer.collection
    writer.close()
    # as if another generation had been published meanwhile
    folders = GenerationFolders(tmp_path / "store")
    record = folders.record(orphan)
    folders.write_record(orphan, type(record)(record.space, "products--older", published=False, created_at=""))
    publish(store, "p3")
    reader = store.reader(ALIAS)
    assert set(reader.product_points(["p1", "p2", "p3"])) == {"p1", "p3"}
    assert orphan not in [status.collection for status in store.collections()]
    store.close()


def test_a_damaged_generation_is_told(store: EdgeStore, tmp_path: Path) -> None:
    name = publish(store, "p1")
    shard = tmp_path / "store" / "collections" / name / "shard"
    for file in shard.rglob("*id_tracker.mappings"):
        file.write_bytes(file.read_bytes()[:5])  # which the engine itself takes for an empty shard
    reader = EdgeStore(tmp_path / "store", TUNING, follow_s=0).reader(ALIAS)
    with pytest.raises(StoreDamaged, match=r"0 points instead of 1.*Roll back"):
        reader.status()
    for file in shard.rglob("segment.json"):
        file.unlink()
    with pytest.raises(StoreDamaged, match="Roll back"):
        reader.status()


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_pointer_is_told(store: EdgeStore, tmp_path: Path, text: str) -> None:
    publish(store, "p1")
    GenerationFolders(tmp_path / "store").pointer(ALIAS).write_text(text)
    with pytest.raises(StoreDamaged, match=r"\.json"):
        EdgeStore(tmp_path / "store", TUNING, follow_s=0).reader(ALIAS).status()


def test_the_pointer_says_since_when(store: EdgeStore, tmp_path: Path) -> None:
    name = publish(store, "p1")
    value = json.loads(GenerationFolders(tmp_path / "store").pointer(ALIAS).read_text("utf-8"))
    assert value["collection"] == name
    assert value["since"].endswith("Z")
