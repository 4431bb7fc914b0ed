"""Filling the target of a reindex: a generation of its own, based on nothing, that no alias names yet."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from indexer.errors import SpaceMismatch
from indexer.points import Point, StoredPoint, utc_text
from indexer.spaces import EmbeddingSpace
from indexer.store.donor import donated_points
from indexer.store.edge_optimizer import EdgeOptimizer
from indexer.store.edge_shard import EdgeShard
from indexer.store.filters import Filter, Not, both
from indexer.store.generations import GenerationFolders, GenerationRecord, Purpose
from indexer.store.outdated import MARKED
from indexer.store.port import BatchChange, CollectionReader
from indexer.store.ranking import by_product
from indexer.store.tuning import IndexTuning
from indexer.store.writer_lock import WriterLock


class EdgeTargetWriter:
    """See ``VectorStore.target``; holds the store's writer lock for its whole life.

    Args:
        folders: of the store.
        collection: begun where there is none of that name.
        space: of the vectors.
        tuning: of the approximate index.
        lock: held, released by ``close``.
        donor: opened, closed by ``close``; None for none.

    Raises:
        SpaceMismatch: the collection is of another space.
    """

    def __init__(
        self,
        folders: GenerationFolders,
        collection: str,
        space: EmbeddingSpace,
        *,
        tuning: IndexTuning,
        lock: WriterLock,
        donor: CollectionReader | None,
    ) -> None:
        self._folders = folders
        self._collection = collection
        self._space = space
        self._tuning = tuning
        self._lock = lock
        self._donor = donor
        self._shard: EdgeShard | None = None
        # batches are prepared, hence read, in other threads than the one that writes; the shard must not be closed, to
        # be sealed, while one of them is in it
        self._exchange = threading.RLock()
        self._changed = False
        if collection not in folders.names():
            self._begin()
        elif (found := folders.record(collection).space) != space:
            raise SpaceMismatch(f"The collection {collection} is of the space {found.space_id}.")

    @property
    def collection(self) -> str:
        """See ``CollectionWriter``."""
        return self._collection

    @property
    def continues(self) -> bool:
        """See ``CollectionWriter``; a target is named, so it is the one."""
        return True

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionWriter``."""
        with self._exchange:
            return by_product(self._open().of_products(product_ids, where))

    def donated(self, product_ids: Sequence[str]) -> Mapping[str, tuple[Point, ...]]:
        """See ``CollectionWriter``."""
        return donated_points(self._donor, product_ids)

    def product_ids(self, where: Filter | None = None) -> Iterator[str]:
        """See ``CollectionWriter``."""
        return self._open().product_ids(where)

    def outdated_product_ids(self, where: Filter | None = None) -> Iterator[str]:
        """See ``CollectionWriter``."""
        return self._open().product_ids(both(Not(MARKED), where))

    def write(self, change: BatchChange) -> None:
        """See ``CollectionWriter``."""
        if change:
            self._begin_change()
            shard = self._open()
            shard.apply(change)
            if shard.needs_sealing():
                with self._exchange:
                    self._shard = None
                    self._shard = self._optimizer().sealed(shard)

    def delete_products(self, product_ids: Sequence[str], where: Filter | None = None) -> None:
        """See ``CollectionWriter``."""
        if product_ids:
            self._begin_change()
            self._open().delete_products(product_ids, where)
            self._open().flush()

    def publish(self) -> bool:
        """See ``VectorStore.target``."""
        shard = self._open()
        points = shard.count()
        if shard.needs_optimizing():
            self._shard = None
            self._optimizer().build_search_index(shard)
        else:
            shard.flush()
            self._close_shard()
        record = self._folders.record(self._collection)
        self._folders.write_record(self._collection, replace(record, points=points))
        changed, self._changed = self._changed, False
        return changed

    def close(self) -> None:
        """See ``CollectionWriter``."""
        self._close_shard()
        if self._donor is not None:
            self._donor.close()
        self._lock.release()

    def _begin_change(self) -> None:
        if not self._changed:
            # until it is published again its number of points is not known, and nobody may promote it
            record = self._folders.record(self._collection)
            self._folders.write_record(self._collection, replace(record, points=None))
            self._changed = True

    def _open(self) -> EdgeShard:
        with self._exchange:
            if self._shard is None:
                self._shard = EdgeShard.open(self._folders.shard(self._collection), self._tuning)
            return self._shard

    def _close_shard(self) -> None:
        with self._exchange:
            if self._shard is not None:
                self._shard.close()
                self._shard = None

    def _optimizer(self) -> EdgeOptimizer:
        return EdgeOptimizer(self._folders.shard(self._collection), self._collection, self._space.dim, self._tuning)

    def _begin(self) -> None:
        folders, collection = self._folders, self._collection
        folders.folder(collection).mkdir(parents=True, exist_ok=True)
        self._shard = EdgeShard.create(folders.shard(collection), self._space.dim, self._tuning)
        # written last: a folder without its record is no collection
        created = utc_text(datetime.now(UTC))
        record = GenerationRecord(self._space, "", published=False, created_at=created, purpose=Purpose.REINDEX)
        folders.write_record(collection, record)
