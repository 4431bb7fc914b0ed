"""The event log in one SQLite file; the embedded default."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from indexer.errors import EventsUnavailable
from indexer.events.delays import KEPT_DELAYS, percentile
from indexer.events.merge import merge, newest
from indexer.events.port import Appended, Applied, ProductEvent, ProductState
from indexer.events.states import state_from_text, state_to_text
from indexer.sqlite_file import FileKind, SqliteFile

_VARIABLES = 500
_SCHEMA = """
CREATE TABLE states (
    product_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL UNIQUE, state TEXT NOT NULL, is_whole INTEGER NOT NULL,
    newest TEXT NOT NULL, appended_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counter (sequence INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
CREATE TABLE applied (alias TEXT PRIMARY KEY, sequence INTEGER NOT NULL, events INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE delays (id INTEGER PRIMARY KEY AUTOINCREMENT, alias TEXT NOT NULL, delay_s REAL NOT NULL);
CREATE INDEX delays_of_alias ON delays (alias, id);
"""
_KIND = FileKind("The event log", EventsUnavailable, (_SCHEMA,))


class SqliteEventLog:
    """See ``EventLog``; one file that any number of processes of one machine use.

    Args:
        path: created if missing, with its folder.

    Raises:
        EventsUnavailable: the file cannot be opened or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _KIND)

    def append(self, events: Sequence[ProductEvent]) -> Sequence[Appended]:
        """See ``EventLog``."""
        with self._file.transaction() as db:
            return [self._append(db, event) for event in events]

    def again(self, product_ids: Sequence[str]) -> int:
        """See ``EventLog``."""
        found = 0
        now = _text(datetime.now(UTC))
        with self._file.transaction() as db:
            for product_id in dict.fromkeys(product_ids):
                found += db.execute(
                    "UPDATE states SET sequence = ?, appended_at = ? WHERE product_id = ?",
                    (self._next(db), now, product_id),
                ).rowcount
        return found

    def latest(self, product_ids: Sequence[str]) -> Mapping[str, ProductState]:
        """See ``EventLog``."""
        found: dict[str, ProductState] = {}
        with self._file.using() as db:
            for start in range(0, len(product_ids), _VARIABLES):
                part = product_ids[start : start + _VARIABLES]
                marks = ", ".join("?" * len(part))
                query = f"SELECT * FROM states WHERE product_id IN ({marks})"  # noqa: S608 - marks # nosec B608
                found |= {row["product_id"]: _state(row) for row in db.execute(query, part)}
        return found

    def since(self, sequence: int, limit: int = 256) -> Sequence[ProductState]:
        """See ``EventLog``."""
        query = "SELECT * FROM states WHERE sequence > ? ORDER BY sequence LIMIT ?"
        with self._file.using() as db:
            return [_state(row) for row in db.execute(query, (sequence, limit))]

    def position(self) -> int:
        """See ``EventLog``."""
        with self._file.using() as db:
            return int(db.execute("SELECT sequence FROM counter").fetchone()[0])

    def applied(self, alias: str) -> Applied:
        """See ``EventLog``."""
        with self._file.using() as db:
            row = db.execute("SELECT sequence, events FROM applied WHERE alias = ?", (alias,)).fetchone()
            if row is None:
                return Applied()
            delays_s = [item[0] for item in db.execute("SELECT delay_s FROM delays WHERE alias = ?", (alias,))]
        return Applied(row["sequence"], row["events"], percentile(delays_s, 50), percentile(delays_s, 95))

    def advance(self, alias: str, sequence: int, delays_s: Sequence[float] = ()) -> None:
        """See ``EventLog``."""
        with self._file.transaction() as db:
            db.execute(
                "INSERT INTO applied VALUES (?, ?, ?) ON CONFLICT (alias) DO UPDATE SET "
                "sequence = MAX(sequence, excluded.sequence), events = events + excluded.events",
                (alias, sequence, len(delays_s)),
            )
            db.executemany("INSERT INTO delays (alias, delay_s) VALUES (?, ?)", [(alias, item) for item in delays_s])
            db.execute(
                "DELETE FROM delays WHERE alias = ? AND id <= (SELECT id FROM delays WHERE alias = ? "
                "ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (alias, alias, KEPT_DELAYS),
            )

    def compact(self, before: datetime, sequence: int) -> int:
        """See ``EventLog``."""
        with self._file.transaction() as db:
            return db.execute(
                "DELETE FROM states WHERE NOT is_whole AND newest < ? AND sequence <= ?",
                (_text(before), sequence),
            ).rowcount

    def close(self) -> None:
        """See ``EventLog``."""
        self._file.close()

    def _append(self, db: sqlite3.Connection, event: ProductEvent) -> Appended:
        row = db.execute("SELECT * FROM states WHERE product_id = ?", (event.product_id,)).fetchone()
        merged = merge(_state(row) if row else None, event)
        if not merged.changed:
            return Appended(event.product_id, merged.state.sequence, merged.stale, merged.ignored_fields)
        sequence = self._next(db)
        state = merged.state
        is_whole = state.base is not None and state.base.product is not None
        db.execute(
            "INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?, ?, ?)",
            (
                event.product_id,
                sequence,
                state_to_text(state),
                is_whole,
                _text(newest(state) or event.updated_at),
                _text(datetime.now(UTC)),
            ),
        )
        return Appended(event.product_id, sequence, merged.stale, merged.ignored_fields)

    def _next(self, db: sqlite3.Connection) -> int:
        return int(db.execute("UPDATE counter SET sequence = sequence + 1 RETURNING sequence").fetchone()[0])


def _state(row: sqlite3.Row) -> ProductState:
    return state_from_text(row["product_id"], row["state"], row["sequence"], datetime.fromisoformat(row["appended_at"]))


def _text(moment: datetime) -> str:
    """In UTC with all six digits, so that the order of texts is the order of times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
