"""Batches on their way: sent, in somebody's hand, put off; so that none is lost and none is done twice at a time."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from indexer.ledger.port import RunRecord
from workers import redis_scripts as scripts
from workers.names import RUNNING, run_prefix
from workers.redis_connection import RedisConnection

_MOST_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do a batch, while its lease is renewed.

    Attributes:
        run_id, key: which batch.
        token: unlike every other claim's.
        lost_in_company: how often a worker was lost that had this batch in hand beside others.
        lost_alone: how often one was lost that had this batch alone.
        retries: how often it was tried again.
    """

    run_id: str
    key: str
    token: str
    lost_in_company: int
    lost_alone: int
    retries: int

    @property
    def is_suspect(self) -> bool:
        """Whether a worker was lost over it."""
        return bool(self.lost_in_company or self.lost_alone)


@dataclass(frozen=True, slots=True)
class Sealing:
    """What is known of a run when all its batches are sent.

    Attributes:
        batches: how many there are.
        broken_off: why the feed ended early, else empty.
    """

    batches: int
    broken_off: str


class BatchBoard:
    """See the module; every method raises ``LedgerUnavailable`` if Redis does not answer.

    Args:
        connection: to Redis.
        lease_s: after which a claim lapses if it is not renewed.
    """

    def __init__(self, connection: RedisConnection, *, lease_s: float) -> None:
        self._redis = connection
        self._lease_ms = max(1, round(lease_s * 1000))

    def note_sent(self, run_id: str, key: str, message: str, fraction: float) -> bool:
        """Records that a batch's message is in its queue, and keeps a copy until the batch is done.

        Args:
            run_id: of the run.
            key: of the batch.
            message: JSON.
            fraction: share of the feed that is read behind it.

        Returns:
            Whether the run still goes on.
        """
        arguments = (key, message, key if key.isdigit() else "", fraction)
        return bool(self._redis.run_script(scripts.SENT, (run_prefix(run_id),), arguments))

    def sent_numbers(self, run_id: str) -> frozenset[int]:
        """Numbers of the batches that were sent already."""
        return frozenset(int(number) for number in self._redis.call("SMEMBERS", f"{run_prefix(run_id)}dispatched"))

    def unfinished(self, run_id: str) -> int:
        """Batches that were sent, or are to be sent, and are not done."""
        return int(self._redis.call("HLEN", f"{run_prefix(run_id)}pending"))

    def fraction(self, run_id: str) -> float:
        """Share of the feed that is read and sent."""
        return float(self._redis.call("HGET", f"{run_prefix(run_id)}info", "fraction") or 0.0)

    def progress(self, record: RunRecord) -> float:
        """How much of a run is done, 0..1: of what is sent, as far as its feed is read."""
        total = record.expected_batches or record.batches + self.unfinished(record.run_id)
        share = record.batches / total if total else 0.0
        return min(1.0, share * (1.0 if record.expected_batches else self.fraction(record.run_id)))

    def seal(self, run_id: str, sealing: Sealing) -> None:
        """Records that all batches of a run are sent."""
        key = f"{run_prefix(run_id)}info"
        self._redis.call("HSET", key, "sealed", sealing.batches, "broken_off", sealing.broken_off, "fraction", 1.0)

    def sealing(self, run_id: str) -> Sealing | None:
        """What ``seal`` recorded, None before."""
        batches, reason = self._redis.call("HMGET", f"{run_prefix(run_id)}info", "sealed", "broken_off")
        return None if batches is None else Sealing(int(batches), reason or "")

    def ask_to_dispatch(self, run_id: str, message: str) -> None:
        """Leaves it to the workers to read a run's batches and send them; they ask again until it is sealed."""
        self._redis.call("HSET", f"{run_prefix(run_id)}info", "dispatch", message)

    def to_dispatch(self, run_id: str) -> str:
        """What ``ask_to_dispatch`` was given; empty if it was not called or the run is sealed."""
        message, sealed = self._redis.call("HMGET", f"{run_prefix(run_id)}info", "dispatch", "sealed")
        return "" if sealed is not None else message or ""

    def is_complete(self, run_id: str) -> bool:
        """Whether every batch of a sealed, running run is done."""
        return bool(self._redis.run_script(scripts.COMPLETE, (run_prefix(run_id),)))

    def running(self) -> list[str]:
        """Ids of runs that have not ended."""
        return sorted(self._redis.call("SMEMBERS", RUNNING))

    def claim(self, run_id: str, key: str, message: str, collection: str) -> Claim | None:
        """Takes a batch in hand.

        Args:
            run_id, key: of the batch.
            message: its JSON, kept until the batch is done.
            collection: that the message names.

        Returns:
            None if it is done, in another's hand or put off, or if its run has ended or writes to another collection.
        """
        token = secrets.token_hex(8)
        arguments = (key, token, self._lease_ms, message, collection)
        verdict, *counts = self._redis.run_script(scripts.CLAIM, (run_prefix(run_id),), arguments)
        return Claim(run_id, key, token, *map(int, counts)) if verdict == "claimed" else None

    def note_start(self, claim: Claim, *, alone: bool) -> None:
        """Records that work on a batch begins: if nothing more is heard, it may be what killed the worker."""
        field = f"{'alone' if alone else 'shared'}:{claim.key}"
        self._redis.call("HINCRBY", f"{run_prefix(claim.run_id)}starts", field, 1)

    def renew(self, claim: Claim) -> bool:
        """A sign of life; returns whether the batch is still this claim's."""
        arguments = (claim.key, claim.token, self._lease_ms)
        return bool(self._redis.run_script(scripts.RENEW, (run_prefix(claim.run_id),), arguments))

    def put_off(self, claim: Claim, delay_s: float) -> bool:
        """Gives a batch back, to be sent again after a while, as a retry."""
        arguments = (claim.key, claim.token, round(delay_s * 1000), 1)
        return bool(self._redis.run_script(scripts.POSTPONE, (run_prefix(claim.run_id),), arguments))

    def take_due(self, run_id: str, *, lost_after_s: float | None) -> list[str]:
        """Messages that are to be sent now, each given to one caller.

        They are those put off until now, those whose worker gave no sign of life, and, where the queue is known to be
        empty, those that were sent long ago and that nobody has in hand.

        Args:
            run_id: of the run.
            lost_after_s: age at which a message that was sent counts as lost; None: none does.
        """
        age = "" if lost_after_s is None else round(lost_after_s * 1000)
        return list(self._redis.run_script(scripts.TAKE_DUE, (run_prefix(run_id),), (_MOST_AT_ONCE, age)))
