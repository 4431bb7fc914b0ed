"""Writing the next generation while the current one is searched."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from indexer.errors import StoreDamaged
from indexer.points import Point, StoredPoint, utc_text
from indexer.spaces import EmbeddingSpace
from indexer.store.edge_optimizer import EdgeOptimizer
from indexer.store.edge_shard import EdgeShard
from indexer.store.filters import Filter, Not, both
from indexer.store.generations import GenerationFolders, GenerationRecord
from indexer.store.outdated import MARKED
from indexer.store.port import Alias, BatchChange
from indexer.store.ranking import by_product
from indexer.store.tuning import IndexTuning
from indexer.store.writer_lock import WriterLock

_log = logging.getLogger(__name__)


class EdgeWriter:
    """One index run; see ``CollectionWriter``.

    Reading starts in the current generation. Only the first change copies it into a new folder, so a run that finds
    nothing changed costs no copy and publishes nothing. A folder left by an interrupted run is taken up again,
    whichever feed it came from: what was acknowledged is never thrown away.
    """

    def __init__(
        self,
        folders: GenerationFolders,
        alias: Alias,
        space: EmbeddingSpace,
        *,
        tuning: IndexTuning,
        lock: WriterLock,
        resume_of: str,
    ) -> None:
        self._folders = folders
        self._alias = alias
        self._space = space
        self._tuning = tuning
        self._lock = lock
        self._shard: EdgeShard | None = None
        self._is_copy = False
        # batches are prepared, hence read, in other threads than the one that writes; the shard must not be exchanged
        # for its copy while one of them is in it
        self._exchange = threading.RLock()
        try:
            folders.remove_begun(alias)
            self._base = folders.current(alias)
            folders.mark_published(self._base)
            self._collection = self._take_up_unfinished() or folders.next_name(alias)
            # an empty name means that the earlier run had changed nothing yet, so there is nothing to be missing
            self._continues = resume_of in {"", self._base} or (self._is_copy and resume_of == self._collection)
        except BaseException:
            self._lock.release()
            raise

    @property
    def collection(self) -> str:
        """See ``CollectionWriter``; empty until something was changed."""
        return self._collection if self._is_copy else ""

    @property
    def continues(self) -> bool:
        """See ``CollectionWriter``."""
        return self._continues

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionWriter``."""
        with self._exchange:
            shard = self._readable()
            return by_product(shard.of_products(product_ids, where)) if shard else {}

    def donated(self, product_ids: Sequence[str]) -> Mapping[str, tuple[Point, ...]]:  # noqa: ARG002 - the port's
        """See ``CollectionWriter``; what is there is in the same collection."""
        return {}

    def product_ids(self, where: Filter | None = None) -> Iterator[str]:
        """See ``CollectionWriter``."""
        shard = self._readable()
        return shard.product_ids(where) if shard else iter(())

    def write(self, change: BatchChange) -> None:
        """See ``CollectionWriter``."""
        if not change:
            return
        shard = self._writable()
        shard.apply(change)
        if shard.needs_sealing():
            with self._exchange:
                self._shard = None
                self._shard = self._optimizer().sealed(shard)

    def delete_products(self, product_ids: Sequence[str], where: Filter | None = None) -> None:
        """See ``CollectionWriter``."""
        if product_ids:
            shard = self._writable()
            shard.delete_products(product_ids, where)
            shard.flush()

    def publish(self) -> bool:
        """See ``CollectionWriter``."""
        if not self._is_copy and not self._lacks_indexes():
            return False
        shard = self._writable()
        points = shard.count()
        if shard.needs_optimizing():
            self._optimizer().build_search_index(shard)
        else:
            shard.close()
        self._shard = None
        self._is_copy = False
        record = self._folders.record(self._collection)
        self._folders.write_record(self._collection, replace(record, points=points))
        self._folders.succeed(self._alias, self._collection)
        self._base = self._collection
        self._collection = self._folders.next_name(self._alias)
        for name in self._folders.prune(self._alias, keep=self._folders.targets(self._alias)):
            _log.info("pruned %s", name)
        return True

    def close(self) -> None:
        """See ``CollectionWriter``."""
        if self._shard is not None:
            self._shard.close()
            self._shard = None
        self._lock.release()

    def outdated_product_ids(self, where: Filter | None = None) -> Iterator[str]:
        """See ``CollectionWriter``."""
        shard = self._readable()
        return shard.product_ids(both(Not(MARKED), where)) if shard else iter(())

    def _lacks_indexes(self) -> bool:
        shard = self._readable()
        return bool(shard and shard.missing_indexes())

    def _readable(self) -> EdgeShard | None:
        if self._shard is None and self._base:
            self._shard = EdgeShard.open(self._folders.shard(self._base), self._tuning)
        return self._shard

    def _writable(self) -> EdgeShard:
        with self._exchange:
            if self._is_copy and self._shard is not None:
                return self._shard
            if self._shard is not None:
                self._shard.close()
                self._shard = None
            self._shard = self._begin_copy()
            self._is_copy = True
            return self._shard

    def _begin_copy(self) -> EdgeShard:
        folder = self._folders.shard(self._collection)
        self._folders.folder(self._collection).mkdir(parents=True, exist_ok=True)
        if self._base:
            self._folders.copy(self._base, self._collection)
            shard = EdgeShard.open(folder, self._tuning)
            shard.create_indexes(shard.missing_indexes())
        else:
            shard = EdgeShard.create(folder, self._space.dim, self._tuning)
        # written last: a folder without its record is no collection
        created = utc_text(datetime.now(UTC))
        record = GenerationRecord(self._space, self._base, published=False, created_at=created)
        self._folders.write_record(self._collection, record)
        return shard

    def _take_up_unfinished(self) -> str:
        for name in self._folders.unfinished(self._alias):
            if name == self._base or self._folders.record(name).based_on != self._base:
                continue
            try:
                self._shard = EdgeShard.open(self._folders.shard(name), self._tuning)
            except StoreDamaged as error:
                _log.warning("%s It is an interrupted run's and is begun anew.", error.reason)
                self._folders.remove(name)
                continue
            self._shard.create_indexes(self._shard.missing_indexes())
            self._is_copy = True
            return name
        return ""

    def _optimizer(self) -> EdgeOptimizer:
        return EdgeOptimizer(self._folders.shard(self._collection), self._collection, self._space.dim, self._tuning)
