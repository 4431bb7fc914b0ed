"""Batches on their way through three stages that overlap, so that the model never waits for a disk or a network."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from indexer.embedding.port import Embedder
from indexer.events.overlay import EventOverlay
from indexer.images.decoder import Decoder
from indexer.images.source import ImageSource
from indexer.indexing.batch import IndexedBatch, Picture, PreparedBatch, ProductBatch
from indexer.indexing.group_commit import MOST_TOGETHER, GroupCommit, ReadyBatch, together
from indexer.indexing.indexer import BatchIndexer
from indexer.indexing.picture_preparing import PicturePreparer
from indexer.ledger.port import BatchReport
from indexer.points import Vectors
from indexer.store.port import CollectionWriter
from indexer.store.tenant_store import tenant_of
from indexer.telemetry.counting import index_stage

_WITH_PIXELS = 4
"""Batches before the end of their embedding: one embedded, one ready, two prepared. More would only hold memory."""
_IN_FLIGHT = _WITH_PIXELS + MOST_TOGETHER
"""Batches before the end of their writing; those that are embedded take little memory."""
_PREPARED_AT_ONCE = 2
_PICTURES_AT_ONCE = 32


class IndexPipeline:
    """Prepares, embeds and writes; batches are written in their order.

    Args:
        embedder: its forward passes run in one thread.
        source: of pictures.
        decoder: of pictures.
        image_threads: for reading and decoding.
        downloads: most pictures on their way over the network at once.
        events: gives the newer states of a tenant's products; None where there are none.
    """

    def __init__(
        self,
        embedder: Embedder,
        source: ImageSource,
        decoder: Decoder,
        *,
        image_threads: int,
        downloads: int = 64,
        events: Callable[[str], EventOverlay] | None = None,
    ) -> None:
        self._images = ThreadPoolExecutor(image_threads, thread_name_prefix="image")
        self._prepare = ThreadPoolExecutor(_PREPARED_AT_ONCE, thread_name_prefix="prepare")
        self._embed = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._write = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._pictures = PicturePreparer(embedder.square, source, decoder, self._images, downloads=downloads)
        self._indexer = BatchIndexer(embedder, self._pictures)
        self._stopping = threading.Event()
        self._events = events

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        with self._pictures.without_downloads() if kind is not None else nullcontext():
            for pool in (self._prepare, self._images, self._embed, self._write):
                pool.shutdown(wait=True, cancel_futures=kind is not None)

    def events_of(self, tenant: str) -> EventOverlay | None:
        """Newer states of a tenant's products; None where there are none."""
        return None if self._events is None else self._events(tenant)

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
        indexed = self._embed.submit(copy_context().run, self._embedded, prepared, defer=defer).result()
        with index_stage("write"):
            writer.write(indexed.change)
        self._write_newer(prepared.batch, writer)
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
        abandoned = threading.Event()
        commits = GroupCommit(lambda group: self._commit(group, writer, acknowledge, abandoned))
        flying: deque[Future[None]] = deque()
        try:
            self._feed(batches, writer, commits, flying)
            commits.complete()
            while flying:
                flying.popleft().result()
        except BaseException:
            # the caller closes the writer next, so nobody may be using it then
            abandoned.set()
            for commit in flying:
                commit.cancel()
            with self._pictures.without_downloads():
                wait(flying)
            raise

    def _feed(
        self,
        batches: Iterable[ProductBatch],
        writer: CollectionWriter,
        commits: GroupCommit,
        flying: deque[Future[None]],
    ) -> None:
        """Begins batch after batch, and takes from ``flying`` those that are done."""
        embedding: deque[Future[ReadyBatch]] = deque()
        for batch in batches:
            while flying and (len(flying) >= _IN_FLIGHT or flying[0].done()):
                flying.popleft().result()
            while len(embedding) >= _WITH_PIXELS:
                # the write of an earlier batch may fail while a later one's pictures are long in coming
                either: list[Future[Any]] = [embedding[0], *list(flying)[:1]]
                wait(either, return_when=FIRST_COMPLETED)
                while flying and flying[0].done():
                    flying.popleft().result()
                if embedding[0].done():
                    embedding.popleft()
            prepared = self._prepare.submit(copy_context().run, self._prepared, batch, writer)
            ready = self._embed.submit(copy_context().run, self._ready, prepared)
            embedding.append(ready)
            commits.expect(ready)
            flying.append(self._write.submit(copy_context().run, commits.commit_next))

    def embed_pictures(self, pictures: Sequence[Picture]) -> list[Vectors | None]:
        """Embeds pictures by themselves, float32 (D,) each; None where one cannot be had or is another by now.

        Raises:
            ModelFailed: the model fails.
        """
        vectors: list[Vectors | None] = []
        for start in range(0, len(pictures), _PICTURES_AT_ONCE):
            part = pictures[start : start + _PICTURES_AT_ONCE]
            pixels = list(self._images.map(self._pictures.pixels_of, part))
            ready = [item for item in pixels if item is not None]
            embedded = iter(self._embed.submit(self._indexer.embed_pixels, ready).result())
            vectors += [None if item is None else next(embedded) for item in pixels]
        return vectors

    def _prepared(self, batch: ProductBatch, writer: CollectionWriter) -> PreparedBatch:
        # the one place where every batch comes by, whichever way it took: so it is the writer that says whose it is
        batch = replace(batch, tenant=tenant_of(writer))
        events = self.events_of(batch.tenant)
        if events is not None:
            batch = events.applied_to(batch)
        ids = [product.product_id for product in batch.products]
        with index_stage("prepare"):
            return self._indexer.prepare(batch, writer.product_points(ids), writer.donated(ids))

    def _embedded(self, prepared: PreparedBatch, *, defer: bool = False) -> IndexedBatch:
        with index_stage("embed"):
            return self._indexer.embed(prepared, defer=defer)

    def _ready(self, prepared: Future[PreparedBatch]) -> ReadyBatch:
        batch = prepared.result()
        return ReadyBatch(batch.batch, self._embedded(batch))  # without the pixels, which are let go here

    def _commit(
        self,
        group: Sequence[ReadyBatch],
        writer: CollectionWriter,
        acknowledge: Callable[[BatchReport], None],
        abandoned: threading.Event,
    ) -> None:
        if abandoned.is_set() or self._stopping.is_set():
            return  # an earlier batch failed; these are done again when the run resumes
        with index_stage("write"):
            writer.write(together([item.indexed.change for item in group]))
        for item in group:
            self._write_newer(item.batch, writer)
            acknowledge(item.indexed.report)

    def _write_newer(self, batch: ProductBatch, writer: CollectionWriter) -> None:
        """Events that came while a batch was indexed, written after it."""
        events = self.events_of(tenant_of(writer))
        overtaken = events.overtaken(batch) if events is not None else None
        if events is None or overtaken is None:
            return
        # whoever applied those events may have written before this batch did, so what they say is written again
        again = events.applied_to(overtaken)
        writer.delete_products(again.deleted_ids)
        if again.products:
            self.index_batch(again, writer)
