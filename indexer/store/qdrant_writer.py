"""Writing into a server's collections: behind an alias, or into the target of a reindex."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from indexer.errors import CollectionNotFound, SpaceMismatch, StoreDamaged, StoreUnavailable
from indexer.points import Point, StoredPoint
from indexer.spaces import EmbeddingSpace
from indexer.store.donor import donated_points
from indexer.store.filters import Filter, Not, both
from indexer.store.outdated import MARKED
from indexer.store.port import Alias, BatchChange, CollectionReader
from indexer.store.qdrant_aliases import QdrantAliases
from indexer.store.qdrant_collection_questions import CollectionQuestions
from indexer.store.qdrant_gateway import QdrantGateway

INDEX_PURPOSE = "index"
REINDEX_PURPOSE = "reindex"
_LOOKS_EVERY_S = 0.5


class _CollectionOnServer:
    """What both writers do with their collection."""

    def __init__(self, gateway: QdrantGateway, space: EmbeddingSpace, collection: str, *, exists: bool) -> None:
        self._gateway = gateway
        self._space = space
        self._collection = collection
        self._exists = exists
        self._changed = False

    @property
    def collection(self) -> str:
        """See ``CollectionWriter``; empty until something was written."""
        return self._collection if self._exists else ""

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionWriter``."""
        if not self._exists:
            return {}
        return self._gateway.converse(
            CollectionQuestions(self._gateway.calls, self._collection).product_points(product_ids, where)
        )

    def donated(self, product_ids: Sequence[str]) -> Mapping[str, tuple[Point, ...]]:  # noqa: ARG002 - the port's
        """See ``CollectionWriter``; what is there is in the same collection."""
        return {}

    def product_ids(self, where: Filter | None = None) -> Iterator[str]:
        """See ``CollectionWriter``."""
        return self._gateway.product_ids(self._collection, where) if self._exists else iter(())

    def outdated_product_ids(self, where: Filter | None = None) -> Iterator[str]:
        """See ``CollectionWriter``."""
        return self._gateway.product_ids(self._collection, both(Not(MARKED), where)) if self._exists else iter(())

    def write(self, change: BatchChange) -> None:
        """See ``CollectionWriter``."""
        if not change:
            return
        self._changed = True
        self.create()
        if change.points:
            self._gateway.upsert(self._collection, change.points)
        if change.payloads:
            self._gateway.overwrite_payloads(self._collection, change.payloads)
        if change.deletions:
            # last, so that no product is without its points in between
            self._gateway.delete(self._collection, change.deletions)

    def delete_products(self, product_ids: Sequence[str], where: Filter | None = None) -> None:
        """See ``CollectionWriter``."""
        if product_ids and self._exists:
            self._changed = True
            self._gateway.delete_products(self._collection, product_ids, where)

    def close(self) -> None:
        """See ``CollectionWriter``."""

    def create(self) -> None:
        """See ``SharedWriter``."""
        if not self._exists:
            self._gateway.create(self._collection, self._space, INDEX_PURPOSE)
            self._exists = True


class QdrantWriter(_CollectionOnServer):
    """Writes into the alias's collection; see ``CollectionWriter``. Several may write at once."""

    def __init__(
        self, gateway: QdrantGateway, alias: Alias, space: EmbeddingSpace, *, resume_of: str, build_s: float
    ) -> None:
        self._aliases = QdrantAliases(gateway, alias)
        self._build_s = build_s
        self._published = self._aliases.current()
        begun = self._published or self._begun(gateway)
        super().__init__(gateway, space, begun or self._aliases.next_name(), exists=bool(begun))
        self._continues = not resume_of or (self._exists and resume_of == self._collection)

    @property
    def continues(self) -> bool:
        """See ``CollectionWriter``."""
        return self._continues

    def publish(self) -> bool:
        """See ``CollectionWriter``."""
        if self._exists:
            self._gateway.create_missing_indexes(self._collection)
        if self._exists and self._published != self._collection:
            build(self._gateway, self._collection, self._space, self._build_s)
            self._aliases.point_to(self._collection)
            self._published = self._collection
        changed, self._changed = self._changed, False
        return changed

    def _begun(self, gateway: QdrantGateway) -> str:
        """What an interrupted first run left; a reindex's target is not it."""
        begun = [name for name in self._aliases.collections() if gateway.describe(name).purpose == INDEX_PURPOSE]
        return begun[-1] if begun else ""


class QdrantTargetWriter(_CollectionOnServer):
    """Fills a collection that no alias names yet; see ``VectorStore.target``. Several may fill it at once."""

    def __init__(
        self,
        gateway: QdrantGateway,
        alias: Alias,
        space: EmbeddingSpace,
        *,
        collection: str,
        donor: CollectionReader | None,
        build_s: float,
    ) -> None:
        self._donor = donor
        self._build_s = build_s
        named = collection or QdrantAliases(gateway, alias).next_name()
        super().__init__(gateway, space, named, exists=bool(collection))
        if not collection:
            gateway.create(self._collection, space, REINDEX_PURPOSE)
            self._exists = True
        elif (found := gateway.describe(collection).space) != space:
            raise SpaceMismatch(f"The collection {collection} is of the space {found and found.space_id}.")

    @property
    def continues(self) -> bool:
        """See ``CollectionWriter``; a target is named, so it is the one."""
        return True

    def donated(self, product_ids: Sequence[str]) -> Mapping[str, tuple[Point, ...]]:
        """See ``CollectionWriter``."""
        return donated_points(self._donor, product_ids)

    def publish(self) -> bool:
        """See ``VectorStore.target``."""
        build(self._gateway, self._collection, self._space, self._build_s)
        changed, self._changed = self._changed, False
        return changed


def build(gateway: QdrantGateway, collection: str, space: EmbeddingSpace, build_s: float) -> None:
    """Returns when a collection's search index is built.

    Raises:
        StoreUnavailable: the server still builds after ``build_s`` seconds; it goes on by itself.
        StoreDamaged: the server cannot build it.
    """
    if gateway.describe(collection).build_deferred:
        gateway.build_index(collection, space.dim)
    deadline_s = time.monotonic() + build_s
    while (state := gateway.describe(collection).state) != "green":
        if state == "red":
            raise StoreDamaged(f"The Qdrant server cannot index {collection}.", "Its log says why.")
        if time.monotonic() > deadline_s:
            raise StoreUnavailable(
                f"The Qdrant server still indexes {collection} after {build_s:g} s.",
                "It goes on by itself; run the same command again later.",
            )
        time.sleep(_LOOKS_EVERY_S)


def check_exists(gateway: QdrantGateway, collection: str) -> None:
    """Returns if the server has a collection of this program by that name.

    Raises:
        CollectionNotFound: it has not.
    """
    if gateway.describe(collection).space is None:
        raise CollectionNotFound(f"The collection {collection} is not this program's.")
