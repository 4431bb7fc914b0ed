"""The SQLite files of an embedded installation: whole, and what their records say is waiting for somebody.

They are read as they are, since opening them as the program does would make missing ones and bring old ones up to date.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from indexer.backup.databases import is_database
from indexer.doctor.findings import Finding, Notes
from indexer.doctor.store_check import writer_of
from indexer.events.in_hand import POISON_DEATHS
from indexer.ledger.port import RunState
from indexer.ledger.reindexes import ReindexState
from indexer.settings import Settings

_PATIENCE = timedelta(minutes=1)
_BUSY_S = 5.0


def check_ledger(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: whether the files are whole; runs that were interrupted, failed, or left failures."""
    notes = Notes("ledger")
    for path in sorted({*settings.data_dir.rglob("*.sqlite3"), settings.keys_path}):
        if path.is_file():
            _whole(path, notes)
    path = settings.data_dir / "ledger.sqlite3"
    if notes.made or not path.is_file():
        if not notes.made:
            notes.ok("There is none yet.")
        return notes.made
    with _reading(path) as db:
        _runs(db, settings, notes)
        _reindexes(db, settings, notes)
    if not notes.made:
        notes.ok(f"{path} is whole; no run waits for anybody.")
    return notes.made


def check_events(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: events and asked-for runs that nobody takes, and products that killed who took them."""
    notes = Notes("events")
    for path in sorted(settings.data_dir.rglob("events*.sqlite3")):
        with _reading(path) as db:
            _behind(db, path, notes)
    for path in sorted(settings.data_dir.rglob("requests*.sqlite3")):
        with _reading(path) as db:
            _requests(db, notes)
    _poison(settings.data_dir / "follower" / "in_hand.json", notes)
    if not notes.made:
        notes.ok("Nothing waits.")
    return notes.made


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    log = path.with_name(f"{path.name}-wal")
    # without a log nobody has it open; reading it as it is makes none of the files that belong to one
    suffix = "mode=ro" if log.is_file() and log.stat().st_size else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{suffix}", uri=True, timeout=_BUSY_S)) as db:
        db.row_factory = sqlite3.Row
        yield db


def _whole(path: Path, notes: Notes) -> None:
    remedy = f"Restore a backup; or move {path.name} away: it is made anew, and what it recorded is lost."
    try:
        if not is_database(path) and path.stat().st_size:
            notes.error("database_damaged", f"{path} is no SQLite file.", remedy)
            return
        with _reading(path) as db:
            wrong = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except (sqlite3.Error, OSError) as error:
        notes.error("database_damaged", f"{path} cannot be read: {error}.", remedy)
        return
    if wrong != "ok":
        notes.error("database_damaged", f"{path} is damaged: {' '.join(str(wrong).split())}.", remedy)


def _runs(db: sqlite3.Connection, settings: Settings, notes: Notes) -> None:
    writing = writer_of(settings.data_dir / "store")
    latest: dict[str, sqlite3.Row] = {}
    for row in db.execute("SELECT * FROM runs ORDER BY run_id DESC LIMIT 200"):
        latest.setdefault(row["alias"], row)
    for row in latest.values():
        plan, run_id = json.loads(row["plan"]), row["run_id"]
        what = plan["feed"] or ("a retry" if plan["retry_of"] else "events")
        if row["state"] == RunState.RUNNING and plan["feed"] and not writing:
            notes.warning(
                "run_interrupted",
                f"The run {run_id} of {what} was interrupted.",
                "Give the same command again; it goes on where it stopped.",
            )
        elif row["state"] == RunState.FAILED:
            notes.warning(
                "run_failed", f"The run {run_id} of {what} failed: {row['reason']}", "Mend that, and run it again."
            )
        failures = db.execute("SELECT count(*) FROM failures WHERE run_id = ?", (run_id,)).fetchone()[0]
        if failures:
            notes.warning(
                "failures_left",
                f"{failures:,} items of the run {run_id} are not indexed.",
                f"python -m indexer failures {run_id}, then retry {run_id}",
            )


def _reindexes(db: sqlite3.Connection, settings: Settings, notes: Notes) -> None:
    writing = writer_of(settings.data_dir / "store")
    latest: dict[str, dict[str, str]] = {}
    for row in db.execute("SELECT record FROM reindexes ORDER BY reindex_id DESC LIMIT 100"):
        record = json.loads(row["record"])
        latest.setdefault(record["alias"], record)
    for record in latest.values():
        name = f"The reindex {record['reindex_id']}"
        if record["state"] == ReindexState.VERIFIED:
            notes.warning("reindex_waits", f"{name} is verified and does not serve.", "python -m indexer promote")
        elif record["state"] == ReindexState.FAILED:
            notes.warning(
                "reindex_failed", f"{name} failed: {record['reason']}", "Mend that, and give the command again."
            )
        elif record["state"] in {ReindexState.FILLING, ReindexState.PROMOTING} and not writing:
            notes.warning("reindex_interrupted", f"{name} was interrupted.", "Give the same command again.")


def _behind(db: sqlite3.Connection, path: Path, notes: Notes) -> None:
    position = db.execute("SELECT sequence FROM counter").fetchone()[0]
    applied = [(row["alias"], row["sequence"]) for row in db.execute("SELECT alias, sequence FROM applied")]
    for alias, sequence in applied or [("any alias", 0)]:
        query = "SELECT count(*), min(appended_at) FROM states WHERE sequence > ?"
        waiting, oldest = db.execute(query, (sequence,)).fetchone()
        if position > sequence and waiting and datetime.now(UTC) - datetime.fromisoformat(oldest) > _PATIENCE:
            notes.warning(
                "events_behind",
                f"{waiting:,} products in {path.name} wait to be brought behind {alias}, the oldest since {oldest}.",
                "Start who applies them: python -m indexer follow, or the search API with an admin_key.",
            )


def _requests(db: sqlite3.Connection, notes: Notes) -> None:
    query = "SELECT count(*), min(updated_at) FROM requests WHERE state IN ('queued', 'running')"
    waiting, oldest = db.execute(query).fetchone()
    if waiting and datetime.now(UTC) - datetime.fromisoformat(oldest) > _PATIENCE:
        notes.warning(
            "requests_wait",
            f"{waiting:,} index runs were asked for and do not get on, the oldest since {oldest}.",
            "Start who carries them out: python -m indexer follow, or the search API.",
        )


def _poison(path: Path, notes: Notes) -> None:
    try:
        deaths = json.loads(path.read_text("utf-8")).get("deaths", {})
    except (OSError, ValueError, AttributeError):
        return
    for product_id, count in deaths.items():
        if count >= POISON_DEATHS:
            notes.warning(
                "product_kills",
                f"The product {product_id} ended {count} processes that had it in hand, and is left out.",
                "Look at its picture and report it; a new event with another picture brings it in.",
            )
