"""Reading a server's collections: through an alias, or one by name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from indexer.errors import CollectionNotFound, StoreDamaged
from indexer.points import StoredPoint, Vectors
from indexer.store.port import Alias, CollectionStatus, Hit, SearchAnswer, SearchQuery, missing_alias
from indexer.store.qdrant_gateway import QdrantGateway
from indexer.store.ranking import by_product, rank_products

_T = TypeVar("_T")
_ALIAS_SEEN_S = 1.0


class QdrantCollectionReader:
    """Reads one collection by name; see ``CollectionReader``.

    Args:
        gateway: to the server.
        collection: physical name.
        exact: every vector is compared, none through the graph.
        alias: that points to it, for its status.
    """

    def __init__(self, gateway: QdrantGateway, collection: str, *, exact: bool = False, alias: str = "") -> None:
        self._gateway = gateway
        self._collection = collection
        self._exact = exact
        self._alias = alias

    def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        gateway, collection = self._gateway, self._collection
        ranked = rank_products(
            lambda count: gateway.nearest(collection, query, count, exact=self._exact), query.limit, query.offset
        )
        points = gateway.points(collection, [point.id for point in ranked]) if ranked else {}
        hits = tuple(Hit(item.product_id, item.score, points[item.id]) for item in ranked if item.id in points)
        return SearchAnswer(hits, collection)

    def product_points(self, product_ids: Sequence[str]) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        return by_product(self._gateway.of_products(self._collection, product_ids))

    def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``."""
        return self._gateway.vectors(self._collection, ids) if ids else {}

    def status(self) -> CollectionStatus:
        """See ``CollectionReader``."""
        there = self._gateway.describe(self._collection)
        if there.space is None:
            raise StoreDamaged(
                f"The collection {self._collection} does not record its embedding space.", "Index the feed again."
            )
        points = self._gateway.count(self._collection)
        indexed = min(there.indexed_points, points)
        return CollectionStatus(self._alias, self._collection, there.space, points, indexed, f"server, {there.state}")

    def refresh(self) -> None:
        """See ``CollectionReader``; every call asks the server."""

    def close(self) -> None:
        """See ``CollectionReader``; the connection is the store's."""


class QdrantReader:
    """Reads through an alias; see ``CollectionReader``.

    The alias is looked up at most once a second and the collection queried by its own name, so that an answer comes
    from one collection and says which. One that was pruned in between is looked up anew.
    """

    def __init__(self, gateway: QdrantGateway, alias: Alias) -> None:
        self._gateway = gateway
        self._alias = alias
        self._seen: tuple[float, str] = (float("-inf"), "")
        self._looking = threading.Lock()

    def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        return self._ask(lambda reader: reader.search(query))

    def product_points(self, product_ids: Sequence[str]) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        return self._ask(lambda reader: reader.product_points(product_ids))

    def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``."""
        return self._ask(lambda reader: reader.vectors(ids))

    def status(self) -> CollectionStatus:
        """See ``CollectionReader``."""
        return self._ask(lambda reader: reader.status())

    def refresh(self) -> None:
        """See ``CollectionReader``; the alias is looked up by the next call."""
        self._see(time.monotonic(), "")

    def close(self) -> None:
        """See ``CollectionReader``; the connection is the store's."""

    def _ask(self, question: Callable[[QdrantCollectionReader], _T]) -> _T:
        collection = self._collection()
        try:
            return question(self._reader(collection))
        except CollectionNotFound:
            self.refresh()
            now = self._collection()
            if now == collection:
                raise
            return question(self._reader(now))

    def _reader(self, collection: str) -> QdrantCollectionReader:
        return QdrantCollectionReader(self._gateway, collection, alias=self._alias.name)

    def _collection(self) -> str:
        seen_s, collection = self._seen
        now_s = time.monotonic()
        if collection and now_s - seen_s < _ALIAS_SEEN_S:
            return collection
        aliases = self._gateway.aliases()
        collection = aliases.get(self._alias.name, "")
        if not collection:
            prefix = f"{self._alias.catalog}--"
            others = {name for alias, name in aliases.items() if alias.startswith(prefix)}
            spaces = [self._gateway.describe(name).space for name in sorted(others)]
            raise missing_alias(self._alias, [space for space in spaces if space is not None])
        self._see(now_s, collection)
        return collection

    def _see(self, now_s: float, collection: str) -> None:
        """Notes what the alias named at a time; a look-up that began before a later one does not undo it."""
        with self._looking:
            if now_s > self._seen[0]:
                self._seen = (now_s, collection)
