"""The work queue of a fleet: what the search API asks for, workers do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from indexer.errors import EventsUnavailable, QueueUnavailable
from indexer.indexing.dispatcher import QueueStatus
from indexer.ledger.port import RunState
from indexer.requests.port import RequestState, RunOrder, RunRequest, queued_requests
from indexer.settings import Settings
from workers.attendance import Attendance
from workers.batch_board import BatchBoard
from workers.celery_app import create_celery
from workers.messages import ApplyMessage
from workers.names import OPEN_REQUESTS, alias_of, of_tenant, right
from workers.redis_connection import RedisConnection, guarded_connection
from workers.redis_ledger import RedisLedger
from workers.requests import RunRequests, is_ended
from workers.sender import Sender

_ANNOUNCED_MS = 100
"""Announcements within this time are one: whoever applies events applies all that wait."""


def open_redis_work_queue(settings: Settings) -> RedisWorkQueue:
    """The queue that the settings name.

    Raises:
        ConfigurationError: the address is missing or none.
        EventsUnavailable: Redis does not answer.
    """
    connection = guarded_connection(settings, "work queue", EventsUnavailable)
    return RedisWorkQueue(connection, Sender(create_celery(settings)), lease_s=settings.worker_lease_s)


class RedisWorkQueue:
    """See ``WorkQueue``.

    Args:
        connection: raises ``EventsUnavailable``; closed with the queue.
        sender: closed with the queue.
        lease_s: after which a silent worker counts as gone.
    """

    def __init__(self, connection: RedisConnection, sender: Sender, *, lease_s: float) -> None:
        self._redis = connection
        self._sender = sender
        self._requests = RunRequests(connection)
        self._ledger = RedisLedger(connection)
        self._board = BatchBoard(connection, lease_s=lease_s)
        self._attendance = Attendance(connection, lease_s=lease_s)

    def announce(self, product_ids: Sequence[str], tenant: str = "") -> None:
        """See ``WorkQueue``; without it workers find the events themselves, a second later."""
        if not product_ids:
            return
        for space_id in {card.embedding_space().space_id for card in self._attendance.present()}:
            key = right(of_tenant(f"announced:{space_id}", tenant))
            if not self._redis.call("SET", key, 1, "NX", "PX", _ANNOUNCED_MS):
                continue
            try:
                self._sender.send_apply(ApplyMessage(space_id=space_id, tenant=tenant))
            except QueueUnavailable as error:
                raise EventsUnavailable(error.reason, error.remedy) from error

    def request_run(self, order: RunOrder) -> RunRequest:
        """See ``WorkQueue``."""
        return self._requests.add(order)

    def request(self, request_id: str) -> RunRequest:
        """See ``WorkQueue``."""
        return self._as_it_is(self._requests.get(request_id))

    def requests(self, limit: int = 20, tenant: str = "") -> Sequence[RunRequest]:
        """See ``WorkQueue``."""
        return [self._as_it_is(request) for request in self._requests.latest(limit, tenant)]

    def waiting(self) -> Sequence[QueueStatus]:
        """See ``WorkQueue``; Celery's queues, the dead letters, and runs that were asked for."""
        depth, first = int(self._redis.call("SCARD", OPEN_REQUESTS)), self._requests.next_open()
        oldest = self._requests.get(first).requested_at if first else None
        # those of running runs too: the queue that the last worker has left is the one to tell of
        spaces = {alias_of(self._ledger.run(run_id).plan.alias).space_id for run_id in self._board.running()}
        return [*self._attendance.queues(sorted(spaces)), queued_requests(depth, oldest)]

    def close(self) -> None:
        """See ``WorkQueue``."""
        self._sender.close()
        self._redis.close()

    def _as_it_is(self, request: RunRequest) -> RunRequest:
        """What the ledger knows by now of a run that was begun."""
        if is_ended(request) or not request.run_id:
            return request
        record = self._ledger.run(request.run_id)
        if record.state is RunState.RUNNING:
            return replace(request, fraction=self._board.progress(record), updated_at=record.updated_at)
        state = RequestState.FINISHED if record.state is RunState.FINISHED else RequestState.FAILED
        reason = record.reason or ("Another run took its place." if record.state is RunState.SUPERSEDED else "")
        fraction = 1.0 if state is RequestState.FINISHED else self._board.progress(record)
        return replace(request, state=state, fraction=fraction, reason=reason, updated_at=record.updated_at)
