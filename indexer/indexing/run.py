"""An index run: a feed's batches through the pipeline, on record, resumable at any moment."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.catalog import Feed, open_feed
from indexer.embedding.port import Embedder
from indexer.errors import ConfigurationError, FeedError
from indexer.indexing.batch import ProductBatch
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.progress import IndexProgress, Phase, ProgressListener, no_progress
from indexer.ledger.port import BatchReport, Counts, RunLedger, RunPlan, RunRecord, RunState
from indexer.products import CatalogProduct, RowError
from indexer.store.port import Alias, CollectionWriter, VectorStore

_log = logging.getLogger(__name__)
_REMOVAL_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What an index run is asked to do.

    Attributes:
        full: products that the feed does not name are removed at the end.
        limit: most products to read, 0 for all.
        batch_products: most products, and most pictures, in a batch.
        default_currency: ISO 4217, for prices that name none.
    """

    full: bool = False
    limit: int = 0
    batch_products: int = 64
    default_currency: str = ""

    def __post_init__(self) -> None:
        if self.full and self.limit:
            raise ConfigurationError(
                "A full run with a limit would remove every product behind the limit.", "Leave out one of the two."
            )


@dataclass(frozen=True, slots=True)
class IndexParts:
    """What an index run is made of; wired once per process."""

    embedder: Embedder
    store: VectorStore
    ledger: RunLedger
    pipeline: IndexPipeline
    catalog: str

    @property
    def alias(self) -> Alias:
        """Behind which is written."""
        return Alias(self.catalog, self.embedder.space.space_id)


@dataclass(slots=True)
class _Tally:
    """Sums for the progress display, and the error that ended the feed early."""

    counts: Counts = field(default_factory=Counts)
    fraction: float = 0.0
    broken_off: FeedError | None = None


def index_feed(
    path: Path, options: IndexOptions, parts: IndexParts, listen: ProgressListener = no_progress
) -> RunRecord:
    """Indexes a feed; the same call after an interruption goes on where it stopped.

    What was read before a feed breaks off is indexed and published; the run then counts as failed, and nothing is
    removed.

    Raises:
        FeedError: the feed cannot be read at all.
        StoreLocked: another run is writing.
        VitrineError: model, store or ledger failed; what was acknowledged is kept.
    """
    feed = open_feed(path, default_currency=options.default_currency)
    for note in feed.notes:
        _log.warning("%s", note)
    plan = RunPlan(
        alias=parts.alias.name,
        feed=str(path.resolve()),
        feed_version=_version(path),
        full=options.full,
        limit=options.limit,
        batch_products=options.batch_products,
    )
    tally = _Tally()
    batches = _feed_batches(feed, options, tally)
    return _Run(parts, listen, tally).execute(plan, batches)


def retry_failures(
    run_id: str, batch_products: int, parts: IndexParts, listen: ProgressListener = no_progress
) -> RunRecord:
    """Indexes again the products on a run's failure list; rows that are no products wait for a better feed.

    Raises:
        RunNotFound: no such run.
        ConfigurationError: the run belongs to another model, or nothing on its list can be retried.
        VitrineError: as ``index_feed``.
    """
    record = parts.ledger.run(run_id)
    if record.plan.alias != parts.alias.name:
        raise ConfigurationError(
            f"The run {run_id} wrote to {record.plan.alias}, this model writes to {parts.alias.name}.",
            "Name the model that the run used.",
        )
    failures = parts.ledger.failures(run_id)
    products = {item.product.product_id: item.product for item in failures if item.product is not None}
    if not products:
        raise ConfigurationError(
            f"Nothing on the failure list of run {run_id} can be retried.",
            "Rows that could not be read must be mended in the feed, and the feed indexed again.",
        )
    plan = RunPlan(
        alias=parts.alias.name,
        feed=record.plan.feed,
        feed_version=record.plan.feed_version,
        batch_products=batch_products,
        retry_of=record.plan.retry_of or run_id,
    )
    batches = _counted_batches(list(products.values()), batch_products, Path(record.plan.feed).parent)
    return _Run(parts, listen, _Tally()).execute(plan, batches)


class _Run:
    """One execution of a plan: begin or resume, index, remove, publish."""

    def __init__(self, parts: IndexParts, listen: ProgressListener, tally: _Tally) -> None:
        self._parts = parts
        self._listen = listen
        self._tally = tally

    def execute(self, plan: RunPlan, batches: Iterator[tuple[ProductBatch, float]]) -> RunRecord:
        ledger, parts = self._parts.ledger, self._parts
        # the writer's lock comes first: a second run must not touch the ledger of the one that holds it
        resumable = next((run for run in ledger.runs(1) if run.plan == plan and run.state == RunState.RUNNING), None)
        resume_of = resumable.collection if resumable else ""
        writer = parts.store.writer(parts.alias, parts.embedder.space, resume_of=resume_of)
        try:
            begun = ledger.begin(plan)
            run_id, done = begun.record.run_id, begun.finished_batches
            if done and not writer.continues:
                _log.warning("what run %s had written is gone; it begins anew", run_id)
                ledger.restart(run_id)
                done = frozenset()
            if done:
                self._tally.counts = begun.record.counts
            try:
                self._index(run_id, batches, done, writer)
            except FeedError as error:
                ledger.finish(run_id, RunState.FAILED, reason=str(error))
                raise
            return self._end(run_id, plan, writer)
        finally:
            writer.close()

    def _index(
        self,
        run_id: str,
        batches: Iterator[tuple[ProductBatch, float]],
        done: frozenset[int],
        writer: CollectionWriter,
    ) -> None:
        collection = ""

        def acknowledge(report: BatchReport) -> None:
            nonlocal collection
            if writer.collection != collection:
                collection = writer.collection
                self._parts.ledger.set_collection(run_id, collection)
            self._parts.ledger.record_batch(run_id, report)
            self._tally.counts += report.counts
            self._tally.fraction = fractions.pop(report.number, self._tally.fraction)
            self._tell(Phase.INDEXING, run_id)

        fractions: dict[int, float] = {}

        def pending() -> Iterator[ProductBatch]:
            for batch, fraction in batches:
                if batch.number in done:
                    self._tally.fraction = fraction
                    continue
                fractions[batch.number] = fraction
                yield batch

        self._tell(Phase.INDEXING, run_id)
        self._parts.pipeline.run(pending(), writer, acknowledge)

    def _end(self, run_id: str, plan: RunPlan, writer: CollectionWriter) -> RunRecord:
        broken_off = self._tally.broken_off
        reason = str(broken_off) if broken_off else ""
        removed = 0
        if plan.full and not reason:
            if self._tally.counts.products == 0:
                reason = "The feed names no product that can be indexed, so nothing was removed. Check the feed."
            else:
                self._tell(Phase.REMOVING, run_id)
                removed = self._remove_what_left(run_id, writer)
        self._tell(Phase.PUBLISHING, run_id)
        writer.publish()
        return self._parts.ledger.finish(
            run_id, RunState.FAILED if reason else RunState.FINISHED, removed=removed, reason=reason
        )

    def _remove_what_left(self, run_id: str, writer: CollectionWriter) -> int:
        gone: dict[str, int] = {}
        for chunk in _chunks(writer.product_ids(), _REMOVAL_CHUNK):
            named = self._parts.ledger.seen(run_id, list(dict.fromkeys(chunk)))
            for product_id in chunk:
                if product_id not in named:
                    gone[product_id] = gone.get(product_id, 0) + 1
        for part in _chunks(iter(gone), _REMOVAL_CHUNK):
            writer.delete_products(part)
        return sum(gone.values())

    def _tell(self, phase: Phase, run_id: str) -> None:
        self._listen(IndexProgress(phase, run_id, self._tally.fraction, self._tally.counts))


def _feed_batches(feed: Feed, options: IndexOptions, tally: _Tally) -> Iterator[tuple[ProductBatch, float]]:
    """Batches of a feed, each with the share of the feed that is read behind it."""
    rows = _readable_rows(feed, options.limit, tally)
    for number, (products, errors) in enumerate(_grouped(rows, options.batch_products)):
        progress = feed.progress()
        share = progress.bytes_read / progress.bytes_total if progress.bytes_total else 1.0
        if options.limit:
            share = max(share, min(1.0, (number + 1) * options.batch_products / options.limit))
        yield ProductBatch(number, products, errors, str(feed.folder.resolve())), share


def _readable_rows(feed: Feed, limit: int, tally: _Tally) -> Iterator[CatalogProduct | RowError]:
    products = 0
    try:
        for row in feed:
            products += isinstance(row, CatalogProduct)
            yield row
            if limit and products >= limit:
                return
    except FeedError as error:
        if products == 0:
            raise
        tally.broken_off = error


def _counted_batches(rows: Sequence[CatalogProduct], size: int, folder: Path) -> Iterator[tuple[ProductBatch, float]]:
    read = 0
    for number, (products, errors) in enumerate(_grouped(iter(rows), size)):
        read += len(products)
        yield ProductBatch(number, products, errors, str(folder)), read / len(rows)


_Group = tuple[tuple[CatalogProduct, ...], tuple[RowError, ...]]


def _grouped(rows: Iterable[CatalogProduct | RowError], size: int) -> Iterator[_Group]:
    """Rows in groups of at most ``size`` products and about as many pictures; bad rows stay with their neighbours."""
    products: list[CatalogProduct] = []
    errors: list[RowError] = []
    images = 0
    for row in rows:
        if isinstance(row, RowError):
            errors.append(row)
        else:
            products.append(row)
            images += len(row.image_refs)
        if len(products) >= size or images >= size or len(errors) >= size * 4:
            yield tuple(products), tuple(errors)
            products, errors, images = [], [], 0
    if products or errors:
        yield tuple(products), tuple(errors)


def _chunks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    chunk: list[str] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _version(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"
