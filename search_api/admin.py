"""Changing the catalog: what the admin routes do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from indexer.errors import (
    CollectionNotFound,
    EventsUnavailable,
    RunNotFound,
    SpaceMismatch,
    VitrineError,
)
from indexer.events.logs import EventLogs
from indexer.events.port import Appended, Applied, ProductEvent
from indexer.indexing.run import IndexOptions
from indexer.ledger.port import Failure, RunLedger, RunRecord
from indexer.ledger.tenants import TenantRuns
from indexer.requests.port import RunOrder, RunRequest, WorkQueue
from indexer.requests.tenants import TenantRequests
from indexer.store.async_reader import AsyncCollectionReader
from search_api.feeds import FeedFolder

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EventStatus:
    """How far the index is behind the events."""

    position: int
    applied: Applied


@dataclass(frozen=True, slots=True)
class IndexRun:
    """An index run as seen from outside: as it was asked for, as the ledger has it, or both."""

    request: RunRequest | None
    record: RunRecord | None

    @property
    def run_id(self) -> str:
        """The id that was given when it was asked for; for others that of the ledger."""
        if self.request is not None:
            return self.request.request_id
        return self.record.run_id if self.record is not None else ""


@dataclass(frozen=True, slots=True)
class AdminParts:
    """What the admin routes work with; of all tenants, where there are any.

    Attributes:
        logs: of events.
        ledger: of runs.
        queue: of requests.
        feeds: gives a tenant's folder of feeds.
        alias_name: of what is searched.
        reader: of the products that the request is about.
    """

    logs: EventLogs
    ledger: RunLedger
    queue: WorkQueue
    feeds: Callable[[str], FeedFolder]
    alias_name: Callable[[], str]
    reader: Callable[[], AsyncCollectionReader]


class AdminService:
    """The use cases behind the admin routes; they block, so they belong in threads.

    Args:
        parts: of the installation.
        tenant: whose products, events and runs it is about, and no other's; empty without tenants.

    Raises:
        EventsUnavailable: the tenant's events cannot be opened.
    """

    def __init__(self, parts: AdminParts, tenant: str = "") -> None:
        self._parts = parts
        self._log = parts.logs.of(tenant)
        self._runs = TenantRuns(parts.ledger, tenant)
        self._requests = TenantRequests(parts.queue, tenant)
        self._feeds = parts.feeds(tenant)

    @property
    def feeds_dir(self) -> str:
        """Folder that paths of pictures are relative to; empty if there is none."""
        return self._feeds.root

    def append(self, event: ProductEvent) -> Appended:
        """Records an event and says so to whoever applies it.

        Raises:
            EventsUnavailable: it is not recorded.
        """
        (appended,) = self._log.append([event])
        if not appended.stale:
            try:
                self._requests.announce([event.product_id])
            except EventsUnavailable as error:
                _log.warning("%s The event is recorded, and applied with those that follow.", error)
        return appended

    def status(self) -> EventStatus:
        """How far the index is behind; what it says is applied, this process finds from now on.

        Raises:
            ModelLoading: the model, whose space names the index, is not loaded yet.
            StoreError: what is applied cannot be searched.
        """
        status = EventStatus(self._log.position(), self._log.applied(self._parts.alias_name()))
        with suppress(CollectionNotFound, SpaceMismatch):  # nothing is published yet
            self._parts.reader().refresh()
        return status

    def request_feed(self, name: str, *, full: bool, limit: int) -> IndexRun:
        """Asks for a feed to be indexed.

        Raises:
            FeedNotFound: not in the folder of feeds.
            ConfigurationError: full with a limit.
        """
        IndexOptions(full=full, limit=limit)
        order = RunOrder(feed=str(self._feeds.find(name)), full=full, limit=limit)
        return IndexRun(self._requests.request_run(order), None)

    def keep_feed(self, name: str, data: BinaryIO) -> str:
        """Stores an uploaded feed; its path for ``request_feed``."""
        return self._feeds.keep(name, data).name

    def request_retry(self, run_id: str) -> IndexRun:
        """Asks for a run's failures to be tried again.

        Raises:
            RunNotFound: no such run.
        """
        order = RunOrder(retry_of=self._ledger_id(run_id))
        return IndexRun(self._requests.request_run(order), None)

    def runs(self, limit: int) -> Sequence[IndexRun]:
        """The latest runs, newest first, asked for over HTTP or not."""
        requests = self._requests.requests(limit)
        records = {record.run_id: record for record in self._runs.runs(limit)}
        asked = {request.run_id for request in requests if request.run_id and not request.order.retry_of}
        found = [IndexRun(request, self._record(request, records)) for request in requests]
        found += [IndexRun(None, record) for run_id, record in records.items() if run_id not in asked]
        return sorted(found, key=lambda run: run.run_id, reverse=True)[:limit]

    def run(self, run_id: str) -> IndexRun:
        """A run, by the id of the request or of the ledger; what it published, this process finds from now on.

        Raises:
            RunNotFound: no such run.
        """
        try:
            request = self._requests.request(run_id)
        except RunNotFound:
            found = IndexRun(None, self._runs.run(run_id))
        else:
            found = IndexRun(request, self._record(request, {}))
        # whoever waits for the end of a run searches next; what is wrong with the index, if anything, is told there
        with suppress(VitrineError):
            self._parts.reader().refresh()
        return found

    def failures(self, run_id: str) -> Sequence[Failure]:
        """What is still missing of a run; nothing of one that has not begun.

        Raises:
            RunNotFound: no such run.
        """
        run = self.run(run_id)
        return self._runs.failures(run.record.run_id) if run.record is not None else ()

    def _record(self, request: RunRequest, records: Mapping[str, RunRecord]) -> RunRecord | None:
        if not request.run_id:
            return None
        return records.get(request.run_id) or self._runs.run(request.run_id)

    def _ledger_id(self, run_id: str) -> str:
        record = self.run(run_id).record
        if record is None:
            raise RunNotFound(f"The run {run_id} has not begun yet, so nothing of it can be retried.")
        return record.run_id


class AdminOnDemand:
    """The services, whose parts are opened when one is first needed: without a key for them nothing is.

    Args:
        open_parts: blocks.
    """

    def __init__(self, open_parts: Callable[[], AdminParts]) -> None:
        self._open_parts = open_parts
        self._lock = threading.Lock()
        self._parts: AdminParts | None = None

    def get(self, tenant: str = "") -> AdminService:
        """The service for a tenant, or for the installation without tenants; the first call blocks.

        Raises:
            VitrineError: a part cannot be opened.
        """
        with self._lock:
            if self._parts is None:
                self._parts = self._open_parts()
            return AdminService(self._parts, tenant)

    def close(self) -> None:
        """Releases files and connections, if there are any."""
        with self._lock:
            if self._parts is not None:
                for part in (self._parts.logs, self._parts.ledger, self._parts.queue):
                    part.close()
