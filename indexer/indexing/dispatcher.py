"""The dispatcher port: who carries out the batches of a run, this process or a fleet of workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from indexer.errors import FeedError
from indexer.indexing.batch import ProductBatch
from indexer.indexing.progress import ProgressListener
from indexer.ledger.port import RunLedger, RunPlan, RunRecord
from indexer.store.port import Alias


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """A batch, and the share 0..1 of the feed that is read when it is done."""

    batch: ProductBatch
    fraction: float


@dataclass(slots=True)
class PlannedRun:
    """What a run is to do.

    Attributes:
        plan: as the ledger records it.
        batches: read as fast as they are taken; an equal plan gives equal batches.
        broken_off: set while the batches are read, if the feed ends before its end.
    """

    plan: RunPlan
    batches: Iterator[PlannedBatch]
    broken_off: FeedError | None = None


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """How much waits in a queue of the workers.

    Attributes:
        name: of the queue.
        depth: messages that wait.
        oldest_age_s: how long the oldest of them has waited, 0 for an empty queue.
        workers: live processes that take from it.
        has_workers: whether it is one that workers take from, rather than a list.
    """

    name: str
    depth: int
    oldest_age_s: float
    workers: int
    has_workers: bool = True


class Dispatcher(Protocol):
    """Carries out index runs; one implementation a process."""

    @property
    def alias(self) -> Alias:
        """Behind which its runs write.

        Raises:
            EmbedderError: the model that decides it cannot be loaded.
        """
        ...

    @property
    def ledger(self) -> RunLedger:
        """Where its runs are on record."""
        ...

    def execute(self, run: PlannedRun, listen: ProgressListener) -> RunRecord:
        """Carries out a run to its end; an equal plan after an interruption goes on where it stopped.

        Raises:
            FeedError: the feed cannot be read at all.
            StoreLocked: another run is writing.
            VitrineError: a part failed; what was acknowledged is kept.
        """
        ...

    def queues(self) -> Sequence[QueueStatus]:
        """What waits for workers; empty where there are none."""
        ...
