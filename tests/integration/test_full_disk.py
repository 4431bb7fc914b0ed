"""A full disk: nothing is acknowledged that is not kept, no process is lost, and room is enough to go on."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from indexer.errors import EventsUnavailable, LedgerUnavailable
from indexer.events.sqlite import SqliteEventLog
from indexer.ledger.port import RunPlan
from indexer.ledger.sqlite import SqliteLedger
from tests.events import patch, upsert
from tests.pictures import draw_catalog
from tests.processes import run_indexer


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 150 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=150m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_an_index_run_on_a_full_disk_says_so_and_goes_on_later(
    small_disk: Path, tmp_path: Path, tiny_model: str
) -> None:
    """The engine's files are mapped: on a full disk a write to them would be a signal that ends the process."""
    catalog = draw_catalog(tmp_path / "catalog", products=12)
    command = ("index", catalog.feed, "--data-dir", small_disk / "data", "--model", tiny_model, "--device", "cpu")
    done = run_indexer(*command)
    assert done.returncode > 0, done.stderr
    assert "MB left, and the store needs" in done.stderr
    assert "Traceback" not in done.stderr
    subprocess.run(["mount", "-o", "remount,size=600m", str(small_disk)], check=True)
    done = run_indexer(*command)
    assert done.returncode == 0, done.stderr
    assert "12 products, 12 pictures" in done.stdout


@contextmanager
def full_disk(bytes_left: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes: writes fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_events_are_acknowledged_only_while_there_is_room_for_them(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.sqlite3")
    log.append([upsert("p0", 0, "p0.jpg", title="x" * 5000)])
    acknowledged = {"p0"}
    with full_disk(200_000), pytest.raises(EventsUnavailable):
        for number in range(1, 1000):
            log.append([upsert(f"p{number}", number, "p.jpg", title="x" * 5000)])
            acknowledged.add(f"p{number}")
    assert len(acknowledged) < 999
    log.append([patch("p0", 2000, price_minor=5)])
    log.close()
    again = SqliteEventLog(tmp_path / "events.sqlite3")
    kept = again.latest([f"p{number}" for number in range(1000)])
    assert acknowledged <= set(kept) <= acknowledged | {f"p{len(acknowledged)}"}
    assert kept["p0"].fields["price_minor"].value == 5
    again.close()


def test_a_ledger_without_room_says_so_and_goes_on_later(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    plan = RunPlan(alias="products--x", feed="/feeds/feed.jsonl", feed_version="1")
    run_id = ledger.begin(plan).record.run_id
    with full_disk(1), pytest.raises(LedgerUnavailable):
        for _ in range(100):
            ledger.set_collection(run_id, "c" * 10_000)
    ledger.set_collection(run_id, "c")
    assert ledger.run(run_id).collection == "c"
    ledger.close()
