"""Backups of real stores on disk: what is in them, what they are while others write, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from indexer.backup.make import make_backup
from indexer.backup.manifest import DATA, MANIFEST, Manifest, read_manifest
from indexer.backup.progress import BytesProgress, nobody_listens
from indexer.backup.restore import RESTORING, check_backup, restore_backup
from indexer.errors import BackupDamaged, BackupUnreadable, ConfigurationError, StoreLocked, StoreUnavailable
from indexer.events.port import EventKind, ProductEvent
from indexer.events.sqlite import SqliteEventLog
from indexer.ledger.port import BatchReport, Counts, RunPlan, RunState
from indexer.ledger.sqlite import SqliteLedger
from indexer.points import Point
from indexer.store.disk_room import disk_bytes
from indexer.store.edge_store import EdgeStore
from indexer.store.port import Alias, BatchChange
from indexer.store.queries import SearchQuery
from indexer.store.tuning import IndexTuning
from tests.forked import ForkedProgram
from tests.points import made_up_point, made_up_space, unit_vector
from tests.processes import program_environment, run_indexer

SPACE = made_up_space()
ALIAS = Alias("products", SPACE.space_id)
TUNING = IndexTuning(exact_below=100)
POINTS = 300


@dataclass(frozen=True, slots=True)
class Site:
    """An installation with two generations, runs and events, and a backup of it."""

    data_dir: Path
    backup: Path
    manifest: Manifest
    run_id: str


def write(data_dir: Path, points: list[Point], tuning: IndexTuning = TUNING) -> str:
    with closing(EdgeStore(data_dir / "store", tuning, follow_s=0)) as store:
        with closing(store.writer(ALIAS, SPACE)) as writer:
            writer.write(BatchChange(points=tuple(points)))
            collection = writer.collection
            writer.publish()
        store.annotate(collection, "calibration", {"of": collection})
    return collection


def delete_event(number: int) -> ProductEvent:
    return ProductEvent(f"p{number}", EventKind.DELETE, datetime(2026, 1, 1, tzinfo=UTC))


def all_of(data_dir: Path, collection: str) -> dict[Any, Any]:
    """Every point: its payload and its vector, bit by bit."""
    with (
        closing(EdgeStore(data_dir / "store", TUNING, follow_s=0)) as store,
        closing(store.collection_reader(collection)) as reader,
    ):
        stored = reader.product_points([f"p{number}" for number in range(2 * POINTS)])
        points = {point.id: point for each in stored.values() for point in each}
        vectors = reader.vectors(list(points))
        return {id_: (point, vectors[id_].tobytes()) for id_, point in points.items()}


def found(data_dir: Path) -> list[Any]:
    with closing(EdgeStore(data_dir / "store", TUNING, follow_s=0)) as store:
        reader = store.reader(ALIAS)
        return [
            [(hit.product_id, hit.score) for hit in reader.search(SearchQuery(unit_vector(seed), 10)).hits]
            for seed in range(0, POINTS, 10)
        ]


def tables_of(path: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(path)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}  # noqa: S608


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    base = tmp_path_factory.mktemp("backups")
    data_dir = base / "data"
    first = write(data_dir, [made_up_point(f"p{number}", 0, number) for number in range(POINTS)])
    second = write(data_dir, [made_up_point(f"p{POINTS}", 0, POINTS)])
    with closing(SqliteLedger(data_dir / "ledger.sqlite3")) as ledger:
        run_id = ledger.begin(RunPlan(ALIAS.name, "/feed.xml", "1")).record.run_id
        ledger.set_collection(run_id, second)
        ledger.record_batch(run_id, BatchReport(0, Counts(products=POINTS)))
        ledger.finish(run_id, RunState.FINISHED)
    with closing(SqliteEventLog(data_dir / "events.sqlite3")) as events:
        events.append([delete_event(number) for number in range(50)])
        events.advance(ALIAS.name, 40)
    for name, content in (("models/space/tuned.json", b"{}"), ("follower/in_hand.json", b"{}"), ("audit.jsonl", b"1")):
        path = data_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    # a file that is not the program's own and may come with any part: a database in write-ahead mode, open just now
    keys = sqlite3.connect(data_dir / "keys.sqlite3")
    keys.execute("PRAGMA journal_mode = WAL")
    keys.execute("CREATE TABLE keys (hash TEXT)")
    keys.execute("INSERT INTO keys VALUES ('one')")
    keys.commit()
    (data_dir / "keys.sqlite3").chmod(0o600)
    made = make_backup(data_dir, base / "backup", nobody_listens)
    assert first in {item.collection for item in made.manifest.collections}
    yield Site(data_dir, made.folder, made.manifest, run_id)
    keys.close()
    shutil.rmtree(base)


@pytest.fixture
def copy(site: Site, tmp_path: Path) -> Path:
    """A backup that may be damaged."""
    return Path(shutil.copytree(site.backup, tmp_path / "copy", copy_function=os.link))


def test_a_restored_folder_has_every_point_run_event_and_key(site: Site, tmp_path: Path) -> None:
    seen: list[BytesProgress] = []
    restored = tmp_path / "restored"
    restored.mkdir()
    (restored / "lost+found").mkdir()
    restore_backup(site.backup, restored, seen.append)
    assert [item.points for item in site.manifest.collections] == [POINTS, POINTS + 1]
    for item in site.manifest.collections:
        before = all_of(site.data_dir, item.collection)
        assert len(before) == item.points
        assert all_of(restored, item.collection) == before
    assert found(restored) == found(site.data_dir)
    for name in ("ledger.sqlite3", "events.sqlite3", "keys.sqlite3"):
        assert tables_of(restored / name) == tables_of(site.data_dir / name), name
    assert sorted(path.name for path in restored.iterdir()) == [
        "audit.jsonl",
        "events.sqlite3",
        "keys.sqlite3",
        "ledger.sqlite3",
        "lost+found",
        "store",
    ]
    assert (restored / "keys.sqlite3").stat().st_mode & 0o777 == 0o600
    with closing(EdgeStore(restored / "store", TUNING, follow_s=0)) as store:
        (old, now) = site.manifest.collections
        assert (store.current(ALIAS), store.previous(ALIAS)) == (now.collection, old.collection)
        assert store.reader(ALIAS).annotation("calibration") == {"of": now.collection}
    with closing(SqliteLedger(restored / "ledger.sqlite3")) as ledger:
        assert ledger.run(site.run_id).state is RunState.FINISHED
    assert seen[-1].done_bytes == seen[-1].total_bytes > 0
    assert [item.done_bytes for item in seen] == sorted(item.done_bytes for item in seen)


def test_a_restored_folder_is_written_to_as_any_other(site: Site, tmp_path: Path) -> None:
    restore_backup(site.backup, tmp_path / "restored", nobody_listens)
    collection = write(tmp_path / "restored", [made_up_point("new", 0, 999)], IndexTuning())
    with closing(EdgeStore(tmp_path / "restored" / "store", TUNING, follow_s=0)) as store:
        reader = store.reader(ALIAS)
        assert reader.status().points == POINTS + 2
        assert reader.collection_name() == collection
        assert reader.search(SearchQuery(unit_vector(999), 1)).hits[0].product_id == "new"


def test_files_that_generations_share_are_shared_in_the_backup_and_after_it(site: Site, tmp_path: Path) -> None:
    shared = {item.path: item.same_as for item in site.manifest.files if item.same_as}
    assert {Path(path).name for path in shared} >= {"matrix.dat", "quantized.data"}
    restore_backup(site.backup, tmp_path / "restored", nobody_listens)
    for path, first in shared.items():
        assert (site.backup / DATA / path).samefile(site.backup / DATA / first)
        assert (tmp_path / "restored" / path).samefile(tmp_path / "restored" / first)
    # the engine lays out a hundred times what it fills, and none of that is copied
    assert disk_bytes(site.backup) < site.manifest.size_bytes / 5
    assert disk_bytes(tmp_path / "restored") < site.manifest.size_bytes / 5


def test_a_copy_without_links_and_holes_is_as_good(site: Site, tmp_path: Path) -> None:
    shutil.copytree(site.backup, tmp_path / "moved")
    check_backup(tmp_path / "moved", nobody_listens)
    restore_backup(tmp_path / "moved", tmp_path / "restored", nobody_listens)
    assert disk_bytes(tmp_path / "restored") < site.manifest.size_bytes / 5
    assert found(tmp_path / "restored") == found(site.data_dir)


def test_beside_writers_each_backup_is_one_state_with_all_that_was_acknowledged(tmp_path: Path) -> None:
    """Runs publish and prune all the while; points, runs and events are never torn apart."""
    data_dir = tmp_path / "data"
    acknowledged = [0]
    stop, failed = threading.Event(), []

    def keep_writing() -> None:
        try:
            with (
                closing(SqliteEventLog(data_dir / "events.sqlite3")) as events,
                closing(SqliteLedger(data_dir / "ledger.sqlite3")) as ledger,
            ):
                while not stop.is_set():
                    number = acknowledged[0] + 1
                    sequence = events.append([delete_event(number)])[0].sequence
                    run = ledger.begin(RunPlan(ALIAS.name, f"/feed{number}.xml", "1")).record
                    write(data_dir, [made_up_point(f"p{number}", 0, number)], IndexTuning())
                    ledger.finish(run.run_id, RunState.FINISHED)
                    events.advance(ALIAS.name, sequence)
                    acknowledged[0] = number
        except Exception as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=keep_writing)
    thread.start()
    try:
        while acknowledged[0] < 2:
            stop.wait(0.05)
        for attempt in range(2):
            before, target = acknowledged[0], tmp_path / f"backup{attempt}"
            make_backup(data_dir, target, nobody_listens)
            assert acknowledged[0] > before, "nothing was written meanwhile"
            restored = tmp_path / f"restored{attempt}"
            restore_backup(target, restored, nobody_listens)
            check_state(restored, before)
            shutil.rmtree(target)
            shutil.rmtree(restored)
    finally:
        stop.set()
        thread.join()
    assert not failed


def check_state(restored: Path, acknowledged: int) -> None:
    with (
        closing(EdgeStore(restored / "store", TUNING, follow_s=0)) as store,
        closing(SqliteEventLog(restored / "events.sqlite3")) as events,
        closing(SqliteLedger(restored / "ledger.sqlite3")) as ledger,
    ):
        reader = store.reader(ALIAS)
        points = reader.status().points
        assert points >= acknowledged
        assert set(reader.product_points([f"p{number}" for number in range(1, points + 1)])) == {
            f"p{number}" for number in range(1, points + 1)
        }
        assert events.position() >= acknowledged
        assert acknowledged <= events.applied(ALIAS.name).sequence <= points
        finished = [run for run in ledger.runs(10_000) if run.state is RunState.FINISHED]
        assert acknowledged <= len(finished) <= points


def test_an_unfinished_run_is_left_out_and_begins_anew(site: Site, tmp_path: Path) -> None:
    """The ledger says what the run had done; its points are not in a backup, and the run must notice."""
    restore_backup(site.backup, tmp_path / "data", nobody_listens)
    data_dir = tmp_path / "data"
    plan = RunPlan(ALIAS.name, "/next.xml", "1")
    with (
        closing(EdgeStore(data_dir / "store", TUNING, follow_s=0)) as store,
        closing(SqliteLedger(data_dir / "ledger.sqlite3")) as ledger,
        closing(store.writer(ALIAS, SPACE)) as writer,
    ):
        run = ledger.begin(plan).record
        writer.write(BatchChange(points=(made_up_point("half", 0, 777),)))
        ledger.set_collection(run.run_id, writer.collection)
        ledger.record_batch(run.run_id, BatchReport(0, Counts(products=1)))
        make_backup(data_dir, tmp_path / "backup", nobody_listens)
    restore_backup(tmp_path / "backup", tmp_path / "again", nobody_listens)
    with (
        closing(EdgeStore(tmp_path / "again" / "store", TUNING, follow_s=0)) as store,
        closing(SqliteLedger(tmp_path / "again" / "ledger.sqlite3")) as ledger,
    ):
        assert store.reader(ALIAS).status().points == POINTS + 1
        resumed = ledger.begin(plan)
        assert (resumed.record.run_id, resumed.finished_batches) == (run.run_id, frozenset({0}))
        with closing(store.writer(ALIAS, SPACE, resume_of=resumed.record.collection)) as writer:
            assert not writer.continues  # which makes the run forget its batches and start anew


def test_what_is_damaged_is_not_backed_up_as_if_it_were_whole(site: Site, tmp_path: Path) -> None:
    restore_backup(site.backup, tmp_path / "data", nobody_listens)
    ledger = tmp_path / "data" / "ledger.sqlite3"
    content = bytearray(ledger.read_bytes())
    content[4096 : 4096 * 3] = os.urandom(4096 * 2)
    ledger.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="ledger"):
        make_backup(tmp_path / "data", tmp_path / "backup", nobody_listens)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


@pytest.mark.parametrize(
    ("damage", "named"),
    [("changed", "matrix.dat"), ("missing", "matrix.dat"), ("cut", "ledger.sqlite3"), ("swapped", "ledger.sqlite3")],
)
def test_a_damaged_backup_is_refused_by_name_and_restores_nothing(
    site: Site, copy: Path, tmp_path: Path, damage: str, named: str
) -> None:
    # of files that share their content the first one is restored
    path = next(copy / DATA / item.path for item in site.manifest.files if item.path.endswith(named))
    content = path.read_bytes()
    path.unlink()  # it is a link
    if damage == "changed":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "cut":
        path.write_bytes(content[:-4096])
    elif damage == "swapped":
        path.write_bytes((copy / DATA / "events.sqlite3").read_bytes())
    with pytest.raises(BackupDamaged, match=named):
        check_backup(copy, nobody_listens)
    with pytest.raises(BackupDamaged, match=named):
        restore_backup(copy, tmp_path / "restored", nobody_listens)
    assert list((tmp_path / "restored").iterdir()) == []


def rewritten(copy: Path, **changes: Any) -> None:
    path = copy / MANIFEST
    value = json.loads(path.read_text()) | changes
    path.unlink()
    path.write_text(json.dumps(value))


def test_what_is_no_backup_of_this_program_is_refused(copy: Path, tmp_path: Path) -> None:
    original = (copy / MANIFEST).read_bytes()
    target = tmp_path / "restored"
    with pytest.raises(BackupUnreadable, match=r"has no backup\.json"):
        restore_backup(tmp_path, target, nobody_listens)
    rewritten(copy, format="other")
    with pytest.raises(BackupUnreadable, match="another program"):
        restore_backup(copy, target, nobody_listens)
    (copy / MANIFEST).write_bytes(original)
    rewritten(copy, version=2)
    with pytest.raises(BackupUnreadable, match="newer version"):
        restore_backup(copy, target, nobody_listens)
    (copy / MANIFEST).write_bytes(original)
    rewritten(copy, created_at="2020-01-01T00:00:00Z")
    with pytest.raises(BackupDamaged, match="was changed"):
        restore_backup(copy, target, nobody_listens)
    (copy / MANIFEST).write_bytes(original[:-10])
    with pytest.raises(BackupDamaged, match="no JSON"):
        restore_backup(copy, target, nobody_listens)
    assert not target.exists()


def test_a_manifest_that_leads_out_of_the_folder_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    for path in ("../evil", "/etc/evil", "store/../../evil"):
        item = site.manifest.files[0]
        files = (type(item)(path, item.size_bytes, item.checksum, item.mode),)
        Manifest("2026-01-01T00:00:00Z", "0", files, ()).write(tmp_path / "backup")
        with pytest.raises(BackupDamaged, match="outside"):
            read_manifest(tmp_path / "backup")


def test_a_folder_that_is_not_empty_is_never_restored_into(site: Site, tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"mine")
    with pytest.raises(ConfigurationError, match=r"not empty: it has ledger\.sqlite3"):
        restore_backup(site.backup, tmp_path, nobody_listens)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger.sqlite3"]


def test_where_a_backup_may_not_go(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there already"):
        make_backup(site.data_dir, site.backup, nobody_listens)
    with pytest.raises(ConfigurationError, match="inside the data folder"):
        make_backup(site.data_dir, site.data_dir / "backup", nobody_listens)
    with pytest.raises(ConfigurationError, match="no folder"):
        make_backup(site.data_dir, tmp_path / "no" / "backup", nobody_listens)
    with pytest.raises(ConfigurationError, match="nothing to back up"):
        make_backup(tmp_path, tmp_path / "backup", nobody_listens)


def test_two_backups_of_one_name_do_not_mix(site: Site, tmp_path: Path) -> None:
    refused: list[str] = []

    def second(progress: BytesProgress) -> None:
        if not refused:
            with pytest.raises(StoreLocked) as caught:
                make_backup(site.data_dir, tmp_path / "backup", nobody_listens)
            refused.append(str(caught.value))

    make_backup(site.data_dir, tmp_path / "backup", second)
    assert "by another process" in refused[0]
    check_backup(tmp_path / "backup", nobody_listens)


def test_one_that_fails_on_the_way_leaves_nothing(site: Site, tmp_path: Path) -> None:
    def interrupt(progress: BytesProgress) -> None:
        if progress.phase == "computing checksums":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_backup(site.data_dir, tmp_path / "backup", interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("moment", "then"), [("before", "nothing"), ("after", "no manifest's name")])
def test_one_that_was_killed_never_looks_whole_and_the_next_goes_through(
    site: Site, tmp_path: Path, moment: str, then: str
) -> None:
    target = tmp_path / "backup"
    killed = ForkedProgram(
        "tests.killed_at",
        ["indexer.backup.manifest", "Manifest.write", moment, "backup", target, "--data-dir", site.data_dir],
        program_environment(),
    )
    assert killed.wait(60) == -9
    assert not target.exists(), then
    (partial,) = tmp_path.iterdir()
    assert partial.name == ".backup.partial"
    done = run_indexer("backup", target, "--data-dir", site.data_dir)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]
    check_backup(target, nobody_listens)


def test_a_restore_that_was_killed_serves_nothing_and_the_next_goes_through(site: Site, tmp_path: Path) -> None:
    arguments: list[str | Path] = ["restore", site.backup, "--data-dir", tmp_path / "data"]
    killed = ForkedProgram(
        "tests.killed_at",
        # all is copied and compared then, and nothing in its place
        ["indexer.store.edge_store", "EdgeStore.collection_reader", "before", *arguments],
        program_environment(),
    )
    assert killed.wait(60) == -9
    assert [path.name for path in (tmp_path / "data").iterdir()] == [RESTORING]
    done = run_indexer(*arguments)
    assert done.returncode == 0, done.stderr
    assert RESTORING not in {path.name for path in (tmp_path / "data").iterdir()}
    assert found(tmp_path / "data") == found(site.data_dir)
    assert run_indexer(*arguments).returncode == 2
