"""The work queue in one SQLite file; the embedded default. The indexer process looks into it; nobody is called."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from indexer.errors import EventsUnavailable, RunNotFound
from indexer.indexing.dispatcher import QueueStatus
from indexer.ledger.port import new_run_id
from indexer.requests.port import RequestState, RunOrder, RunRequest, queued_requests
from indexer.sqlite_file import FileKind, SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    request_id TEXT PRIMARY KEY, run_order TEXT NOT NULL, state TEXT NOT NULL, run_id TEXT NOT NULL DEFAULT '',
    fraction REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
    requested_at TEXT NOT NULL, updated_at TEXT NOT NULL) WITHOUT ROWID
"""
_TENANTS = "ALTER TABLE requests ADD COLUMN tenant TEXT NOT NULL DEFAULT ''"
_KIND = FileKind("The work queue", EventsUnavailable, (_SCHEMA, _TENANTS))


class SqliteWorkQueue:
    """See ``WorkQueue``; any number of processes ask, one takes.

    Args:
        path: created if missing, with its folder.

    Raises:
        EventsUnavailable: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _KIND)

    def announce(self, product_ids: Sequence[str], tenant: str = "") -> None:
        """See ``WorkQueue``; the indexer process looks into the event log by itself."""

    def request_run(self, order: RunOrder) -> RunRequest:
        """See ``WorkQueue``."""
        request_id, now = new_run_id(), _now_text()
        with self._file.using() as db:
            db.execute(
                "INSERT INTO requests (request_id, run_order, state, requested_at, updated_at, tenant) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (request_id, json.dumps(asdict(order)), RequestState.QUEUED, now, now, order.tenant),
            )
        return self.request(request_id)

    def request(self, request_id: str) -> RunRequest:
        """See ``WorkQueue``."""
        with self._file.using() as db:
            row = db.execute("SELECT * FROM requests WHERE request_id = ?", (request_id,)).fetchone()
        if row is None:
            raise RunNotFound(f"No index run {request_id} was asked for.")
        return _request(row)

    def requests(self, limit: int = 20, tenant: str = "") -> Sequence[RunRequest]:
        """See ``WorkQueue``."""
        with self._file.using() as db:
            query = "SELECT * FROM requests WHERE tenant = ? ORDER BY request_id DESC LIMIT ?"
            return [_request(row) for row in db.execute(query, (tenant, limit))]

    def oldest(self) -> RunRequest | None:
        """The request whose turn it is: the oldest that did not end, so also one whose process died with it."""
        with self._file.using() as db:
            row = db.execute(
                "SELECT * FROM requests WHERE state IN (?, ?) ORDER BY request_id LIMIT 1",
                (RequestState.RUNNING, RequestState.QUEUED),
            ).fetchone()
        return _request(row) if row else None

    def waiting(self) -> Sequence[QueueStatus]:
        """See ``WorkQueue``."""
        with self._file.using() as db:
            depth, oldest = db.execute(
                "SELECT COUNT(*), MIN(requested_at) FROM requests WHERE state = ?", (RequestState.QUEUED,)
            ).fetchone()
        return [queued_requests(depth, None if oldest is None else datetime.fromisoformat(oldest))]

    def begin(self, request_id: str) -> int:
        """Records that a request is begun once more; returns how often it was since it last got any further."""
        with self._file.using() as db:
            row = db.execute(
                "UPDATE requests SET state = ?, attempts = attempts + 1, updated_at = ? WHERE request_id = ? "
                "RETURNING attempts",
                (RequestState.RUNNING, _now_text(), request_id),
            ).fetchone()
        return int(row[0])

    def put_back(self, request_id: str) -> None:
        """Records that a request was left alone in order, to be begun again."""
        with self._file.using() as db:
            db.execute(
                "UPDATE requests SET attempts = 0, state = CASE WHEN run_id = '' THEN ? ELSE state END "
                "WHERE request_id = ?",
                (RequestState.QUEUED, request_id),
            )

    def note(self, request_id: str, run_id: str, fraction: float) -> None:
        """Records that a request is being carried out, and how far it is."""
        self._set(request_id, RequestState.RUNNING, run_id, fraction, "")

    def finish(self, request_id: str, run_id: str, reason: str = "") -> None:
        """Ends a request; with a reason it failed."""
        state = RequestState.FAILED if reason else RequestState.FINISHED
        self._set(request_id, state, run_id, 0.0 if reason else 1.0, reason)

    def close(self) -> None:
        """See ``WorkQueue``."""
        self._file.close()

    def _set(self, request_id: str, state: RequestState, run_id: str, fraction: float, reason: str) -> None:
        with self._file.using() as db:
            db.execute(
                "UPDATE requests SET attempts = CASE WHEN ? > fraction THEN 0 ELSE attempts END, state = ?, "
                "run_id = ?, fraction = MAX(fraction, ?), reason = ?, updated_at = ? WHERE request_id = ?",
                (fraction, state, run_id, fraction, reason, _now_text(), request_id),
            )


def _request(row: sqlite3.Row) -> RunRequest:
    return RunRequest(
        request_id=row["request_id"],
        order=RunOrder(**json.loads(row["run_order"])),
        state=RequestState(row["state"]),
        run_id=row["run_id"],
        fraction=row["fraction"],
        reason=row["reason"],
        requested_at=datetime.fromisoformat(row["requested_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
    )


def _now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
