"""The run ledger in one SQLite file; the embedded default."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from indexer.errors import LedgerUnavailable
from indexer.ledger.port import (
    BatchReport,
    Counts,
    Failure,
    RunBegin,
    RunPlan,
    RunRecord,
    RunState,
    Stage,
    new_run_id,
    run_not_found,
)
from indexer.ledger.reindexes import ReindexCheck, ReindexRecord, ReindexState
from indexer.products import CatalogProduct
from indexer.sqlite_file import FileKind, SqliteFile

_COUNT_NAMES = tuple(item.name for item in fields(Counts))
_VARIABLES = 500
_SCHEMA = f"""
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, plan TEXT NOT NULL, alias TEXT NOT NULL, state TEXT NOT NULL,
    collection TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', removed INTEGER NOT NULL DEFAULT 0,
    started_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE batches (
    run_id TEXT NOT NULL, number INTEGER NOT NULL, {", ".join(f"{name} INTEGER NOT NULL" for name in _COUNT_NAMES)},
    PRIMARY KEY (run_id, number)) WITHOUT ROWID;
CREATE TABLE failures (
    run_id TEXT NOT NULL, product_id TEXT NOT NULL, position INTEGER, image_ref TEXT NOT NULL, stage TEXT NOT NULL,
    code TEXT NOT NULL, reason TEXT NOT NULL, retryable INTEGER NOT NULL, line INTEGER NOT NULL, product TEXT);
CREATE INDEX failures_of_product ON failures (run_id, product_id);
CREATE TABLE seen (run_id TEXT NOT NULL, product_id TEXT NOT NULL, PRIMARY KEY (run_id, product_id)) WITHOUT ROWID;
"""
_REINDEXES = """
CREATE TABLE reindexes (reindex_id TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until_s REAL NOT NULL) WITHOUT ROWID;
"""
_EMBEDDED_WITH = "ALTER TABLE batches ADD COLUMN embedded_with TEXT NOT NULL DEFAULT '';"
_TENANTS = """
ALTER TABLE runs ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
CREATE INDEX runs_of_tenant ON runs (tenant, run_id);
"""
_KIND = FileKind("The ledger", LedgerUnavailable, (_SCHEMA, _REINDEXES, _EMBEDDED_WITH, _TENANTS))


class SqliteLedger:
    """See ``RunLedger``; one file, written by one process at a time, read by any number.

    Args:
        path: created if missing, with its folder.

    Raises:
        LedgerUnavailable: the file cannot be opened or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _KIND)

    def begin(self, plan: RunPlan) -> RunBegin:
        """See ``RunLedger``."""
        with self._file.transaction() as db:
            row = db.execute("SELECT * FROM runs WHERE alias = ? ORDER BY run_id DESC LIMIT 1", (plan.line,)).fetchone()
            latest = self._record(row) if row else None
            if latest and latest.state == RunState.RUNNING and latest.plan == plan and not plan.retry_of:
                db.execute("UPDATE runs SET updated_at = ? WHERE run_id = ?", (_now_text(), latest.run_id))
                done = db.execute("SELECT number FROM batches WHERE run_id = ?", (latest.run_id,))
                return RunBegin(latest, frozenset(number for (number,) in done))
            db.execute(
                "UPDATE runs SET state = ? WHERE alias = ? AND state = ?",
                (RunState.SUPERSEDED, plan.line, RunState.RUNNING),
            )
            run_id, now = new_run_id(), _now_text()
            db.execute(
                "INSERT INTO runs (run_id, plan, alias, state, started_at, updated_at, tenant) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (run_id, json.dumps(asdict(plan)), plan.line, RunState.RUNNING, now, now, plan.tenant),
            )
            return RunBegin(self._run(run_id))

    def restart(self, run_id: str) -> None:
        """See ``RunLedger``."""
        with self._file.transaction() as db:
            for table in ("batches", "failures", "seen"):
                db.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608 - names stand above # nosec B608
            db.execute("UPDATE runs SET collection = '', updated_at = ? WHERE run_id = ?", (_now_text(), run_id))

    def set_collection(self, run_id: str, collection: str) -> None:
        """See ``RunLedger``."""
        with self._file.transaction() as db:
            db.execute(
                "UPDATE runs SET collection = ?, updated_at = ? WHERE run_id = ?", (collection, _now_text(), run_id)
            )

    def record_batch(self, run_id: str, report: BatchReport) -> None:
        """See ``RunLedger``."""
        columns = ", ".join(_COUNT_NAMES)
        marks = ", ".join("?" * (len(_COUNT_NAMES) + 3))
        values = [getattr(report.counts, name) for name in _COUNT_NAMES]
        with self._file.transaction() as db:
            inserted = db.execute(
                f"INSERT OR IGNORE INTO batches (run_id, number, embedded_with, {columns}) VALUES ({marks})",  # noqa: S608 - fixed names # nosec B608
                (run_id, report.number, report.embedded_with, *values),
            ).rowcount
            if not inserted:
                return
            plan = self._plan(run_id)
            owner = plan.retry_of or run_id
            if plan.mends:
                db.executemany(
                    "DELETE FROM failures WHERE run_id = ? AND product_id = ? AND product IS NOT NULL",
                    [(owner, product_id) for product_id in report.product_ids],
                )
            db.executemany(
                "INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_failure_row(owner, failure) for failure in report.failures],
            )
            db.executemany(
                "INSERT OR IGNORE INTO seen VALUES (?, ?)", [(run_id, product_id) for product_id in report.product_ids]
            )
            db.execute("UPDATE runs SET updated_at = ? WHERE run_id = ?", (_now_text(), run_id))

    def finish(self, run_id: str, state: RunState, *, removed: int = 0, reason: str = "") -> RunRecord:
        """See ``RunLedger``."""
        with self._file.transaction() as db:
            db.execute(
                "UPDATE runs SET state = ?, removed = ?, reason = ?, updated_at = ? WHERE run_id = ?",
                (state, removed, reason, _now_text(), run_id),
            )
            # ids are needed only until the run has removed what left the feed
            db.execute("DELETE FROM seen WHERE run_id = ?", (run_id,))
            return self._run(run_id)

    def run(self, run_id: str) -> RunRecord:
        """See ``RunLedger``."""
        with self._file.using():
            return self._run(run_id)

    def runs(self, limit: int = 20, tenant: str = "") -> Sequence[RunRecord]:
        """See ``RunLedger``."""
        with self._file.using() as db:
            query = "SELECT * FROM runs WHERE tenant = ? ORDER BY run_id DESC LIMIT ?"
            rows = db.execute(query, (tenant, limit)).fetchall()
            return [self._record(row) for row in rows]

    def failures(self, run_id: str) -> Sequence[Failure]:
        """See ``RunLedger``."""
        with self._file.using() as db:
            owner = self._failures_owner(run_id)
            rows = db.execute("SELECT * FROM failures WHERE run_id = ? ORDER BY line, product_id, position", (owner,))
            return [_failure(row) for row in rows]

    def seen(self, run_id: str, product_ids: Sequence[str]) -> frozenset[str]:
        """See ``RunLedger``."""
        found: set[str] = set()
        with self._file.using() as db:
            for start in range(0, len(product_ids), _VARIABLES):
                part = product_ids[start : start + _VARIABLES]
                marks = ", ".join("?" * len(part))
                query = f"SELECT product_id FROM seen WHERE run_id = ? AND product_id IN ({marks})"  # noqa: S608 - marks # nosec B608
                found.update(row[0] for row in db.execute(query, (run_id, *part)))
        return frozenset(found)

    def save_reindex(self, record: ReindexRecord) -> None:
        """See ``RunLedger``."""
        value = json.dumps(asdict(record), default=datetime.isoformat)
        with self._file.transaction() as db:
            db.execute("INSERT OR REPLACE INTO reindexes VALUES (?, ?)", (record.reindex_id, value))

    def reindexes(self, limit: int = 20) -> Sequence[ReindexRecord]:
        """See ``RunLedger``."""
        with self._file.using() as db:
            rows = db.execute("SELECT record FROM reindexes ORDER BY reindex_id DESC LIMIT ?", (limit,)).fetchall()
        return [_reindex(json.loads(row["record"])) for row in rows]

    def lease(self, name: str, holder: str, ttl_s: float) -> str:
        """See ``RunLedger``; the clock is this machine's, whose file it is."""
        now_s = time.time()
        with self._file.transaction() as db:
            row = db.execute("SELECT holder FROM leases WHERE name = ? AND until_s > ?", (name, now_s)).fetchone()
            if row is not None and row["holder"] != holder:
                return str(row["holder"])
            db.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?)", (name, holder, now_s + ttl_s))
            return holder

    def release(self, name: str, holder: str) -> None:
        """See ``RunLedger``."""
        with self._file.transaction() as db:
            db.execute("DELETE FROM leases WHERE name = ? AND holder = ?", (name, holder))

    def close(self) -> None:
        """See ``RunLedger``."""
        self._file.close()

    def _failures_owner(self, run_id: str) -> str:
        return self._plan(run_id).retry_of or run_id

    def _plan(self, run_id: str) -> RunPlan:
        """Of a run, without adding up its batches, of which there may be thousands."""
        return RunPlan(**json.loads(self._row(run_id)["plan"]))

    def _run(self, run_id: str) -> RunRecord:
        return self._record(self._row(run_id))

    def _row(self, run_id: str) -> sqlite3.Row:
        row: sqlite3.Row | None = self._file.connection.execute(
            "SELECT * FROM runs WHERE run_id = ?", (run_id,)
        ).fetchone()
        if row is None:
            latest = [
                item[0]
                for item in self._file.connection.execute(
                    "SELECT run_id FROM runs WHERE tenant = '' ORDER BY run_id DESC LIMIT 3"
                )
            ]
            raise run_not_found(run_id, latest)
        return row

    def _record(self, row: sqlite3.Row) -> RunRecord:
        sums = ", ".join(f"COALESCE(SUM({name}), 0) AS {name}" for name in _COUNT_NAMES)
        query = f"SELECT COUNT(*) AS batches, {sums} FROM batches WHERE run_id = ?"  # noqa: S608 - fixed names # nosec B608
        totals = self._file.connection.execute(query, (row["run_id"],)).fetchone()
        counts = Counts(**{name: totals[name] for name in _COUNT_NAMES}) + Counts(removed=row["removed"])
        used = self._file.connection.execute(
            "SELECT DISTINCT embedded_with FROM batches WHERE run_id = ? AND embedded_with != '' ORDER BY 1",
            (row["run_id"],),
        )
        return RunRecord(
            run_id=row["run_id"],
            plan=RunPlan(**json.loads(row["plan"])),
            state=RunState(row["state"]),
            collection=row["collection"],
            counts=counts,
            batches=totals["batches"],
            reason=row["reason"],
            started_at=datetime.fromisoformat(row["started_at"]),
            updated_at=datetime.fromisoformat(row["updated_at"]),
            embedded_with=tuple(name for (name,) in used),
        )


def _failure_row(owner: str, failure: Failure) -> tuple[Any, ...]:
    product = None if failure.product is None else json.dumps(failure.product.to_json())
    return (
        owner,
        failure.product_id,
        failure.position,
        failure.image_ref,
        failure.stage,
        failure.code,
        failure.reason,
        failure.retryable,
        failure.line,
        product,
    )


def _failure(row: sqlite3.Row) -> Failure:
    return Failure(
        product_id=row["product_id"],
        position=row["position"],
        image_ref=row["image_ref"],
        stage=Stage(row["stage"]),
        code=row["code"],
        reason=row["reason"],
        retryable=bool(row["retryable"]),
        line=row["line"],
        product=None if row["product"] is None else CatalogProduct.from_json(json.loads(row["product"])),
    )


def _reindex(value: dict[str, Any]) -> ReindexRecord:
    return ReindexRecord(
        **value
        | {
            "state": ReindexState(value["state"]),
            "checks": tuple(ReindexCheck(**check) for check in value["checks"]),
            "started_at": datetime.fromisoformat(value["started_at"]),
            "updated_at": datetime.fromisoformat(value["updated_at"]),
        }
    )


def _now_text() -> str:
    return datetime.now(UTC).isoformat()
