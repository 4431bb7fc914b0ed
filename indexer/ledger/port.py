"""The run ledger port and what is recorded in it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from indexer.errors import RunNotFound, VitrineError
from indexer.ledger.reindexes import ReindexRecord
from indexer.products import CatalogProduct


class Stage(StrEnum):
    """Where on its way an item failed."""

    READ = "read"
    FETCH = "fetch"
    DECODE = "decode"
    EMBED = "embed"
    WRITE = "write"
    WORK = "work"
    """Somewhere on the way: its worker was lost, or failed."""


class RunState(StrEnum):
    """Where a run is.

    A run whose process died stays ``running`` until the same command resumes it, or another run takes its place.
    """

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run is asked to do; an interrupted run is resumed by an equal plan.

    Attributes:
        alias: name of the alias written behind.
        feed: absolute path; empty for a run of events.
        feed_version: changes when the file does.
        full: whether products that are not in the feed are removed at the end.
        limit: most products to read, 0 for all.
        batch_products: products in a batch; another size would number the batches differently.
        retry_of: run whose failures are tried again, empty for a feed.
        target: collection that a reindex fills; empty for a run that writes behind the alias.
        donor: collection whose vectors a reindex copies where pictures have not changed; empty for none.
        tenant: whose products they are; empty in an installation without tenants.
    """

    alias: str
    feed: str
    feed_version: str
    full: bool = False
    limit: int = 0
    batch_products: int = 256
    retry_of: str = ""
    target: str = ""
    donor: str = ""
    tenant: str = ""

    @property
    def is_events(self) -> bool:
        """Whether it applies events, all of a day's; not a feed and not a retry."""
        return not self.feed and not self.retry_of

    @property
    def mends(self) -> bool:
        """Whether a report takes its products off the failure list first: retries, and events as they come again."""
        return bool(self.retry_of) or self.is_events

    @property
    def line(self) -> str:
        """Runs of one line follow each other: a new one supersedes the one before; others do not concern it."""
        line = self.target or self.alias
        return f"{line}@{self.tenant}" if self.tenant else line


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that could not be indexed.

    Attributes:
        product_id: empty if the row's id could not be read.
        position: of the picture, None for the whole row.
        image_ref: the picture's reference, empty for the whole row.
        stage, code, reason: where, the error's stable code, and its message.
        retryable: whether the same item may succeed later with nothing changed.
        line: of the feed.
        product: what to index again; None if the row is no product.
    """

    product_id: str
    position: int | None
    image_ref: str
    stage: Stage
    code: str
    reason: str
    retryable: bool
    line: int
    product: CatalogProduct | None = None

    @classmethod
    def of(
        cls,
        product: CatalogProduct,
        error: VitrineError,
        stage: Stage,
        position: int | None = None,
        image_ref: str = "",
    ) -> Failure:
        """The failure of a product, or of one picture of it."""
        return cls(
            product_id=product.product_id,
            position=position,
            image_ref=image_ref,
            stage=stage,
            code=error.code,
            reason=str(error),
            retryable=error.retryable,
            line=product.line,
            product=product,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened, in numbers; adds up over batches.

    Attributes:
        rows: rows of the feed that were read, bad ones included.
        products: of these, products.
        images: pictures that the products name.
        embedded: pictures that went through the model.
        reused: pictures whose embedding was already there, for this or another product of the batch.
        payload_updates: points that got new product fields only.
        unchanged: points that were already as they should be.
        removed: points that were removed.
        failed: entries in the failure list.
    """

    rows: int = 0
    products: int = 0
    images: int = 0
    embedded: int = 0
    reused: int = 0
    payload_updates: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{item.name: getattr(self, item.name) + getattr(other, item.name) for item in fields(Counts)})


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of one batch.

    Attributes:
        number: of the batch in its run; a report of a batch that is already there changes nothing.
        counts: of this batch.
        failures: of this batch.
        product_ids: every id that the feed's rows named, bad rows included: what ``full`` must not remove.
        part: tells apart what became of a batch that did not stay whole; empty for a whole one.
        embedded_with: what computed its embeddings, see ``Embedder.description``; empty if it has none.
    """

    number: int
    counts: Counts
    failures: tuple[Failure, ...] = ()
    product_ids: tuple[str, ...] = ()
    part: str = ""
    embedded_with: str = ""

    @property
    def key(self) -> str:
        """Names the batch within its run."""
        return f"{self.number}{self.part}"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the ledger knows it.

    Attributes:
        run_id: sorts by time.
        plan: what was asked.
        state: where it is.
        collection: physical collection it writes to, empty until something was changed.
        counts: sums over its finished batches.
        batches: finished.
        reason: why it failed, else empty.
        started_at, updated_at: UTC.
        expected_batches: how many there are to finish, if workers do them and all were sent; else 0.
        embedded_with: what computed the embeddings of its batches, each once, in order of their names; workers may
            compute differently, as far as their numbers agree.
    """

    run_id: str
    plan: RunPlan
    state: RunState
    collection: str
    counts: Counts
    batches: int
    reason: str
    started_at: datetime
    updated_at: datetime
    expected_batches: int = 0
    embedded_with: tuple[str, ...] = ()

    @property
    def took_s(self) -> float:
        """Seconds from its beginning to the last that was heard of it."""
        return (self.updated_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class RunBegin:
    """A run begun or resumed, and the numbers of the batches that are already done."""

    record: RunRecord
    finished_batches: frozenset[int] = field(default_factory=frozenset)


class RunLedger(Protocol):
    """Durable record of runs; every method raises ``LedgerUnavailable`` if it cannot be read or written."""

    def begin(self, plan: RunPlan) -> RunBegin:
        """Resumes the latest run of the plan's line if it has this plan and did not end, else records a new run.

        An unfinished run of the line with another plan is marked superseded. A retry is never resumed: what is left to
        retry is read anew each time.
        """
        ...

    def restart(self, run_id: str) -> None:
        """Forgets a run's finished batches and failures: what they wrote is not there any more."""
        ...

    def set_collection(self, run_id: str, collection: str) -> None:
        """Records where a run writes; called before its first acknowledged change."""
        ...

    def record_batch(self, run_id: str, report: BatchReport) -> None:
        """Records a finished batch, in one transaction; a number already recorded changes nothing.

        A retry's report takes its products off the failure list of the run that is retried and puts the failures that
        are left there, so that this list is always what is still missing. So does a report of a run of events with its
        own list: see ``RunPlan.mends``.
        """
        ...

    def finish(self, run_id: str, state: RunState, *, removed: int = 0, reason: str = "") -> RunRecord:
        """Ends a run; what it removed at the end is added to its counts."""
        ...

    def run(self, run_id: str) -> RunRecord:
        """A run by id.

        Raises:
            RunNotFound: there is none; names the latest ones.
        """
        ...

    def runs(self, limit: int = 20, tenant: str = "") -> Sequence[RunRecord]:
        """The latest runs of a tenant, or of none, newest first."""
        ...

    def failures(self, run_id: str) -> Sequence[Failure]:
        """What is still missing of a run (of the run that it retries, for a retry), by line and position."""
        ...

    def seen(self, run_id: str, product_ids: Sequence[str]) -> frozenset[str]:
        """Which of these ids the run's feed named."""
        ...

    def save_reindex(self, record: ReindexRecord) -> None:
        """Records a reindex, or what became of it, by its id."""
        ...

    def reindexes(self, limit: int = 20) -> Sequence[ReindexRecord]:
        """The latest reindexes, newest first."""
        ...

    def lease(self, name: str, holder: str, ttl_s: float) -> str:
        """Takes or renews the sole right to do something, for ``ttl_s`` seconds; atomic between processes.

        Args:
            name: of the right.
            holder: who asks, unlike every other.
            ttl_s: after which it lapses if it is not renewed.

        Returns:
            Who holds it now: ``holder``, or another whose time has not lapsed.
        """
        ...

    def release(self, name: str, holder: str) -> None:
        """Gives a lease back; nothing happens if another holds it."""
        ...

    def close(self) -> None:
        """Releases files and connections."""
        ...


def new_run_id() -> str:
    """An id for a run or reindex: sorts by time to the microsecond; the random end keeps two hosts apart."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"


def run_not_found(run_id: str, latest: Sequence[str]) -> RunNotFound:
    """The error for a run that there is not.

    Args:
        run_id: as asked for.
        latest: ids of the last runs that whoever asks may know of, newest first.
    """
    remedy = f"The latest: {', '.join(latest)}." if latest else "There is none yet."
    return RunNotFound(f"There is no run {run_id}.", remedy)
