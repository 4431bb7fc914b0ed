"""A batch from its message to its report, whatever goes wrong on the way."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from indexer.errors import MessageInvalid, RunNotFound, VitrineError, WorkerFailed, WorkerLost
from indexer.indexing.batch import IndexedBatch
from indexer.indexing.change import failed_report
from indexer.indexing.inline import IndexParts
from indexer.ledger.port import BatchReport, Counts, Failure, Stage
from indexer.products import CatalogProduct
from indexer.telemetry.counting import batch_recorded
from workers.batch_board import Claim
from workers.fleet import Fleet
from workers.gate import Gate
from workers.messages import BatchMessage, FinishMessage, read_message
from workers.redis_ledger import BatchPart
from workers.upkeep import Upkeep
from workers.writers import RunWriters

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_LOST_ALONE_LIMIT = 2
"""Workers that a batch may cost while it was alone, before it is split, or its one product given up."""


class BatchTask:
    """Handles messages of batches; may be called from several threads.

    Args:
        parts: model, store, pipeline.
        fleet: shared with other processes.
        upkeep: of this process.
        writers: to collections.
        gate: which a batch enters alone if it may kill its worker.
    """

    def __init__(self, parts: IndexParts, fleet: Fleet, upkeep: Upkeep, writers: RunWriters, gate: Gate) -> None:
        self._parts = parts
        self._fleet = fleet
        self._upkeep = upkeep
        self._writers = writers
        self._gate = gate

    def handle(self, value: object) -> None:
        """One message.

        Raises:
            LedgerUnavailable: Redis did not come back in time; the batch comes again.
        """
        try:
            message = read_message(BatchMessage, value)
        except MessageInvalid as error:
            self._set_aside(value, error)
            return
        space = self._parts.embedder.space
        if message.space_id != space.space_id:
            _log.warning(
                "batch %s of run %s is of the embedding space %s; this worker's model %s is of the space %s: put back",
                message.key,
                message.run_id,
                message.space_id,
                space.model,
                space.space_id,
            )
            self._insist(lambda: self._fleet.sender.send_batch(message))
            return
        text = json.dumps(message.to_json())
        claim = self._insist(lambda: self._fleet.board.claim(message.run_id, message.key, text, message.collection))
        if claim is None:
            return  # done, in another's hand, put off, or its run has ended: whoever is due sends it again
        with self._upkeep.keeping(lambda: self._fleet.board.renew(claim)):
            self._settle(message, claim)

    def _settle(self, message: BatchMessage, claim: Claim) -> None:
        if claim.lost_alone >= _lost_alone_limit(message):
            self._isolate(message)
            return
        with self._gate.entered(alone=claim.is_suspect):
            self._insist(lambda: self._fleet.board.note_start(claim, alone=claim.is_suspect))
            try:
                indexed = self._index(message)
            except VitrineError as error:
                self._put_off_or_give_up(message, claim, error)
                return
            except Exception as error:  # noqa: BLE001 - a fault of ours must not lose the batch
                _log.error("batch %s of run %s failed", message.key, message.run_id, exc_info=error)
                fault = WorkerFailed(f"{type(error).__name__}: {error}.", "See the worker's log.")
                self._record(message, failed_report(message.batch(), fault, Stage.WORK))
                return
        self._record(message, indexed.report, self._follow_up(message, indexed.deferred))

    def _index(self, message: BatchMessage) -> IndexedBatch:
        writer = self._writers.writer(message.alias, message.collection, message.donor, message.tenant)
        defer = message.attempt < self._fleet.retries.limit
        return self._parts.pipeline.index_batch(message.batch(), writer, defer=defer)

    def _follow_up(self, message: BatchMessage, deferred: Sequence[CatalogProduct]) -> tuple[BatchPart, ...]:
        """Products whose pictures may be had later, as a batch of their own; as the feed has them, not as events do."""
        if not deferred:
            return ()
        ids = {product.product_id for product in deferred}
        attempt = message.attempt + 1
        later = message.model_copy(
            update={
                "part": f"{message.part}~{attempt}",
                "attempt": attempt,
                "products": tuple(product for product in message.products if product.product_id in ids),
                "row_errors": (),
            }
        )
        return (_part(later, delay_s=self._fleet.retries.wait_s(message.attempt)),)

    def _put_off_or_give_up(self, message: BatchMessage, claim: Claim, error: VitrineError) -> None:
        if self._fleet.retries.allows(error, claim.retries):
            wait_s = self._fleet.retries.wait_s(claim.retries)
            _log.warning("batch %s of run %s waits %.1f s: %s", message.key, message.run_id, wait_s, error)
            self._insist(lambda: self._fleet.board.put_off(claim, wait_s))
            return
        _log.error("batch %s of run %s cannot be indexed: %s", message.key, message.run_id, error)
        self._record(message, failed_report(message.batch(), error, Stage.WRITE))

    def _isolate(self, message: BatchMessage) -> None:
        """A batch that costs workers is halved until the one product is found that does it."""
        products = message.products
        if len(products) <= 1:
            error = WorkerLost(
                f"Worker processes died {_LOST_ALONE_LIMIT} times while they had only this product in hand.",
                "Look at its pictures; please report it.",
            )
            _log.error("product %s: %s", products[0].product_id if products else "?", error)
            self._record(message, failed_report(message.batch(), error, Stage.WORK))
            return
        _log.error("batch %s of run %s cost workers; it is split", message.key, message.run_id)
        middle = len(products) // 2
        halves = [
            {"part": f"{message.part}.0", "products": products[:middle]},
            {"part": f"{message.part}.1", "products": products[middle:], "row_errors": ()},
        ]
        parts = [_part(message.model_copy(update=half), is_suspect=True) for half in halves]
        self._record(message, BatchReport(message.number, Counts(), part=message.part), parts)

    def _record(self, message: BatchMessage, report: BatchReport, parts: Sequence[BatchPart] = ()) -> None:
        fleet, run_id = self._fleet, message.run_id
        self._insist(lambda: fleet.ledger.record_with_parts(run_id, report, parts))
        batch_recorded("feed", report)
        if self._insist(lambda: fleet.board.is_complete(run_id)):
            # every worker's upkeep looks as well, in case this one is lost here
            self._insist(lambda: fleet.sender.send_finish(FinishMessage(run_id=run_id, space_id=message.space_id)))

    def _set_aside(self, value: object, error: MessageInvalid) -> None:
        """Nothing is lost silently: the message is kept, and its batch stands on the failure list of its run."""
        _log.error("%s", error)
        self._insist(lambda: self._fleet.dead_letters.add(str(error), value))
        if not isinstance(value, dict):
            return
        run_id, number, part = value.get("run_id"), value.get("number"), value.get("part", "")
        if isinstance(run_id, str) and isinstance(number, int) and isinstance(part, str):
            failure = Failure("", None, "", Stage.READ, error.code, str(error), retryable=False, line=0)
            report = BatchReport(number, Counts(failed=1), (failure,), part=part)
            with suppress(RunNotFound):  # not even the run is right
                self._insist(lambda: self._fleet.ledger.record_with_parts(run_id, report, ()))

    def _insist(self, action: Callable[[], _T]) -> _T:
        return self._fleet.retries.insist(action, lambda: not self._upkeep.is_stopping)


def _lost_alone_limit(message: BatchMessage) -> int:
    """A half of a batch that cost workers is halved again at once: that costs nobody, and finds the one sooner."""
    is_half = "." in message.part
    return 1 if is_half and len(message.products) > 1 else _LOST_ALONE_LIMIT


def _part(message: BatchMessage, *, delay_s: float = 0.0, is_suspect: bool = False) -> BatchPart:
    return BatchPart(message.key, json.dumps(message.to_json()), delay_s, is_suspect)
