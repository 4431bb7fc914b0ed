"""The work queue port: how the search API hands work to whoever indexes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from indexer.indexing.dispatcher import QueueStatus

REQUESTS_QUEUE = "requests"
"""Name under which runs that were asked for, and have not begun, are counted among the queues."""


@dataclass(frozen=True, slots=True)
class RunOrder:
    """An index run that is asked for: a feed, or the failures of an earlier run again.

    Attributes:
        feed: absolute path; empty for a retry.
        full: products that the feed does not name are removed at the end.
        limit: most products to read, 0 for all.
        retry_of: run whose failures are tried again; empty for a feed.
        tenant: who asks; empty in an installation without tenants.
    """

    feed: str = ""
    full: bool = False
    limit: int = 0
    retry_of: str = ""
    tenant: str = ""


class RequestState(StrEnum):
    """Where a request is."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that was asked for, and what became of it.

    Attributes:
        request_id: sorts by time.
        order: what was asked.
        state: where it is; a run that ends early counts as failed here as in the ledger.
        run_id: of the ledger, empty until the run began.
        fraction: of the feed that is done, 0..1.
        reason: why it failed, else empty.
        requested_at, updated_at: UTC.
    """

    request_id: str
    order: RunOrder
    state: RequestState
    run_id: str
    fraction: float
    reason: str
    requested_at: datetime
    updated_at: datetime


class WorkQueue(Protocol):
    """Takes work from the API; every method raises ``EventsUnavailable`` if it cannot be reached."""

    def announce(self, product_ids: Sequence[str], tenant: str = "") -> None:
        """Says that the event log has new states of these products; a hint that may be lost and costs only time."""
        ...

    def request_run(self, order: RunOrder) -> RunRequest:
        """Asks for an index run; durable when it returns."""
        ...

    def request(self, request_id: str) -> RunRequest:
        """A request by its id.

        Raises:
            RunNotFound: there is none.
        """
        ...

    def requests(self, limit: int = 20, tenant: str = "") -> Sequence[RunRequest]:
        """The latest requests of a tenant, or of none, newest first."""
        ...

    def waiting(self) -> Sequence[QueueStatus]:
        """What waits for whoever indexes, of all tenants, by queue."""
        ...

    def close(self) -> None:
        """Releases files and connections."""
        ...


def queued_requests(depth: int, oldest: datetime | None) -> QueueStatus:
    """Runs that were asked for and have not begun, as a queue.

    Args:
        depth: how many.
        oldest: when the first of them was asked for, UTC; None if there is none.
    """
    age_s = 0.0 if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds())
    return QueueStatus(REQUESTS_QUEUE, depth, age_s, 0, has_workers=False)
