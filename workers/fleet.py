"""What all processes of a fleet meet at, opened from the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from indexer.settings import Settings
from workers.attendance import Attendance
from workers.batch_board import BatchBoard
from workers.celery_app import create_celery
from workers.dead_letters import DeadLetters
from workers.redis_connection import RedisConnection, redis_address
from workers.redis_ledger import RedisLedger
from workers.requests import RunRequests
from workers.retries import RetryPolicy
from workers.sender import Sender


@dataclass(frozen=True, slots=True)
class Fleet:
    """Parts over one Redis, and how to be patient with it."""

    ledger: RedisLedger
    board: BatchBoard
    sender: Sender
    attendance: Attendance
    dead_letters: DeadLetters
    requests: RunRequests
    retries: RetryPolicy


@contextmanager
def open_fleet(settings: Settings) -> Iterator[Fleet]:
    """The parts, for the length of the block.

    Raises:
        ConfigurationError: the address of Redis is missing or none.
        LedgerUnavailable: it does not answer.
    """
    connection = RedisConnection(redis_address(settings))
    sender = Sender(create_celery(settings))
    try:
        connection.call("PING")
        yield Fleet(
            ledger=RedisLedger(connection),
            board=BatchBoard(connection, lease_s=settings.worker_lease_s),
            sender=sender,
            attendance=Attendance(connection, lease_s=settings.worker_lease_s),
            dead_letters=DeadLetters(connection),
            requests=RunRequests(connection),
            retries=RetryPolicy.of(settings),
        )
    finally:
        sender.close()
        connection.close()
