"""Reading a server's collections: through an alias, or one by name; blocking, or on an event loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from indexer.points import StoredPoint, Vectors
from indexer.store.filters import Filter
from indexer.store.qdrant_async_gateway import AsyncQdrantGateway
from indexer.store.qdrant_gateway import QdrantGateway
from indexer.store.qdrant_questions import Questions
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


class QdrantReader:
    """See ``CollectionReader``.

    Args:
        gateway: to the server.
        questions: of an alias, or of a collection.
    """

    def __init__(self, gateway: QdrantGateway, questions: Questions) -> None:
        self._gateway = gateway
        self._questions = questions

    def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.search(query))

    def nearest(self, query: NearestQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.nearest(query))

    def lexical(self, query: LexicalQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.lexical(query))

    def facet(self, query: FacetQuery) -> tuple[FacetCount, ...]:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.facet(query))

    def count_products(self, where: Filter | None = None) -> int:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.count_products(where))

    def price_range(self, where: Filter | None = None) -> PriceRange | None:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.price_range(where))

    def ordered(self, query: OrderedQuery) -> tuple[StoredPoint, ...]:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.ordered(query))

    def points(self, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.points(ids))

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.product_points(product_ids, where))

    def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.vectors(ids))

    def annotation(self, name: str) -> Mapping[str, Any] | None:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.annotation(name))

    def collection_name(self) -> str:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.collection_name())

    def status(self, where: Filter | None = None) -> CollectionStatus:
        """See ``CollectionReader``."""
        return self._gateway.converse(self._questions.status(where))

    def refresh(self) -> None:
        """See ``CollectionReader``."""
        self._questions.refresh()

    def close(self) -> None:
        """See ``CollectionReader``; the connection is the store's."""


class AsyncQdrantReader:
    """See ``AsyncCollectionReader``.

    Args:
        gateway: to the server; closed with the reader.
        questions: of an alias.
    """

    def __init__(self, gateway: AsyncQdrantGateway, questions: Questions) -> None:
        self._gateway = gateway
        self._questions = questions

    async def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.search(query))

    async def nearest(self, query: NearestQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.nearest(query))

    async def lexical(self, query: LexicalQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.lexical(query))

    async def facet(self, query: FacetQuery) -> tuple[FacetCount, ...]:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.facet(query))

    async def count_products(self, where: Filter | None = None) -> int:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.count_products(where))

    async def price_range(self, where: Filter | None = None) -> PriceRange | None:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.price_range(where))

    async def ordered(self, query: OrderedQuery) -> tuple[StoredPoint, ...]:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.ordered(query))

    async def points(self, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.points(ids))

    async def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.product_points(product_ids, where))

    async def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.vectors(ids))

    async def annotation(self, name: str) -> Mapping[str, Any] | None:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.annotation(name))

    async def collection_name(self) -> str:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.collection_name())

    async def status(self, where: Filter | None = None) -> CollectionStatus:
        """See ``CollectionReader``."""
        return await self._gateway.converse(self._questions.status(where))

    def refresh(self) -> None:
        """See ``AsyncCollectionReader``."""
        self._questions.refresh()

    async def close(self) -> None:
        """See ``AsyncCollectionReader``."""
        await self._gateway.close()
