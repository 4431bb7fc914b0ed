"""From a planned run to messages in the queue; goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from indexer.errors import CollectionNotFound, ConfigurationError, StoreLocked
from indexer.indexing.batch import ProductBatch
from indexer.indexing.dispatcher import PlannedBatch, PlannedRun
from indexer.indexing.run_ends import begin_run, open_run_writer
from indexer.ledger.port import RunLedger, RunPlan, RunRecord, RunState
from indexer.spaces import EmbeddingSpace
from indexer.store.port import CollectionWriter, SharedWriter, VectorStore
from workers.batch_board import Sealing
from workers.fleet import Fleet
from workers.messages import BatchMessage
from workers.names import alias_of

_SILENT_S = 60.0
"""Without a report a run counts as abandoned after this time."""


class RunFeeder:
    """Begins runs and sends their batches.

    Args:
        fleet: where to.
        store: that workers write to.
        space: of their model.
    """

    def __init__(self, fleet: Fleet, store: VectorStore, space: EmbeddingSpace) -> None:
        self._fleet = fleet
        self._store = store
        self._space = space

    def begin(self, plan: RunPlan) -> RunRecord:
        """Records a run or finds the one that an equal plan began, and makes its collection.

        Raises:
            ConfigurationError: the store is not for several processes.
            VitrineError: store or ledger do not answer.
        """
        ledger = self._fleet.ledger
        with self._shared_writer(plan) as writer:
            record = begin_run(plan, ledger, writer).record
            if record.collection and record.collection != writer.collection:
                ledger.restart(record.run_id)  # what is in the queue names the other collection, and is dropped
            return self._at_its_collection(record, writer)

    def go_on(self, record: RunRecord) -> RunRecord:
        """A run that is on record already, with its collection made.

        Raises:
            CollectionNotFound: the alias answers with another collection by now.
            ConfigurationError, VitrineError: as ``begin``.
        """
        with self._shared_writer(record.plan) as writer:
            if record.collection and record.collection != writer.collection:
                raise CollectionNotFound(
                    f"{record.collection} was replaced by {writer.collection} meanwhile.", "Index the feed again."
                )
            return self._at_its_collection(record, writer)

    @contextmanager
    def _shared_writer(self, plan: RunPlan) -> Iterator[CollectionWriter]:
        writer = open_run_writer(plan, self._store, self._fleet.ledger, alias_of(plan.alias), self._space)
        try:
            if not isinstance(writer, SharedWriter):
                raise ConfigurationError(
                    "Workers write to one store from several processes; the embedded store takes one writer.",
                    "Set store to qdrant, or dispatcher to inline.",
                )
            writer.create()
            yield writer
        finally:
            writer.close()

    def _at_its_collection(self, record: RunRecord, writer: CollectionWriter) -> RunRecord:
        if record.collection != writer.collection:
            self._fleet.ledger.set_collection(record.run_id, writer.collection)
        return self._fleet.ledger.run(record.run_id)

    def feed(self, run: PlannedRun, record: RunRecord, has_room: Callable[[], bool]) -> bool:
        """Sends the batches that are not sent yet, and seals the run behind the last.

        A message goes first and its mark follows: what is marked was sent, what is sent twice is done once.

        Args:
            run: whose batches are read.
            record: by ``begin``.
            has_room: asked before each batch; may wait. False ends it.

        Returns:
            Whether the run is sealed.

        Raises:
            FeedError: the feed cannot be read at all.
            VitrineError: Redis does not answer.
        """
        already = self._fleet.board.sent_numbers(record.run_id)
        total = max(already, default=-1) + 1
        for planned in run.batches:
            total = max(total, planned.batch.number + 1)
            if planned.batch.number not in already and not (has_room() and self._sent(record, planned)):
                return False
        sealing = Sealing(total, str(run.broken_off) if run.broken_off else "")
        self._fleet.retries.insist(lambda: self._fleet.board.seal(record.run_id, sealing))
        return True

    def _sent(self, record: RunRecord, planned: PlannedBatch) -> bool:
        """Sends a batch; returns whether the run still goes on."""
        insist, board, sender = self._fleet.retries.insist, self._fleet.board, self._fleet.sender
        message = _message(record, planned.batch)
        insist(lambda: sender.send_batch(message))
        text = json.dumps(message.to_json())
        return insist(lambda: board.note_sent(record.run_id, planned.batch.key, text, planned.fraction))


def _message(record: RunRecord, batch: ProductBatch) -> BatchMessage:
    alias = alias_of(record.plan.alias)
    return BatchMessage(
        run_id=record.run_id,
        space_id=alias.space_id,
        number=batch.number,
        part=batch.part,
        catalog=alias.catalog,
        tenant=record.plan.tenant,
        collection=record.collection,
        donor=record.plan.donor,
        image_root=batch.image_root,
        as_of=batch.as_of,
        products=batch.products,
        row_errors=batch.row_errors,
    )


def refuse_beside(plan: RunPlan, ledger: RunLedger) -> None:
    """Returns if no other run of the plan's line goes on; one of which nothing was heard for a while does not.

    Raises:
        StoreLocked: one does; it must not be superseded while workers are at it.
    """
    for run in ledger.runs(tenant=plan.tenant):
        if run.plan.line == plan.line and run.state is RunState.RUNNING and run.plan != plan:
            silent_s = (datetime.now(UTC) - run.updated_at).total_seconds()
            if silent_s < _SILENT_S:
                raise StoreLocked(
                    f"The run {run.run_id} of {run.plan.feed or run.plan.retry_of} is under way.",
                    f"Wait until it is done; if it was abandoned, for {_SILENT_S:g} s.",
                )
