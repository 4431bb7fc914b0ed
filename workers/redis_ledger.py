"""The run ledger in Redis: what a fleet of workers writes to at the same time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
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
from indexer.settings import Settings
from workers import redis_scripts as scripts
from workers.names import REINDEXES, RUNNING, RUNS, latest_of, of_tenant, right, run_prefix
from workers.redis_connection import RedisConnection, guarded_connection

_COUNT_NAMES = tuple(item.name for item in fields(Counts))
_SEEN_CHUNK = 1000
_BEGIN_TRIES = 20


@dataclass(frozen=True, slots=True)
class BatchPart:
    """A batch that came out of another one, to be finished as well.

    Attributes:
        key: of the new batch.
        message: what a worker needs to do it.
        delay_s: before it is sent.
        is_suspect: whether it may kill its worker, and so is to run alone.
    """

    key: str
    message: str
    delay_s: float = 0.0
    is_suspect: bool = False


def open_redis_ledger(settings: Settings) -> RedisLedger:
    """The ledger that the settings name.

    Raises:
        ConfigurationError: the address is missing or none.
        LedgerUnavailable: Redis does not answer.
    """
    connection = guarded_connection(settings, "ledger", LedgerUnavailable)
    return RedisLedger(connection)


class RedisLedger:
    """See ``RunLedger``; every change is one step of Redis, whoever else writes.

    Args:
        connection: closed with the ledger.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    def begin(self, plan: RunPlan) -> RunBegin:
        """See ``RunLedger``."""
        for _ in range(_BEGIN_TRIES):
            latest_id = self._redis.call("GET", latest_of(plan.line)) or ""
            latest = self.run(latest_id) if latest_id else None
            if latest and latest.state is RunState.RUNNING and latest.plan == plan and not plan.retry_of:
                prefix = run_prefix(latest_id)
                self._redis.call("HSET", f"{prefix}info", "updated_at", _now_text())
                done = self._redis.call("SMEMBERS", f"{prefix}done")
                return RunBegin(latest, frozenset(int(key) for key in done if key.isdigit()))
            run_id = new_run_id()
            keys = (latest_of(plan.line), of_tenant(RUNS, plan.tenant), RUNNING)
            arguments = (latest_id, run_id, json.dumps(asdict(plan)), plan.line, _now_text(), *scripts.AUXILIARY_KEYS)
            if self._redis.run_script(scripts.BEGIN, keys, arguments):
                return RunBegin(self.run(run_id))
        raise RuntimeError(f"runs of {plan.line} begin faster than one can be recorded")

    def restart(self, run_id: str) -> None:
        """See ``RunLedger``."""
        arguments = (_now_text(), *_COUNT_NAMES, "", *scripts.AUXILIARY_KEYS)
        self._redis.run_script(scripts.RESTART, (run_prefix(run_id),), arguments)

    def set_collection(self, run_id: str, collection: str) -> None:
        """See ``RunLedger``."""
        key = f"{run_prefix(run_id)}info"
        self._redis.call("HSET", key, "collection", collection, "updated_at", _now_text())

    def record_batch(self, run_id: str, report: BatchReport) -> None:
        """See ``RunLedger``; a run that has ended takes no more reports."""
        self.record_with_parts(run_id, report, ())

    def record_with_parts(self, run_id: str, report: BatchReport, parts: Sequence[BatchPart]) -> bool:
        """Records a finished batch and what came out of it, in one step.

        Args:
            run_id: of the run.
            report: of the batch.
            parts: what is left of the batch to do, in batches of their own; the run does not end before they did.

        Returns:
            Whether it was recorded now.
        """
        owner = self._failures_owner(run_id)
        value = {
            "counts": {name: count for name, count in asdict(report.counts).items() if count},
            "failures": [{"field": _failure_field(item), "line": _failure_json(item)} for item in report.failures],
            "mended": [f"p:{product_id}" for product_id in report.product_ids] if self.run(run_id).plan.mends else [],
            "seen": report.product_ids,
            "embedded_with": report.embedded_with,
            "parts": [
                {
                    "key": part.key,
                    "message": part.message,
                    "delay_ms": round(part.delay_s * 1000),
                    "suspect": part.is_suspect,
                }
                for part in parts
            ],
        }
        keys = (run_prefix(run_id), run_prefix(owner))
        return bool(self._redis.run_script(scripts.RECORD, keys, (report.key, _now_text(), json.dumps(value))))

    def finish(self, run_id: str, state: RunState, *, removed: int = 0, reason: str = "") -> RunRecord:
        """See ``RunLedger``."""
        arguments = (run_id, state, removed, reason, _now_text(), *scripts.AUXILIARY_KEYS)
        self._redis.run_script(scripts.FINISH, (run_prefix(run_id), RUNNING), arguments)
        return self.run(run_id)

    def run(self, run_id: str) -> RunRecord:
        """See ``RunLedger``."""
        info = self._redis.call("HGETALL", f"{run_prefix(run_id)}info")
        if not info:
            raise run_not_found(run_id, self._redis.call("ZREVRANGE", RUNS, 0, 2))
        return _record(run_id, info)

    def runs(self, limit: int = 20, tenant: str = "") -> Sequence[RunRecord]:
        """See ``RunLedger``."""
        if limit < 1:
            return []
        latest = self._redis.call("ZREVRANGE", of_tenant(RUNS, tenant), 0, limit - 1)
        return [self.run(run_id) for run_id in latest]

    def failures(self, run_id: str) -> Sequence[Failure]:
        """See ``RunLedger``."""
        lists = self._redis.call("HVALS", f"{run_prefix(self._failures_owner(run_id))}failures")
        found = [_failure(json.loads(line)) for text in lists for line in text.split("\n")]
        return sorted(found, key=_place)

    def seen(self, run_id: str, product_ids: Sequence[str]) -> frozenset[str]:
        """See ``RunLedger``."""
        found: set[str] = set()
        key = f"{run_prefix(run_id)}seen"
        for start in range(0, len(product_ids), _SEEN_CHUNK):
            part = product_ids[start : start + _SEEN_CHUNK]
            flags = self._redis.call("SMISMEMBER", key, *part)
            found.update(product_id for product_id, flag in zip(part, flags, strict=True) if flag)
        return frozenset(found)

    def save_reindex(self, record: ReindexRecord) -> None:
        """See ``RunLedger``."""
        value = json.dumps(asdict(record), default=datetime.isoformat)
        self._redis.call("HSET", REINDEXES, record.reindex_id, value)

    def reindexes(self, limit: int = 20) -> Sequence[ReindexRecord]:
        """See ``RunLedger``."""
        found: Mapping[str, str] = self._redis.call("HGETALL", REINDEXES)
        return [_reindex(json.loads(found[key])) for key in sorted(found, reverse=True)[:limit]]

    def lease(self, name: str, holder: str, ttl_s: float) -> str:
        """See ``RunLedger``; the clock is Redis' own."""
        arguments = (holder, max(1, round(ttl_s * 1000)))
        return str(self._redis.run_script(scripts.LEASE, (right(name),), arguments))

    def release(self, name: str, holder: str) -> None:
        """See ``RunLedger``."""
        self._redis.run_script(scripts.RELEASE, (right(name),), (holder,))

    def close(self) -> None:
        """See ``RunLedger``."""
        self._redis.close()

    def _failures_owner(self, run_id: str) -> str:
        return self.run(run_id).plan.retry_of or run_id


def _record(run_id: str, info: Mapping[str, str]) -> RunRecord:
    counts = Counts(**{name: int(info.get(name, 0)) for name in _COUNT_NAMES})
    return RunRecord(
        run_id=run_id,
        plan=RunPlan(**json.loads(info["plan"])),
        state=RunState(info["state"]),
        collection=info.get("collection", ""),
        counts=counts + Counts(removed=int(info.get("removed_at_end", 0))),
        batches=int(info.get("batches", 0)),
        reason=info.get("reason", ""),
        started_at=datetime.fromisoformat(info["started_at"]),
        updated_at=datetime.fromisoformat(info["updated_at"]),
        expected_batches=int(info["sealed"]) + int(info.get("parts", 0)) if "sealed" in info else 0,
        embedded_with=tuple(sorted(filter(None, info.get("embedded_with", "").split("\n")))),
    )


def _place(failure: Failure) -> tuple[int, str, int]:
    return failure.line, failure.product_id, -1 if failure.position is None else failure.position


def _failure_field(failure: Failure) -> str:
    """A product's failures lie together; rows that are no products stay when a retry mends the product."""
    return f"{'r' if failure.product is None else 'p'}:{failure.product_id}"


def _failure_json(failure: Failure) -> str:
    value = {item.name: getattr(failure, item.name) for item in fields(Failure)}
    value["product"] = None if failure.product is None else failure.product.to_json()
    return json.dumps(value)


def _failure(value: dict[str, Any]) -> Failure:
    product = value["product"]
    return replace(
        Failure(**value | {"product": None, "stage": Stage(value["stage"])}),
        product=None if product is None else CatalogProduct.from_json(product),
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
