"""Searching the current generation and moving on to the next one while queries run; or one generation by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from indexer.errors import StoreDamaged, StoreUnavailable, VitrineError
from indexer.points import StoredPoint, Vectors
from indexer.spaces import EmbeddingSpace
from indexer.store.edge_shard import EdgeShard
from indexer.store.generations import GenerationFolders
from indexer.store.port import Alias, CollectionStatus, Hit, SearchAnswer, SearchQuery, missing_alias
from indexer.store.ranking import by_product, rank_products
from indexer.store.tuning import IndexTuning


@dataclass(slots=True)
class _OpenGeneration:
    """An open shard and how many queries are in it; closed when it is retired and the last one has left."""

    collection: str
    space: EmbeddingSpace
    shard: EdgeShard
    pointer: bytes
    queries: int = 0
    retired: bool = False


class EdgeCollectionReader:
    """Reads one generation by name; see ``CollectionReader``.

    Args:
        folders: of the store.
        collection: published, or the target of a reindex that was published since it was last written.
        tuning: of searches.
        exact: every vector is compared, none through the graph.
    """

    def __init__(self, folders: GenerationFolders, collection: str, tuning: IndexTuning, *, exact: bool) -> None:
        record = folders.record(collection)
        self._collection = collection
        self._space = record.space
        self._detail = str(folders.folder(collection))
        self._exact = exact
        self._shard = EdgeShard.open(folders.shard(collection), tuning, points=record.points)

    def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        return _found(self._shard, self._collection, query, exact=self._exact)

    def product_points(self, product_ids: Sequence[str]) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        return by_product(self._shard.of_products(product_ids))

    def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``."""
        return self._shard.vectors(ids) if ids else {}

    def refresh(self) -> None:
        """See ``CollectionReader``; what is published does not change."""

    def status(self) -> CollectionStatus:
        """See ``CollectionReader``."""
        shard = self._shard
        return CollectionStatus("", self._collection, self._space, shard.count(), shard.indexed_count(), self._detail)

    def close(self) -> None:
        """See ``CollectionReader``."""
        self._shard.close()


def _found(shard: EdgeShard, collection: str, query: SearchQuery, *, exact: bool = False) -> SearchAnswer:
    ranked = rank_products(
        lambda count: shard.nearest(query.vector, count, query.exclude_product_id, exact=exact),
        query.limit,
        query.offset,
    )
    points = shard.points([point.id for point in ranked])
    return SearchAnswer(tuple(Hit(point.product_id, point.score, points[point.id]) for point in ranked), collection)


class EdgeReader:
    """Reads through an alias; see ``CollectionReader``.

    The generation in use is immutable. A thread watches the pointer file; when it names another generation, that one is
    opened and warmed first, then takes over, and the old one is closed when its last query is done. No query waits for
    any of it.
    """

    def __init__(self, folders: GenerationFolders, alias: Alias, tuning: IndexTuning, *, follow_s: float) -> None:
        self._folders = folders
        self._alias = alias
        self._tuning = tuning
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._open: _OpenGeneration | None = None
        self._stop = threading.Event()
        self._follow_s = follow_s
        if follow_s > 0:
            threading.Thread(target=self._follow, name=f"follow {alias.name}", daemon=True).start()

    def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        with self._generation() as generation:
            return _found(generation.shard, generation.collection, query)

    def product_points(self, product_ids: Sequence[str]) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        with self._generation() as generation:
            return by_product(generation.shard.of_products(product_ids))

    def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``."""
        with self._generation() as generation:
            return generation.shard.vectors(ids)

    def status(self) -> CollectionStatus:
        """See ``CollectionReader``."""
        with self._generation() as generation:
            shard, collection = generation.shard, generation.collection
            detail = str(self._folders.folder(collection))
            return CollectionStatus(
                self._alias.name, collection, generation.space, shard.count(), shard.indexed_count(), detail
            )

    def refresh(self) -> None:
        """Moves to the generation that the pointer names now, if it is another one.

        Raises:
            CollectionNotFound, SpaceMismatch: the alias points nowhere.
            StoreDamaged: the generation cannot be opened.
        """
        with self._refreshing:
            pointer = self._pointer()
            before = self._open
            if before is not None and before.pointer == pointer:
                return
            opened = self._open_current(pointer)
            self._replace(opened)

    def close(self) -> None:
        """See ``CollectionReader``."""
        self._stop.set()
        with self._refreshing:
            self._replace(None)

    def _replace(self, generation: _OpenGeneration | None) -> None:
        with self._lock:
            before, self._open = self._open, generation
            unused = before is not None and before.queries == 0
            if before is not None:
                before.retired = True
        if before is not None and unused:
            before.shard.close()

    @contextmanager
    def _generation(self) -> Iterator[_OpenGeneration]:
        if self._open is None or self._follow_s == 0:
            self.refresh()
        with self._lock:
            generation = self._open
            if generation is None:
                raise StoreDamaged("The reader is closed.")
            generation.queries += 1
        try:
            yield generation
        finally:
            with self._lock:
                generation.queries -= 1
                last_one_out = generation.retired and generation.queries == 0
            if last_one_out:
                generation.shard.close()

    def _open_current(self, pointer: bytes) -> _OpenGeneration:
        # a generation can be pruned between reading the pointer and opening the shard, if two runs end close together
        for attempt in (1, 2, 3):
            collection = self._folders.current(self._alias)
            if not collection:
                raise missing_alias(self._alias, self._folders.spaces_of(self._alias.catalog))
            try:
                record = self._folders.record(collection)
                shard = EdgeShard.open(self._folders.shard(collection), self._tuning, points=record.points)
            except StoreDamaged:
                if attempt == 3 or self._folders.current(self._alias) == collection:
                    raise
                continue
            # the first query touches pages and builds lazy parts; it is not a shopper's
            dim = record.space.dim
            if not shard.nearest(np.full(dim, dim**-0.5, dtype=np.float32), 1) and record.points:
                shard.close()
                raise StoreDamaged(f"No search reaches the points of {collection}.", "Roll back, or index again.")
            return _OpenGeneration(collection, record.space, shard, pointer)
        raise AssertionError("unreachable")

    def _pointer(self) -> bytes:
        # its content, as the time of a file is too coarse to tell two promotions in a row apart
        try:
            return self._folders.pointer(self._alias).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise StoreUnavailable(f"The pointer of {self._alias.name} cannot be read: {error.strerror}.") from error

    def _follow(self) -> None:
        while not self._stop.wait(self._follow_s):
            try:
                self.refresh()
            except VitrineError:
                continue  # nothing there yet, or damaged: queries go on with what is open, or say so themselves
