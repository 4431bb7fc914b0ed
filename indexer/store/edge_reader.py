"""Searching the current generation and moving on to the next one while queries run; or one generation by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from indexer.errors import StoreDamaged, StoreUnavailable, VitrineError
from indexer.freed_memory import give_back
from indexer.points import StoredPoint, Vectors
from indexer.store.edge_questions import ShardQuestions
from indexer.store.edge_shard import EdgeShard
from indexer.store.filters import Filter
from indexer.store.generations import GenerationFolders, GenerationRecord
from indexer.store.port import Alias, missing_alias
from indexer.store.queries import (
    CollectionStatus,
    FacetCount,
    FacetQuery,
    LexicalQuery,
    NearestQuery,
    OrderedQuery,
    PriceRange,
    SearchAnswer,
    SearchQuery,
)
from indexer.store.ranking import RankedPoint
from indexer.store.tuning import IndexTuning


@dataclass(slots=True)
class _OpenGeneration:
    """An open shard and how many queries are in it; closed when it is retired and the last one has left."""

    questions: ShardQuestions
    pointer: bytes
    queries: int = 0
    retired: bool = False

    def close(self) -> None:
        """Releases its files and its memory."""
        self.questions.close()
        give_back()


class EdgeCollectionReader(ShardQuestions):
    """Reads one generation by name; see ``CollectionReader``.

    Args:
        folders: of the store.
        collection: published, or the target of a reindex that was published since it was last written.
        tuning: of searches.
        exact: every vector is compared, none through the graph.
    """

    def __init__(self, folders: GenerationFolders, collection: str, tuning: IndexTuning, *, exact: bool) -> None:
        record = folders.record(collection)
        shard = EdgeShard.open(folders.shard(collection), tuning, points=record.points)
        super().__init__(shard, _described(folders, collection, record, ""), exact=exact)
        self._folders = folders

    def annotation(self, name: str) -> Mapping[str, Any] | None:
        """See ``CollectionReader``."""
        return self._folders.annotation(self.collection_name(), name)

    def refresh(self) -> None:
        """See ``CollectionReader``; what is published does not change."""


def _described(folders: GenerationFolders, collection: str, record: GenerationRecord, alias: str) -> CollectionStatus:
    return CollectionStatus(alias, collection, record.space, 0, 0, str(folders.folder(collection)))


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

    @property
    def is_open(self) -> bool:
        """Whether a question finds a generation open, and need not open or close one first."""
        return self._open is not None and self._follow_s > 0

    def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.search(query)

    def nearest(self, query: NearestQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.nearest(query)

    def lexical(self, query: LexicalQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.lexical(query)

    def facet(self, query: FacetQuery) -> tuple[FacetCount, ...]:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.facet(query)

    def count_products(self, where: Filter | None = None) -> int:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.count_products(where)

    def price_range(self, where: Filter | None = None) -> PriceRange | None:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.price_range(where)

    def ordered(self, query: OrderedQuery) -> tuple[StoredPoint, ...]:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.ordered(query)

    def points(self, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.points(ids)

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.product_points(product_ids, where)

    def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.vectors(ids)

    def annotation(self, name: str) -> Mapping[str, Any] | None:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return self._folders.annotation(questions.collection_name(), name)

    def collection_name(self) -> str:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.collection_name()

    def status(self, where: Filter | None = None) -> CollectionStatus:
        """See ``CollectionReader``."""
        with self._generation() as questions:
            return questions.status(where)

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
            before.close()

    @contextmanager
    def _generation(self) -> Iterator[ShardQuestions]:
        if self._open is None or self._follow_s == 0:
            self.refresh()
        with self._lock:
            generation = self._open
            if generation is None:
                raise StoreDamaged("The reader is closed.")
            generation.queries += 1
        try:
            yield generation.questions
        finally:
            with self._lock:
                generation.queries -= 1
                last_one_out = generation.retired and generation.queries == 0
            if last_one_out:  # beside it, as whoever asked may be an event loop
                threading.Thread(target=generation.close, name="close generation").start()

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
            status = _described(self._folders, collection, record, self._alias.name)
            return _OpenGeneration(ShardQuestions(shard, status), pointer)
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
