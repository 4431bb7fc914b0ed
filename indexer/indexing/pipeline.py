"""Batches on their way through three stages that overlap, so that the model never waits for a disk or a network."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from indexer.embedding.port import Embedder
from indexer.events.overlay import EventOverlay
from indexer.images.limits import ImageLimits
from indexer.images.source import ImageSource
from indexer.indexing.batch import IndexedBatch, Picture, PreparedBatch, ProductBatch
from indexer.indexing.indexer import BatchIndexer
from indexer.ledger.port import BatchReport
from indexer.points import Vectors
from indexer.store.port import CollectionWriter

_BATCHES_IN_FLIGHT = 4
"""One being written, one embedded, one ready, one prepared: more would only hold memory."""
_PREPARED_AT_ONCE = 2
_PICTURES_AT_ONCE = 32


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

    def index_batch(self, batch: ProductBatch, writer: CollectionWriter, *, defer: bool = False) -> IndexedBatch:
        """One batch from products to durable points; may be called from several threads at once.

        Args:
            batch: as read.
            writer: of a store that takes writes from several threads, if there are any.
            defer: whether products with pictures that could be had later are left out of the report.

        Raises:
            VitrineError: store or model failed; some of the batch may be written, and can be written again.
        """
        prepared = self._prepared(batch, writer)
        indexed = self._embed.submit(self._indexer.embed, prepared, defer=defer).result()
        self._write_batch(prepared.batch, indexed, writer)
        return indexed

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
            flying.append(self._write.submit(self._acknowledged, prepared, embedded, writer, acknowledge))
        while flying:
            flying.popleft().result()

    def embed_pictures(self, pictures: Sequence[Picture]) -> list[Vectors | None]:
        """Embeds pictures by themselves, float32 (D,) each; None where one cannot be had or is another by now.

        Raises:
            ModelFailed: the model fails.
        """
        vectors: list[Vectors | None] = []
        for start in range(0, len(pictures), _PICTURES_AT_ONCE):
            part = pictures[start : start + _PICTURES_AT_ONCE]
            pixels = list(self._images.map(self._indexer.pixels_of, part))
            ready = [item for item in pixels if item is not None]
            embedded = iter(self._embed.submit(self._indexer.embed_pixels, ready).result())
            vectors += [None if item is None else next(embedded) for item in pixels]
        return vectors

    def _prepared(self, batch: ProductBatch, writer: CollectionWriter) -> PreparedBatch:
        # the one place where every batch comes by, whichever way it took
        if self.events is not None:
            batch = self.events.applied_to(batch)
        ids = [product.product_id for product in batch.products]
        return self._indexer.prepare(batch, writer.product_points(ids), writer.donated(ids))

    def _embedded(self, prepared: Future[PreparedBatch]) -> IndexedBatch:
        return self._indexer.embed(prepared.result())

    def _acknowledged(
        self,
        prepared: Future[PreparedBatch],
        embedded: Future[IndexedBatch],
        writer: CollectionWriter,
        acknowledge: Callable[[BatchReport], None],
    ) -> None:
        indexed = embedded.result()
        if self._stopping.is_set():
            return  # an earlier batch failed; this one is done again when the run resumes
        self._write_batch(prepared.result().batch, indexed, writer)
        acknowledge(indexed.report)

    def _write_batch(self, batch: ProductBatch, indexed: IndexedBatch, writer: CollectionWriter) -> None:
        writer.write(indexed.change)
        overtaken = self.events.overtaken(batch) if self.events is not None else None
        if self.events is None or overtaken is None:
            return
        # whoever applied those events may have written before this batch did, so what they say is written again
        again = self.events.applied_to(overtaken)
        writer.delete_products(again.deleted_ids)
        if again.products:
            self.index_batch(again, writer)
