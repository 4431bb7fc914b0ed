"""Reading a collection on an event loop; part of the vector store port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from indexer.points import StoredPoint, Vectors
from indexer.store.filters import Filter
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


class AsyncCollectionReader(Protocol):
    """A ``CollectionReader`` for an event loop, which it never blocks."""

    async def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        ...

    async def nearest(self, query: NearestQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        ...

    async def lexical(self, query: LexicalQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        ...

    async def facet(self, query: FacetQuery) -> tuple[FacetCount, ...]:
        """See ``CollectionReader``."""
        ...

    async def count_products(self, where: Filter | None = None) -> int:
        """See ``CollectionReader``."""
        ...

    async def price_range(self, where: Filter | None = None) -> PriceRange | None:
        """See ``CollectionReader``."""
        ...

    async def ordered(self, query: OrderedQuery) -> tuple[StoredPoint, ...]:
        """See ``CollectionReader``."""
        ...

    async def points(self, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """See ``CollectionReader``."""
        ...

    async def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        ...

    async def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``."""
        ...

    async def annotation(self, name: str) -> Mapping[str, Any] | None:
        """See ``CollectionReader``."""
        ...

    async def collection_name(self) -> str:
        """See ``CollectionReader``."""
        ...

    async def status(self, where: Filter | None = None) -> CollectionStatus:
        """See ``CollectionReader``."""
        ...

    def refresh(self) -> None:
        """See ``CollectionReader``; may block, so it is called from a thread."""
        ...

    async def close(self) -> None:
        """Releases files and connections."""
        ...
