"""Tasks about a whole run: beginning one that was asked for, sending its batches, and ending it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from indexer.errors import MessageInvalid, VitrineError
from indexer.events.logs import EventLogs
from indexer.events.pending import retry_events
from indexer.indexing.dispatcher import PlannedRun
from indexer.indexing.inline import IndexParts
from indexer.indexing.progress import Phase
from indexer.indexing.run import IndexOptions, plan_feed, plan_retry
from indexer.indexing.run_ends import end_run
from indexer.ledger.port import RunRecord, RunState
from indexer.ledger.tenants import TenantRuns
from indexer.requests.port import RequestState, RunOrder
from indexer.store.port import CollectionWriter
from indexer.store.tenant_store import of_tenant
from workers.fleet import Fleet
from workers.messages import DispatchMessage, FinishMessage, StartMessage, read_message
from workers.names import alias_of
from workers.rights import SoleRights
from workers.run_feeder import RunFeeder, refuse_beside

_log = logging.getLogger(__name__)
_M = TypeVar("_M", FinishMessage, DispatchMessage, StartMessage)


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """How runs that are asked for over HTTP are read.

    Attributes:
        batch_products: most products in a batch.
        default_currency: ISO 4217, for prices that name none.
        ahead: batches that may wait for workers.
    """

    batch_products: int
    default_currency: str
    ahead: int


class RunTasks:
    """Handles messages about runs; what it leaves undone, some worker's upkeep asks for again.

    Args:
        parts: store, and what events know.
        fleet: shared with other processes.
        rights: to be the one who does it.
        logs: of events, whose failures may be retried.
        options: of feeds.
    """

    def __init__(
        self, parts: IndexParts, fleet: Fleet, rights: SoleRights, logs: EventLogs, options: FeedOptions
    ) -> None:
        self._parts = parts
        self._fleet = fleet
        self._rights = rights
        self._logs = logs
        self._options = options
        self._feeder = RunFeeder(fleet, parts.store, parts.embedder.space)

    def start(self, value: object) -> None:
        """Begins a run that was asked for, unless another of the catalog goes on: then it stays in line."""
        message = self._read(StartMessage, value)
        if message is None:
            return
        requests = self._fleet.requests
        with self._rights.taken(f"start:{message.request_id}") as granted:
            request = requests.get(message.request_id)  # of our own queue, not HTTP # nosec B113
            if not granted or request.state is not RequestState.QUEUED:
                return
            try:
                record = self._begun(request.order)
            except VitrineError as error:
                if error.retryable:
                    _log.info("the requested run %s waits: %s", request.request_id, error)
                    return
                requests.note(request.request_id, RequestState.FAILED, request.order.retry_of, str(error))
                return
            if record is None:
                requests.note(request.request_id, RequestState.FINISHED, request.order.retry_of)
            else:
                requests.note(request.request_id, RequestState.RUNNING, record.run_id)

    def dispatch(self, value: object) -> None:
        """Sends batches of a run as long as there is room for them."""
        message = self._read(DispatchMessage, value)
        if message is None:
            return
        with self._rights.taken(f"dispatch:{message.run_id}") as granted:
            record = self._fleet.ledger.run(message.run_id)
            sealed = self._fleet.board.sealing(message.run_id) is not None
            if granted and not sealed and record.state is RunState.RUNNING:
                self._dispatch(record)

    def finish(self, value: object) -> None:
        """Ends a run whose batches are all done; nothing happens if they are not, or if it has ended."""
        message = self._read(FinishMessage, value)
        if message is None or not self._fleet.board.is_complete(message.run_id):
            return
        with self._rights.taken(f"finish:{message.run_id}") as granted:
            if granted and self._fleet.board.is_complete(message.run_id):
                self._end(self._fleet.ledger.run(message.run_id))

    def _begun(self, order: RunOrder) -> RunRecord | None:
        """The run on record, to be dispatched by workers; None for events, which are only to be applied again."""
        ledger = self._fleet.ledger
        runs = TenantRuns(ledger, order.tenant)
        if order.retry_of and runs.run(order.retry_of).plan.is_events:
            retry_events(order.retry_of, runs, self._logs.of(order.tenant))
            return None
        run = self._planned(order)
        refuse_beside(run.plan, ledger)
        record = self._feeder.begin(run.plan)
        message = DispatchMessage(run_id=record.run_id, space_id=self._parts.embedder.space.space_id)
        self._fleet.board.ask_to_dispatch(record.run_id, message.model_dump_json())
        return record

    def _planned(self, order: RunOrder) -> PlannedRun:
        options = self._options
        if order.retry_of:
            runs = TenantRuns(self._fleet.ledger, order.tenant)
            return plan_retry(order.retry_of, options.batch_products, runs, self._parts.alias)
        size, currency = options.batch_products, options.default_currency
        asked = IndexOptions(order.full, order.limit, size, currency, order.tenant)
        return plan_feed(Path(order.feed), asked, self._parts.alias)

    def _dispatch(self, record: RunRecord) -> None:
        ledger, plan = self._fleet.ledger, record.plan
        try:
            run = self._planned(RunOrder(plan.feed, plan.full, plan.limit, plan.retry_of, plan.tenant))
            if run.plan != plan:
                reason = f"{plan.feed} changed while it was being read. Index it again."
                ledger.finish(record.run_id, RunState.FAILED, reason=reason)
                return
            self._feeder.feed(run, self._feeder.go_on(record), lambda: self._has_room(record))
        except VitrineError as error:
            if error.retryable:
                raise
            ledger.finish(record.run_id, RunState.FAILED, reason=str(error))

    def _has_room(self, record: RunRecord) -> bool:
        # a retry's list changes while it is worked off, so its batches are all sent at once
        is_retry = bool(record.plan.retry_of)
        return is_retry or self._fleet.board.unfinished(record.run_id) < self._options.ahead

    def _end(self, record: RunRecord) -> None:
        ledger = self._fleet.ledger
        sealing = self._fleet.board.sealing(record.run_id)
        assert sealing is not None  # noqa: S101 - a run that is not sealed is not complete
        try:
            writer = self._writer(record)
            try:
                reason = sealing.broken_off
                if writer.collection != record.collection:
                    reason = f"{record.collection} was replaced by {writer.collection} meanwhile. Index the feed again."
                events = self._parts.pipeline.events_of(record.plan.tenant)
                ended = end_run(record.run_id, ledger, writer, reason, _log_phase, events)
            finally:
                writer.close()
        except VitrineError as error:
            if error.retryable:
                raise
            ended = ledger.finish(record.run_id, RunState.FAILED, reason=str(error))
        _log.info("run %s %s: %s products", ended.run_id, ended.state, ended.counts.products)
        calibrator, alias = self._parts.calibrator, alias_of(record.plan.alias)
        if calibrator is not None and not record.plan.target and ended.state is RunState.FINISHED:
            of_owner = calibrator.of_tenant(record.plan.tenant)
            of_owner.serving_if_due(alias, lambda: _log_phase(Phase.CALIBRATING))

    def _writer(self, record: RunRecord) -> CollectionWriter:
        plan, space = record.plan, self._parts.embedder.space
        store = of_tenant(self._parts.store, plan.tenant)
        if plan.target:
            return store.target(alias_of(plan.alias), space, collection=plan.target, donor=plan.donor)
        return store.writer(alias_of(plan.alias), space, resume_of=record.collection)

    def _read(self, kind: type[_M], value: object) -> _M | None:
        try:
            return read_message(kind, value)
        except MessageInvalid as error:
            _log.error("%s", error)
            self._fleet.dead_letters.add(str(error), value)
            return None


def _log_phase(phase: Phase) -> None:
    _log.info("%s", phase)
