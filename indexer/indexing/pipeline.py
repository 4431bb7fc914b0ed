"""Batches on their way through three stages that overlap, so that the model never waits for a disk or a network."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from indexer.embedding.port import Embedder
from indexer.events.overlay import EventOverlay
from indexer.images.limits import ImageLimits
from indexer.images.source import ImageSource
from indexer.indexing.batch import IndexedBatch, PreparedBatch, ProductBatch
from indexer.indexing.indexer import BatchIndexer
from indexer.ledger.port import BatchReport
from indexer.store.port import CollectionWriter

_BATCHES_IN_FLIGHT = 4
"""One being written, one embedded, one ready, one prepared: more would only hold memory."""
_PREPARED_AT_ONCE = 2


class IndexPipeline:
    """Prepares, embeds and writes; batches are written in their order.

    Args:
        embedder: its forward passes run in one thread.
        source: of pictures.
        limits: for one picture.
        image_threads: for fetching and decoding.
        events: newer states of products; None where there are none.
    """

    def __init__(
        self,
        embedder: Embedder,
        source: ImageSource,
        limits: ImageLimits,
        *,
        image_threads: int,
        events: EventOverlay | None = None,
    ) -> None:
        self._images = ThreadPoolExecutor(image_threads, thread_name_prefix="image")
        self._prepare = ThreadPoolExecutor(_PREPARED_AT_ONCE, thread_name_prefix="prepare")
        self._embed = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._write = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._indexer = BatchIndexer(embedder, source, limits, self._images)
        self._stopping = threading.Event()
        self.events = events

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        for pool in (self._prepare, self._images, self._embed, self._write):
            pool.shutdown(wait=True, cancel_futures=kind is not None)

    def index_batch(self, batch: ProductBatch, writer: CollectionWriter) -> BatchReport:
        """One batch from products to durable points, with nothing else beside it."""
        indexed = self._indexer.embed(self._prepared(batch, writer))
        writer.write(indexed.change)
        return indexed.report

    def run(
        self,
        batches: Iterable[ProductBatch],
        writer: CollectionWriter,
        acknowledge: Callable[[BatchReport], None],
    ) -> None:
        """Indexes batches, several on their way at a time; a batch that was not acknowledged can be done again.

        Args:
            batches: read only as fast as they are done.
            writer: written to from one thread.
            acknowledge: called with each report after its change is durable, in order, in that thread.

        Raises:
            VitrineError: what the first failing stage raised.
        """
        flying: deque[Future[None]] = deque()
        for batch in batches:
            while len(flying) >= _BATCHES_IN_FLIGHT:
                flying.popleft().result()
            prepared = self._prepare.submit(self._prepared, batch, writer)
            embedded = self._embed.submit(self._embedded, prepared)
            flying.append(self._write.submit(self._acknowledged, embedded, writer, acknowledge))
        while flying:
            flying.popleft().result()

    def _prepared(self, batch: ProductBatch, writer: CollectionWriter) -> PreparedBatch:
        # the one place where every batch comes by, whichever way it took
        if self.events is not None:
            batch = self.events.applied_to(batch)
        existing = writer.product_points([product.product_id for product in batch.products])
        return self._indexer.prepare(batch, existing)

    def _embedded(self, prepared: Future[PreparedBatch]) -> IndexedBatch:
        return self._indexer.embed(prepared.result())

    def _acknowledged(
        self, embedded: Future[IndexedBatch], writer: CollectionWriter, acknowledge: Callable[[BatchReport], None]
    ) -> None:
        indexed = embedded.result()
        if self._stopping.is_set():
            return  # an earlier batch failed; this one is done again when the run resumes
        writer.write(indexed.change)
        acknowledge(indexed.report)
