"""A blocking reader on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

from indexer.points import StoredPoint, Vectors
from indexer.processors import available_cores
from indexer.store.filters import Filter
from indexer.store.port import CollectionReader
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

_T = TypeVar("_T")
_SPARE_THREADS = 2
_FEW = 64
"""Points: to find and read 20 took 3 ms among 50 000, and 100 took 8 (docs/performance.md)."""


class ThreadedReader:
    """Asks a blocking reader in threads of its own; see ``AsyncCollectionReader``.

    Args:
        reader: safe to call from several threads; closed with this one.
        answers_here: whether questions about few points are asked on the event loop itself now. An engine that keeps
            the interpreter for itself until it has answered lets the loop do nothing meanwhile in a thread either, and
            to go there and back costs as much as a small question (docs/performance.md).
    """

    def __init__(self, reader: CollectionReader, answers_here: Callable[[], bool] = lambda: False) -> None:
        self._reader = reader
        self._answers_here = answers_here
        self._threads = ThreadPoolExecutor(available_cores() + _SPARE_THREADS, thread_name_prefix="store")

    async def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.search(query), query.limit + query.offset)

    async def nearest(self, query: NearestQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.nearest(query), query.count)

    async def lexical(self, query: LexicalQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.lexical(query))

    async def facet(self, query: FacetQuery) -> tuple[FacetCount, ...]:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.facet(query))

    async def count_products(self, where: Filter | None = None) -> int:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.count_products(where))

    async def price_range(self, where: Filter | None = None) -> PriceRange | None:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.price_range(where))

    async def ordered(self, query: OrderedQuery) -> tuple[StoredPoint, ...]:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.ordered(query))

    async def points(self, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.points(ids), len(ids))

    async def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.product_points(product_ids, where))

    async def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.vectors(ids), len(ids))

    async def annotation(self, name: str) -> Mapping[str, Any] | None:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.annotation(name))

    async def collection_name(self) -> str:
        """See ``CollectionReader``."""
        return await self._asked(self._reader.collection_name)

    async def status(self, where: Filter | None = None) -> CollectionStatus:
        """See ``CollectionReader``."""
        return await self._asked(lambda: self._reader.status(where))

    def refresh(self) -> None:
        """See ``AsyncCollectionReader``."""
        self._reader.refresh()

    async def close(self) -> None:
        """See ``AsyncCollectionReader``; waits for the questions under way."""
        await asyncio.to_thread(self._threads.shutdown)
        self._reader.close()

    async def _asked(self, question: Callable[[], _T], points: int | None = None) -> _T:
        if points is not None and points <= _FEW and self._answers_here():
            return question()
        return await asyncio.get_running_loop().run_in_executor(self._threads, question)
