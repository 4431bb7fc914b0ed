"""Reading for one tenant: the one place where questions get the condition that keeps tenants apart.

A reader of a tenant is one of all points with a condition put into each question, so there is no way to ask it about
another's points: what names points by id is looked at, too. It is what every route and command is given where an
installation has tenants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from indexer.points import StoredPoint, Vectors
from indexer.store.async_reader import AsyncCollectionReader
from indexer.store.filters import TENANT_FIELD, And, AnyOf, Filter
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

_Q = TypeVar("_Q", SearchQuery, NearestQuery, LexicalQuery, FacetQuery, OrderedQuery)


def of_tenant_only(tenant: str, where: Filter | None) -> Filter:
    """A filter that holds for points of one tenant alone.

    Args:
        tenant: not empty.
        where: what else must hold, whatever it says of tenants itself.
    """
    if not tenant:
        raise ValueError("no tenant is named")
    own = AnyOf(TENANT_FIELD, (tenant,))
    if where is None:
        return own
    # beside the parts of an And, and not around it, so that the tree gets no deeper than it may be
    return And((own, *where.parts)) if isinstance(where, And) else And((own, where))


def annotation_name(tenant: str, name: str) -> str:
    """Under which a tenant's annotation is kept; tenants' names have no underscores, so no two names are one."""
    return f"{name}_of_{tenant.replace('-', '_')}"


class TenantReader:
    """See ``CollectionReader``; of one tenant's points.

    Args:
        reader: of all points; closed with this one.
        tenant: not empty.
    """

    def __init__(self, reader: CollectionReader, tenant: str) -> None:
        self._reader = reader
        self._tenant = tenant

    def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        return self._reader.search(_of_own(query, self._tenant))

    def nearest(self, query: NearestQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        return self._reader.nearest(_of_own(query, self._tenant))

    def lexical(self, query: LexicalQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        return self._reader.lexical(_of_own(query, self._tenant))

    def facet(self, query: FacetQuery) -> tuple[FacetCount, ...]:
        """See ``CollectionReader``."""
        return self._reader.facet(_of_own(query, self._tenant))

    def count_products(self, where: Filter | None = None) -> int:
        """See ``CollectionReader``."""
        return self._reader.count_products(of_tenant_only(self._tenant, where))

    def price_range(self, where: Filter | None = None) -> PriceRange | None:
        """See ``CollectionReader``."""
        return self._reader.price_range(of_tenant_only(self._tenant, where))

    def ordered(self, query: OrderedQuery) -> tuple[StoredPoint, ...]:
        """See ``CollectionReader``."""
        return self._reader.ordered(_of_own(query, self._tenant))

    def points(self, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """See ``CollectionReader``; those of others are unknown."""
        return _owned(self._reader.points(ids), self._tenant)

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        return self._reader.product_points(product_ids, of_tenant_only(self._tenant, where))

    def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``; those of others are unknown."""
        return self._reader.vectors(list(self.points(ids)))

    def annotation(self, name: str) -> Mapping[str, Any] | None:
        """See ``CollectionReader``; the tenant's own."""
        return self._reader.annotation(annotation_name(self._tenant, name))

    def collection_name(self) -> str:
        """See ``CollectionReader``."""
        return self._reader.collection_name()

    def status(self, where: Filter | None = None) -> CollectionStatus:
        """See ``CollectionReader``; of the tenant's points."""
        return self._reader.status(of_tenant_only(self._tenant, where))

    def refresh(self) -> None:
        """See ``CollectionReader``."""
        self._reader.refresh()

    def close(self) -> None:
        """See ``CollectionReader``."""
        self._reader.close()


class AsyncTenantReader:
    """See ``AsyncCollectionReader``; of one tenant's points.

    Args:
        reader: of all points; closed with this one.
        tenant: not empty.
    """

    def __init__(self, reader: AsyncCollectionReader, tenant: str) -> None:
        self._reader = reader
        self._tenant = tenant

    async def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        return await self._reader.search(_of_own(query, self._tenant))

    async def nearest(self, query: NearestQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        return await self._reader.nearest(_of_own(query, self._tenant))

    async def lexical(self, query: LexicalQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        return await self._reader.lexical(_of_own(query, self._tenant))

    async def facet(self, query: FacetQuery) -> tuple[FacetCount, ...]:
        """See ``CollectionReader``."""
        return await self._reader.facet(_of_own(query, self._tenant))

    async def count_products(self, where: Filter | None = None) -> int:
        """See ``CollectionReader``."""
        return await self._reader.count_products(of_tenant_only(self._tenant, where))

    async def price_range(self, where: Filter | None = None) -> PriceRange | None:
        """See ``CollectionReader``."""
        return await self._reader.price_range(of_tenant_only(self._tenant, where))

    async def ordered(self, query: OrderedQuery) -> tuple[StoredPoint, ...]:
        """See ``CollectionReader``."""
        return await self._reader.ordered(_of_own(query, self._tenant))

    async def points(self, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """See ``CollectionReader``; those of others are unknown."""
        return _owned(await self._reader.points(ids), self._tenant)

    async def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        return await self._reader.product_points(product_ids, of_tenant_only(self._tenant, where))

    async def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``; those of others are unknown."""
        return await self._reader.vectors(list(await self.points(ids)))

    async def annotation(self, name: str) -> Mapping[str, Any] | None:
        """See ``CollectionReader``; the tenant's own."""
        return await self._reader.annotation(annotation_name(self._tenant, name))

    async def collection_name(self) -> str:
        """See ``CollectionReader``."""
        return await self._reader.collection_name()

    async def status(self, where: Filter | None = None) -> CollectionStatus:
        """See ``CollectionReader``; of the tenant's points."""
        return await self._reader.status(of_tenant_only(self._tenant, where))

    def refresh(self) -> None:
        """See ``AsyncCollectionReader``."""
        self._reader.refresh()

    async def close(self) -> None:
        """See ``AsyncCollectionReader``."""
        await self._reader.close()


def _of_own(query: _Q, tenant: str) -> _Q:
    return replace(query, where=of_tenant_only(tenant, query.where))


def _owned(points: Mapping[UUID, StoredPoint], tenant: str) -> Mapping[UUID, StoredPoint]:
    return {identity: point for identity, point in points.items() if point.payload.tenant == tenant}
