"""Questions of one call or more to a server's collections, whichever client asks them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from indexer.errors import CollectionNotFound, StoreDamaged
from indexer.points import StoredPoint, Vectors
from indexer.store.port import Alias, CollectionStatus, Hit, SearchAnswer, SearchQuery, missing_alias
from indexer.store.qdrant_calls import QdrantCalls
from indexer.store.qdrant_conversation import Conversation, asked
from indexer.store.ranking import by_product, ranking

_T = TypeVar("_T")
_ALIAS_SEEN_S = 1.0


class Questions(Protocol):
    """What a reader asks; see ``CollectionReader``."""

    def search(self, query: SearchQuery) -> Conversation[SearchAnswer]:
        """See ``CollectionReader``."""
        ...

    def product_points(self, product_ids: Sequence[str]) -> Conversation[Mapping[str, tuple[StoredPoint, ...]]]:
        """See ``CollectionReader``."""
        ...

    def vectors(self, ids: Sequence[UUID]) -> Conversation[Mapping[UUID, Vectors]]:
        """See ``CollectionReader``."""
        ...

    def status(self) -> Conversation[CollectionStatus]:
        """See ``CollectionReader``."""
        ...

    def refresh(self) -> None:
        """See ``CollectionReader``."""
        ...


class CollectionQuestions:
    """To one collection by name.

    Args:
        calls: to the server.
        collection: physical name.
        exact: every vector is compared, none through the graph.
        alias: that points to it, for its status.
    """

    def __init__(self, calls: QdrantCalls, collection: str, *, exact: bool = False, alias: str = "") -> None:
        self._calls = calls
        self._collection = collection
        self._exact = exact
        self._alias = alias

    def search(self, query: SearchQuery) -> Conversation[SearchAnswer]:
        """See ``CollectionReader``."""
        calls, collection = self._calls, self._collection
        ranks = ranking(query.limit, query.offset)
        count = next(ranks)
        while True:
            nearest = yield from asked(calls.nearest(collection, query, count, exact=self._exact))
            try:
                count = ranks.send(nearest)
            except StopIteration as end:
                ranked = end.value
                break
        points: Mapping[UUID, StoredPoint] = {}
        if ranked:
            points = yield from asked(calls.points(collection, [point.id for point in ranked]))
        hits = tuple(Hit(item.product_id, item.score, points[item.id]) for item in ranked if item.id in points)
        return SearchAnswer(hits, collection)

    def product_points(self, product_ids: Sequence[str]) -> Conversation[Mapping[str, tuple[StoredPoint, ...]]]:
        """See ``CollectionReader``."""
        points: list[StoredPoint] = []
        start: object = None
        while product_ids:
            page = yield from asked(self._calls.of_products(self._collection, product_ids, start))
            points += page.items
            start = page.next_start
            if start is None:
                break
        return by_product(points)

    def vectors(self, ids: Sequence[UUID]) -> Conversation[Mapping[UUID, Vectors]]:
        """See ``CollectionReader``."""
        if not ids:
            return {}
        return (yield from asked(self._calls.vectors(self._collection, ids)))

    def status(self) -> Conversation[CollectionStatus]:
        """See ``CollectionReader``."""
        there = yield from asked(self._calls.describe(self._collection))
        if there.space is None:
            raise StoreDamaged(
                f"The collection {self._collection} does not record its embedding space.", "Index the feed again."
            )
        points = yield from asked(self._calls.count(self._collection))
        indexed = min(there.indexed_points, points)
        return CollectionStatus(self._alias, self._collection, there.space, points, indexed, f"server, {there.state}")

    def refresh(self) -> None:
        """See ``CollectionReader``; every question goes to the server."""


class AliasQuestions:
    """Through an alias.

    It is looked up at most once a second and the collection asked by its own name, so that an answer comes from one
    collection and says which. One that was pruned in between is looked up anew.

    Args:
        calls: to the server.
        alias: whose collection is asked.
    """

    def __init__(self, calls: QdrantCalls, alias: Alias) -> None:
        self._calls = calls
        self._alias = alias
        self._seen: tuple[float, str] = (float("-inf"), "")
        self._looking = threading.Lock()

    def search(self, query: SearchQuery) -> Conversation[SearchAnswer]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.search(query))

    def product_points(self, product_ids: Sequence[str]) -> Conversation[Mapping[str, tuple[StoredPoint, ...]]]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.product_points(product_ids))

    def vectors(self, ids: Sequence[UUID]) -> Conversation[Mapping[UUID, Vectors]]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.vectors(ids))

    def status(self) -> Conversation[CollectionStatus]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.status())

    def refresh(self) -> None:
        """See ``CollectionReader``; the alias is looked up by the next question."""
        self._see(time.monotonic(), "")

    def _ask(self, question: Callable[[CollectionQuestions], Conversation[_T]]) -> Conversation[_T]:
        collection = yield from self._collection()
        try:
            return (yield from question(self._questions(collection)))
        except CollectionNotFound:
            self.refresh()
            now = yield from self._collection()
            if now == collection:
                raise
            return (yield from question(self._questions(now)))

    def _questions(self, collection: str) -> CollectionQuestions:
        return CollectionQuestions(self._calls, collection, alias=self._alias.name)

    def _collection(self) -> Conversation[str]:
        seen_s, collection = self._seen
        now_s = time.monotonic()
        if collection and now_s - seen_s < _ALIAS_SEEN_S:
            return collection
        aliases = yield from asked(self._calls.aliases())
        collection = aliases.get(self._alias.name, "")
        if not collection:
            prefix = f"{self._alias.catalog}--"
            others = {name for alias, name in aliases.items() if alias.startswith(prefix)}
            spaces = []
            for name in sorted(others):
                described = yield from asked(self._calls.describe(name))
                if described.space is not None:
                    spaces.append(described.space)
            raise missing_alias(self._alias, spaces)
        self._see(now_s, collection)
        return collection

    def _see(self, now_s: float, collection: str) -> None:
        """Notes what the alias named at a time; a look-up that began before a later one does not undo it."""
        with self._looking:
            if now_s > self._seen[0]:
                self._seen = (now_s, collection)
