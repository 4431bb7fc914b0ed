"""The dispatcher of one machine: a run's batches go through the pipeline of this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from indexer.calibration.calibrate import Calibrator
from indexer.embedding.port import Embedder
from indexer.errors import FeedError
from indexer.indexing.batch import ProductBatch
from indexer.indexing.dispatcher import PlannedRun, QueueStatus
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.progress import IndexProgress, Phase, ProgressListener
from indexer.indexing.run_ends import begin_run, end_run, open_run_writer
from indexer.ledger.port import BatchReport, Counts, RunBegin, RunLedger, RunRecord, RunState
from indexer.store.port import Alias, CollectionWriter, VectorStore
from indexer.store.tenant_store import of_tenant
from indexer.telemetry.context import of_run
from indexer.telemetry.counting import batch_recorded
from indexer.telemetry.tracing import span


@dataclass(frozen=True, slots=True)
class IndexParts:
    """What an index run is made of; wired once per process.

    Attributes:
        embedder, store, ledger, pipeline: the parts.
        catalog: that the alias is of.
        writer_wait_s: how long a run waits for another one that is writing.
        calibrator: works out what scores mean where that is due; None for nobody.
        tenant: whose products the store gives and takes; empty: all.
    """

    embedder: Embedder
    store: VectorStore
    ledger: RunLedger
    pipeline: IndexPipeline
    catalog: str
    writer_wait_s: float = 0.0
    calibrator: Calibrator | None = None
    tenant: str = ""

    def of_tenant(self, tenant: str) -> IndexParts:
        """The same for a tenant's products alone; the same parts where none is named."""
        return replace(self, store=of_tenant(self.store, tenant), tenant=tenant) if tenant else self

    @property
    def alias(self) -> Alias:
        """Behind which is written."""
        return Alias(self.catalog, self.embedder.space.space_id)


class InlineDispatcher:
    """See ``Dispatcher``."""

    def __init__(self, parts: IndexParts) -> None:
        self._parts = parts

    @property
    def alias(self) -> Alias:
        """See ``Dispatcher``."""
        return self._parts.alias

    @property
    def ledger(self) -> RunLedger:
        """See ``Dispatcher``."""
        return self._parts.ledger

    def execute(self, run: PlannedRun, listen: ProgressListener) -> RunRecord:
        """See ``Dispatcher``."""
        parts = self._parts
        writer = open_run_writer(
            run.plan, parts.store, parts.ledger, parts.alias, parts.embedder.space, parts.writer_wait_s
        )
        try:
            begun = begin_run(run.plan, parts.ledger, writer)
            execution = _Execution(parts, begun, writer, listen)
            try:
                with of_run(begun.record.run_id), span("index.run"):
                    execution.index(run)
            except FeedError as error:
                parts.ledger.finish(begun.record.run_id, RunState.FAILED, reason=str(error))
                raise
            reason = str(run.broken_off) if run.broken_off else ""
            events = parts.pipeline.events_of(run.plan.tenant)
            ended = end_run(begun.record.run_id, parts.ledger, writer, reason, execution.tell, events)
        finally:
            writer.close()
        # after the writer is closed: nobody waits for this, and what is published serves already
        if parts.calibrator is not None and not run.plan.target and ended.state is RunState.FINISHED:
            calibrator = parts.calibrator.of_tenant(run.plan.tenant)
            calibrator.serving_if_due(parts.alias, lambda: execution.tell(Phase.CALIBRATING))
        return ended

    def queues(self) -> Sequence[QueueStatus]:
        """See ``Dispatcher``."""
        return ()


class _Execution:
    """One execution of a run, and what its progress display adds up."""

    def __init__(self, parts: IndexParts, begun: RunBegin, writer: CollectionWriter, listen: ProgressListener) -> None:
        self._parts = parts
        self._run_id = begun.record.run_id
        self._done = begun.finished_batches
        self._writer = writer
        self._listen = listen
        self._counts = begun.record.counts if begun.finished_batches else Counts()
        self._fraction = 0.0
        self._fractions: dict[int, float] = {}
        self._collection = ""

    def index(self, run: PlannedRun) -> None:
        self.tell(Phase.INDEXING)
        self._parts.pipeline.run(self._pending(run), self._writer, self._acknowledge)

    def tell(self, phase: Phase) -> None:
        self._listen(IndexProgress(phase, self._run_id, self._fraction, self._counts))

    def _pending(self, run: PlannedRun) -> Iterator[ProductBatch]:
        for planned in run.batches:
            if planned.batch.number in self._done:
                self._fraction = planned.fraction
                continue
            self._fractions[planned.batch.number] = planned.fraction
            yield planned.batch

    def _acknowledge(self, report: BatchReport) -> None:
        ledger = self._parts.ledger
        if self._writer.collection != self._collection:
            self._collection = self._writer.collection
            ledger.set_collection(self._run_id, self._collection)
        ledger.record_batch(self._run_id, report)
        batch_recorded("feed", report)
        self._counts += report.counts
        self._fraction = self._fractions.pop(report.number, self._fraction)
        self.tell(Phase.INDEXING)
