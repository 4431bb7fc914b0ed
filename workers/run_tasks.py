"""Tasks about a whole run: sending its batches, and ending it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from indexer.errors import MessageInvalid, VitrineError
from indexer.indexing.inline import IndexParts
from indexer.indexing.progress import Phase
from indexer.indexing.run_ends import end_run
from indexer.ledger.port import RunRecord, RunState
from workers.fleet import Fleet
from workers.messages import DispatchMessage, FinishMessage, read_message
from workers.run_feeder import RunFeeder
from workers.run_keys import alias_of
from workers.upkeep import Upkeep

_log = logging.getLogger(__name__)
_M = TypeVar("_M", FinishMessage, DispatchMessage)


class RunTasks:
    """Handles messages about runs; what it leaves undone, some worker's upkeep asks for again.

    Args:
        parts: store, and what events know.
        fleet: shared with other processes.
        upkeep: of this process.
        lease_s: how long a right holds without a sign of life.
        ahead: batches that may wait for workers.
    """

    def __init__(self, parts: IndexParts, fleet: Fleet, upkeep: Upkeep, *, lease_s: float, ahead: int) -> None:
        self._parts = parts
        self._fleet = fleet
        self._upkeep = upkeep
        self._lease_s = lease_s
        self._ahead = ahead
        self._feeder = RunFeeder(fleet, parts.store, parts.embedder.space)

    def finish(self, value: object) -> None:
        """Ends a run whose batches are all done; nothing happens if they are not, or if it has ended."""
        message = self._read(FinishMessage, value)
        if message is None or not self._fleet.board.is_complete(message.run_id):
            return
        with self._sole_right(f"finish:{message.run_id}") as granted:
            if granted and self._fleet.board.is_complete(message.run_id):
                self._end(self._fleet.ledger.run(message.run_id))

    def dispatch(self, value: object) -> None:
        """Sends batches of a run as long as there is room for them."""
        message = self._read(DispatchMessage, value)
        if message is None:
            return
        ledger, board = self._fleet.ledger, self._fleet.board
        with self._sole_right(f"dispatch:{message.run_id}") as granted:
            record = ledger.run(message.run_id)
            if not granted or record.state is not RunState.RUNNING or board.sealing(message.run_id) is not None:
                return
            try:
                run = self._feeder.plan_again(record.plan, message.default_currency)
                if run.plan != record.plan:
                    reason = f"{record.plan.feed} changed while it was being read. Index it again."
                    ledger.finish(message.run_id, RunState.FAILED, reason=reason)
                    return
                record = self._feeder.go_on(record)
                self._feeder.feed(run, record, lambda _: self._has_room(record))
            except VitrineError as error:
                if error.retryable:
                    raise
                ledger.finish(message.run_id, RunState.FAILED, reason=str(error))

    def _end(self, record: RunRecord) -> None:
        ledger, board = self._fleet.ledger, self._fleet.board
        sealing = board.sealing(record.run_id)
        assert sealing is not None  # noqa: S101 - a run that is not sealed is not complete
        try:
            writer = self._parts.store.writer(
                alias_of(record.plan.alias), self._parts.embedder.space, resume_of=record.collection
            )
            try:
                reason = sealing.broken_off
                if writer.collection != record.collection:
                    reason = f"{record.collection} was replaced by {writer.collection} meanwhile. Index the feed again."
                ended = end_run(record.run_id, ledger, writer, reason, _log_phase, self._parts.pipeline.events)
            finally:
                writer.close()
        except VitrineError as error:
            if error.retryable:
                raise
            ended = ledger.finish(record.run_id, RunState.FAILED, reason=str(error))
        _log.info("run %s %s: %s products", ended.run_id, ended.state, ended.counts.products)

    def _has_room(self, record: RunRecord) -> bool:
        # a retry's list changes while it is worked off, so its batches are all sent at once
        is_retry = bool(record.plan.retry_of)
        return is_retry or self._fleet.board.unfinished(record.run_id) < self._ahead

    def _read(self, kind: type[_M], value: object) -> _M | None:
        try:
            return read_message(kind, value)
        except MessageInvalid as error:
            _log.error("%s", error)
            self._fleet.dead_letters.add(str(error), value)
            return None

    @contextmanager
    def _sole_right(self, name: str) -> Iterator[bool]:
        """Whether no other process does this now; held for the length of the block."""
        ledger, holder = self._fleet.ledger, secrets.token_hex(8)
        if ledger.lease(name, holder, self._lease_s) != holder:
            yield False
            return
        try:
            with self._upkeep.keeping(lambda: ledger.lease(name, holder, self._lease_s)):
                yield True
        finally:
            ledger.release(name, holder)


def _log_phase(phase: Phase) -> None:
    _log.info("%s", phase)
