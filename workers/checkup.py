"""What the doctor asks of Redis and of the fleet that meets at it; reads, and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

from indexer.doctor.findings import Finding, Notes
from indexer.errors import VitrineError
from indexer.settings import Settings
from workers.attendance import Attendance
from workers.dead_letters import DeadLetters
from workers.names import WORKERS
from workers.redis_connection import RedisConnection, redis_address

_CLOCK_TOLERANCE_S = 2.0
_WAITS_LONG_S = 300.0
_NEARLY_FULL = 0.9


def check_broker(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: whether Redis answers, keeps what it is given, and has workers for what waits."""
    notes = Notes("broker")
    try:
        with closing(RedisConnection(redis_address(settings))) as connection:
            asked_s = time.time()
            seconds, microseconds = connection.call("TIME")
            _clock(float(seconds) + float(microseconds) / 1e6 - (asked_s + time.time()) / 2, notes)
            # without these, limits of rates alone are there, which may be lost
            keeps = settings.ledger == "redis" or settings.dispatcher == "celery"
            _server(connection.call("INFO"), keeps=keeps, notes=notes)
            if keeps:
                _fleet(connection, settings, notes)
    except VitrineError as error:
        notes.error("redis_unavailable", error.reason, error.remedy)
    if not notes.made:
        notes.ok("Redis answers, keeps what it is given, and nothing waits long.")
    return notes.made


def _clock(ahead_s: float, notes: Notes) -> None:
    if abs(ahead_s) > _CLOCK_TOLERANCE_S:
        notes.warning(
            "clocks_differ",
            f"Redis' clock is {ahead_s:+.1f} s from this machine's.",
            "Have both set by NTP: leases and ages are told by them.",
        )


def _server(info: Mapping[str, Any], *, keeps: bool, notes: Notes) -> None:
    limit, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    if keeps and not int(info.get("aof_enabled", 0)):
        notes.error(
            "redis_forgets",
            "Redis keeps nothing over a restart: appendonly is off.",
            "Set appendonly yes: queues, runs and events live there.",
        )
    if keeps and info.get("maxmemory_policy", "noeviction") != "noeviction":
        notes.error(
            "redis_evicts",
            f"Redis throws keys away when it is full (maxmemory-policy {info['maxmemory_policy']}).",
            "Set maxmemory-policy noeviction.",
        )
    if info.get("aof_last_write_status", "ok") != "ok":
        notes.error("redis_cannot_write", "Redis could not write to its append-only file.", "Make room on its disk.")
    if limit and used > _NEARLY_FULL * limit:
        notes.warning(
            "redis_full",
            f"Redis uses {used / 1e6:,.0f} of {limit / 1e6:,.0f} MB; full, it refuses work.",
            "Give it more.",
        )


def _fleet(connection: RedisConnection, settings: Settings, notes: Notes) -> None:
    letters = DeadLetters(connection)
    if count := letters.count():
        latest = letters.latest(1)[0]
        notes.warning(
            "dead_letters",
            f"{count:,} messages could not be used, the latest at {latest['at']}: {latest['reason']}",
            "Look at them (LRANGE vitrine:dead-letters 0 9 in Redis), mend their sender, then delete the list.",
        )
    attendance = Attendance(connection, lease_s=settings.worker_lease_s)
    if settings.dispatcher == "celery" and not attendance.seen():
        gone = len(connection.call("SMEMBERS", WORKERS))
        notes.warning("no_worker", f"No worker is there ({gone} have gone).", "Start one: python -m workers")
    for queue in attendance.waiting():
        if queue.oldest_age_s > _WAITS_LONG_S or (queue.depth and not queue.workers):
            notes.warning(
                "queue_waits",
                f"{queue.depth:,} messages wait in {queue.name}, the oldest for {queue.oldest_age_s:,.0f} s; "
                f"{queue.workers} workers take from it.",
                "Start more workers with the model of that space.",
            )
