"""The embedded indexer process: takes requested index runs and gathers events into small ones."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from indexer.errors import StoreLocked, VitrineError, WorkerLost
from indexer.events.in_hand import InHand
from indexer.events.logs import EventLogs
from indexer.events.pending import PendingEvents, retry_events
from indexer.events.port import EventLog
from indexer.events.retries import EventRetries, RetryPace
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.progress import IndexProgress
from indexer.indexing.run import IndexOptions, index_feed, retry_failures
from indexer.ledger.port import RunRecord, RunState
from indexer.ledger.tenants import TenantRuns
from indexer.requests.port import RunOrder, RunRequest
from indexer.requests.sqlite import SqliteWorkQueue

_log = logging.getLogger(__name__)
_POLL_S = 0.1
_LOCKED_RETRY_S = 0.5
_FIRST_RETRY_S = 1.0
_MAX_RETRY_S = 30.0
_NOTE_EVERY_S = 0.5
_COMPACT_EVERY = timedelta(hours=6)
_TENANTS_A_POLL = 20
"""Each tenant has a log to look into; with many the looks are rarer, so that an idle process stays idle."""
_MAX_ATTEMPTS = 3
"""So often is a requested run begun without getting any further; then it is not begun again."""


@dataclass(frozen=True, slots=True)
class FollowOptions:
    """How the process works.

    Attributes:
        gather_s: how long to wait for further events before a small index run begins.
        keep_days: how long deletions and changed fields are remembered; see ``EventLog.compact``.
        batch_products: most products in a batch.
        default_currency: ISO 4217, for prices of feeds that name none.
        in_hand: file where what is being indexed is noted; see ``InHand``. None: nowhere.
        retry_pace: of products whose pictures could not be had for now.
        tenants: whether the products are several tenants'; then each has a log of its own.
    """

    gather_s: float = 0.5
    keep_days: int = 30
    batch_products: int = 64
    default_currency: str = ""
    in_hand: Path | None = None
    retry_pace: RetryPace = field(default_factory=RetryPace)
    tenants: bool = False


@dataclass(frozen=True, slots=True)
class _Followed:
    """What is followed of one tenant."""

    log: EventLog
    retries: EventRetries
    pending: PendingEvents


class Follower:
    """Does what waits, one thing after the other; killed at any moment it does it again.

    Args:
        parts: of index runs.
        logs: of events.
        queue: of requested index runs.
        options: how it works.
        tell: called with a sentence for people, when something is done or has to wait.
    """

    def __init__(
        self,
        parts: IndexParts,
        logs: EventLogs,
        queue: SqliteWorkQueue,
        options: FollowOptions,
        tell: Callable[[str], None],
    ) -> None:
        self._parts = parts
        self._logs = logs
        self._queue = queue
        self._options = options
        self._tell = tell
        self._followed: dict[str, _Followed] = {}
        self._said = ""
        self._last_run_s = 0.0
        self._last_end_s = float("-inf")
        self._compacted_at = datetime.min.replace(tzinfo=UTC)

    def run(self, stop: threading.Event) -> None:
        """Works until ``stop`` is set; a part that is away for a while is waited for.

        Raises:
            VitrineError: what waiting does not mend.
        """
        retry_s = _FIRST_RETRY_S
        while not stop.is_set():
            try:
                busy = self._step(stop)
            except StoreLocked as error:
                self._wait_for(error)
                stop.wait(_LOCKED_RETRY_S)
                continue
            except VitrineError as error:
                if not error.retryable:
                    raise
                self._wait_for(error)
                stop.wait(retry_s)
                retry_s = min(_MAX_RETRY_S, 2 * retry_s)
                continue
            retry_s = _FIRST_RETRY_S
            self._said = ""
            if not busy:
                stop.wait(_POLL_S * max(1, len(self._followed) // _TENANTS_A_POLL))

    def apply_pending(self) -> int:
        """See ``PendingEvents.apply``; of every tenant."""
        start_s = time.monotonic()
        applied = sum(followed.pending.apply() for followed in self._all_followed())
        self._last_end_s = time.monotonic()
        self._last_run_s = self._last_end_s - start_s
        return applied

    def carry_out(self, request: RunRequest) -> None:
        """Does a requested index run; what cannot be done is on record with its reason.

        Raises:
            StoreLocked: another run is writing; the request stays first in line.
            VitrineError: a part is away for now; the request stays first in line.
        """
        listener = _RequestListener(self._queue, request)
        if self._queue.begin(request.request_id) > _MAX_ATTEMPTS:
            lost = WorkerLost(
                f"The indexer process died {_MAX_ATTEMPTS} times at the same place of this run.",
                "Run python -m indexer index yourself to see why.",
            )
            self._queue.finish(request.request_id, listener.run_id, str(lost))
            self._tell(f"The requested run {request.request_id} failed: {lost}")
            return
        try:
            record = self._run_of(request.order, listener)
        except VitrineError as error:
            if error.retryable:
                self._queue.put_back(request.request_id)
                raise
            self._queue.finish(request.request_id, listener.run_id, str(error))
            self._tell(f"The requested run {request.request_id} failed: {error}")
            return
        except BaseException:
            self._queue.put_back(request.request_id)  # ended from outside, and not by this request
            raise
        run_id = record.run_id if record else request.order.retry_of
        reason = record.reason if record and record.state is RunState.FAILED else ""
        self._queue.finish(request.request_id, run_id, reason)
        self._tell(f"The requested run {request.request_id} is done.")

    def _step(self, stop: threading.Event) -> bool:
        """Does one thing that waits; returns whether there was any."""
        request = self._queue.oldest()
        if request is not None:
            self.carry_out(request)
        all_followed = self._all_followed()
        for followed in all_followed:
            if due := followed.retries.due(time.monotonic()):
                followed.log.again(due)
        if any(followed.pending.is_behind() for followed in all_followed):
            stop.wait(self._pause_s())
            self.apply_pending()
            return True
        self._compact()
        return request is not None

    def _pause_s(self) -> float:
        """Time to gather; small runs get rarer the more they cost, and never take more than about half of the time."""
        rest_s = min(_MAX_RETRY_S, self._last_run_s) - (time.monotonic() - self._last_end_s)
        return max(self._options.gather_s, rest_s)

    def _run_of(self, order: RunOrder, listener: _RequestListener) -> RunRecord | None:
        dispatcher = InlineDispatcher(self._parts)
        if order.retry_of:
            return self._retry(order, dispatcher, listener)
        size, currency = self._options.batch_products, self._options.default_currency
        options = IndexOptions(order.full, order.limit, size, currency, order.tenant)
        return index_feed(Path(order.feed), options, dispatcher, listener)

    def _retry(self, order: RunOrder, dispatcher: InlineDispatcher, listener: _RequestListener) -> RunRecord | None:
        run_id, runs = order.retry_of, TenantRuns(self._parts.ledger, order.tenant)
        if not runs.run(run_id).plan.is_events:
            return retry_failures(run_id, self._options.batch_products, dispatcher, listener, order.tenant)
        retry_events(run_id, runs, self._logs.of(order.tenant))
        return None

    def _all_followed(self) -> Sequence[_Followed]:
        """Of every tenant that has a log by now; without tenants the one of the installation."""
        names = self._logs.tenants() if self._options.tenants else [""]
        for name in names:
            if name not in self._followed:
                self._followed[name] = self._follow(name)
        return [self._followed[name] for name in names]

    def _follow(self, tenant: str) -> _Followed:
        options, log, retries = self._options, self._logs.of(tenant), EventRetries(self._options.retry_pace)
        path = options.in_hand
        if path is not None and tenant:
            path = path.with_name(f"{path.stem}-{tenant}{path.suffix}")
        pending = PendingEvents(
            self._parts.of_tenant(tenant),
            log,
            self._tell,
            batch_products=options.batch_products,
            in_hand=None if path is None else InHand(path),
            retries=retries,
        )
        return _Followed(log, retries, pending)

    def _compact(self) -> None:
        now = datetime.now(UTC)
        if now - self._compacted_at > _COMPACT_EVERY:
            self._compacted_at = now
            for followed in self._all_followed():
                followed.pending.compact(self._options.keep_days)

    def _wait_for(self, error: VitrineError) -> None:
        if error.reason != self._said:
            self._said = error.reason
            self._tell(f"Waiting: {error.reason}")


class _RequestListener:
    """Writes a run's progress to its request, not more often than somebody would look."""

    def __init__(self, queue: SqliteWorkQueue, request: RunRequest) -> None:
        self._queue = queue
        self._request_id = request.request_id
        self.run_id = request.run_id
        self._noted_s = float("-inf")

    def __call__(self, progress: IndexProgress) -> None:
        now_s = time.monotonic()
        if progress.run_id != self.run_id or now_s - self._noted_s >= _NOTE_EVERY_S:
            self.run_id, self._noted_s = progress.run_id, now_s
            self._queue.note(self._request_id, progress.run_id, progress.fraction)
