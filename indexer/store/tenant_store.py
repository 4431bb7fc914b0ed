"""Writing for one tenant, and a store as one tenant may use it; see ``indexer.store.tenants``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from indexer.errors import ConfigurationError
from indexer.points import Point, StoredPoint
from indexer.spaces import EmbeddingSpace
from indexer.store.filters import Filter
from indexer.store.port import Alias, BatchChange, CollectionWriter, SharedWriter, VectorStore
from indexer.store.queries import CollectionStatus
from indexer.store.tenants import AsyncTenantReader, TenantReader, annotation_name, of_tenant_only


def of_tenant(store: VectorStore, tenant: str) -> VectorStore:
    """A store as a tenant may use it; the same store where none is named."""
    return TenantStore(store, tenant) if tenant else store


def tenant_of(writer: CollectionWriter) -> str:
    """Whose products a writer writes; empty without tenants."""
    return writer.tenant if isinstance(writer, TenantWriter) else ""


class TenantWriter:
    """See ``CollectionWriter``; it sees, writes and removes one tenant's points alone.

    Args:
        writer: of all points; closed with this one.
        tenant: not empty.

    Attributes:
        tenant: as given.
    """

    def __init__(self, writer: CollectionWriter, tenant: str) -> None:
        if not tenant:
            raise ValueError("no tenant is named")
        self._writer = writer
        self.tenant = tenant

    @property
    def collection(self) -> str:
        """See ``CollectionWriter``."""
        return self._writer.collection

    @property
    def continues(self) -> bool:
        """See ``CollectionWriter``."""
        return self._writer.continues

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionWriter``."""
        return self._writer.product_points(product_ids, of_tenant_only(self.tenant, where))

    def donated(self, product_ids: Sequence[str]) -> Mapping[str, tuple[Point, ...]]:
        """See ``CollectionWriter``."""
        given = {
            product_id: tuple(point for point in points if point.payload.tenant == self.tenant)
            for product_id, points in self._writer.donated(product_ids).items()
        }
        return {product_id: points for product_id, points in given.items() if points}

    def write(self, change: BatchChange) -> None:
        """See ``CollectionWriter``.

        Raises:
            ValueError: a point is another tenant's, which is a fault of this program: nothing is written.
        """
        for payload in (*(item.payload for item in change.points), *(item.payload for item in change.payloads)):
            if payload.tenant != self.tenant:
                raise ValueError(f"a point of {payload.tenant!r} was to be written for {self.tenant!r}")
        self._writer.write(change)

    def product_ids(self, where: Filter | None = None) -> Iterator[str]:
        """See ``CollectionWriter``."""
        return self._writer.product_ids(of_tenant_only(self.tenant, where))

    def outdated_product_ids(self, where: Filter | None = None) -> Iterator[str]:
        """See ``CollectionWriter``."""
        return self._writer.outdated_product_ids(of_tenant_only(self.tenant, where))

    def delete_products(self, product_ids: Sequence[str], where: Filter | None = None) -> None:
        """See ``CollectionWriter``."""
        self._writer.delete_products(product_ids, of_tenant_only(self.tenant, where))

    def publish(self) -> bool:
        """See ``CollectionWriter``; what other tenants' runs wrote is published with it."""
        return self._writer.publish()

    def close(self) -> None:
        """See ``CollectionWriter``."""
        self._writer.close()


class SharedTenantWriter(TenantWriter):
    """One whose collection several processes write to; see ``SharedWriter``."""

    def __init__(self, writer: CollectionWriter, shared: SharedWriter, tenant: str) -> None:
        super().__init__(writer, tenant)
        self._shared = shared

    def create(self) -> None:
        """See ``SharedWriter``."""
        self._shared.create()


class TenantStore:
    """See ``VectorStore``; what it gives is of one tenant's points.

    Collections and aliases are all tenants' together, so what is done to a whole one is not for a single tenant.

    Args:
        store: of all tenants; not closed with this one.
        tenant: not empty.
    """

    def __init__(self, store: VectorStore, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    def reader(self, alias: Alias) -> TenantReader:
        """See ``VectorStore``."""
        return TenantReader(self._store.reader(alias), self._tenant)

    def async_reader(self, alias: Alias) -> AsyncTenantReader:
        """See ``VectorStore``."""
        return AsyncTenantReader(self._store.async_reader(alias), self._tenant)

    def writer(self, alias: Alias, space: EmbeddingSpace, *, resume_of: str = "") -> TenantWriter:
        """See ``VectorStore``."""
        return self._own(self._store.writer(alias, space, resume_of=resume_of))

    def exclusive(self) -> AbstractContextManager[None]:
        """See ``VectorStore``."""
        return self._store.exclusive()

    def target(self, alias: Alias, space: EmbeddingSpace, *, collection: str = "", donor: str = "") -> TenantWriter:
        """See ``VectorStore``; only of a collection that is there, as a new one would lack the others' products.

        Raises:
            ConfigurationError: none is named.
        """
        if not collection:
            raise _of_all("A reindex")
        return self._own(self._store.target(alias, space, collection=collection, donor=donor))

    def collection_reader(self, collection: str, *, exact: bool = False) -> TenantReader:
        """See ``VectorStore``."""
        return TenantReader(self._store.collection_reader(collection, exact=exact), self._tenant)

    def current(self, alias: Alias) -> str:
        """See ``VectorStore``."""
        return self._store.current(alias)

    def previous(self, alias: Alias) -> str:
        """See ``VectorStore``."""
        return self._store.previous(alias)

    def promote(self, alias: Alias, collection: str) -> None:  # noqa: ARG002 - the port's
        """See ``VectorStore``.

        Raises:
            ConfigurationError: always.
        """
        raise _of_all("A promotion")

    def prune(self, alias: Alias, *, keep: Sequence[str] = ()) -> Sequence[str]:  # noqa: ARG002 - the port's
        """See ``VectorStore``.

        Raises:
            ConfigurationError: always.
        """
        raise _of_all("Pruning")

    def annotate(self, collection: str, name: str, value: Mapping[str, Any]) -> None:
        """See ``VectorStore``; for the tenant's own readers."""
        self._store.annotate(collection, annotation_name(self._tenant, name), value)

    def collections(self) -> Sequence[CollectionStatus]:
        """See ``VectorStore``.

        Raises:
            ConfigurationError: always, as the counts are all tenants'.
        """
        raise _of_all("A list of collections")

    def close(self) -> None:
        """See ``VectorStore``; the store is closed by whoever opened it."""

    def _own(self, writer: CollectionWriter) -> TenantWriter:
        if isinstance(writer, SharedWriter):
            return SharedTenantWriter(writer, writer, self._tenant)
        return TenantWriter(writer, self._tenant)


def _of_all(what: str) -> ConfigurationError:
    return ConfigurationError(f"{what} is of all tenants' products, and not of one tenant's.", "Leave the tenant out.")
