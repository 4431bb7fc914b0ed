"""Questions to a server's collections through an alias, and what all questions have in common."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from indexer.errors import CollectionNotFound
from indexer.points import StoredPoint, Vectors
from indexer.store.filters import Filter
from indexer.store.port import Alias, missing_alias
from indexer.store.qdrant_calls import QdrantCalls
from indexer.store.qdrant_collection_questions import CollectionQuestions
from indexer.store.qdrant_conversation import Conversation, asked
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
_ALIAS_SEEN_S = 1.0


class Questions(Protocol):
    """What a reader asks; see ``CollectionReader``."""

    def search(self, query: SearchQuery) -> Conversation[SearchAnswer]:
        """See ``CollectionReader``."""
        ...

    def nearest(self, query: NearestQuery) -> Conversation[tuple[RankedPoint, ...]]:
        """See ``CollectionReader``."""
        ...

    def lexical(self, query: LexicalQuery) -> Conversation[tuple[RankedPoint, ...]]:
        """See ``CollectionReader``."""
        ...

    def facet(self, query: FacetQuery) -> Conversation[tuple[FacetCount, ...]]:
        """See ``CollectionReader``."""
        ...

    def count_products(self, where: Filter | None = None) -> Conversation[int]:
        """See ``CollectionReader``."""
        ...

    def price_range(self, where: Filter | None = None) -> Conversation[PriceRange | None]:
        """See ``CollectionReader``."""
        ...

    def ordered(self, query: OrderedQuery) -> Conversation[tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        ...

    def points(self, ids: Sequence[UUID]) -> Conversation[Mapping[UUID, StoredPoint]]:
        """See ``CollectionReader``."""
        ...

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Conversation[Mapping[str, tuple[StoredPoint, ...]]]:
        """See ``CollectionReader``."""
        ...

    def vectors(self, ids: Sequence[UUID]) -> Conversation[Mapping[UUID, Vectors]]:
        """See ``CollectionReader``."""
        ...

    def annotation(self, name: str) -> Conversation[Mapping[str, Any] | None]:
        """See ``CollectionReader``."""
        ...

    def collection_name(self) -> Conversation[str]:
        """See ``CollectionReader``."""
        ...

    def status(self, where: Filter | None = None) -> Conversation[CollectionStatus]:
        """See ``CollectionReader``."""
        ...

    def refresh(self) -> None:
        """See ``CollectionReader``."""
        ...


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
        self._current: set[str] = set()

    def search(self, query: SearchQuery) -> Conversation[SearchAnswer]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.search(query))

    def nearest(self, query: NearestQuery) -> Conversation[tuple[RankedPoint, ...]]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.nearest(query))

    def lexical(self, query: LexicalQuery) -> Conversation[tuple[RankedPoint, ...]]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.lexical(query))

    def facet(self, query: FacetQuery) -> Conversation[tuple[FacetCount, ...]]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.facet(query))

    def count_products(self, where: Filter | None = None) -> Conversation[int]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.count_products(where))

    def price_range(self, where: Filter | None = None) -> Conversation[PriceRange | None]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.price_range(where))

    def ordered(self, query: OrderedQuery) -> Conversation[tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.ordered(query))

    def points(self, ids: Sequence[UUID]) -> Conversation[Mapping[UUID, StoredPoint]]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.points(ids))

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Conversation[Mapping[str, tuple[StoredPoint, ...]]]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.product_points(product_ids, where))

    def vectors(self, ids: Sequence[UUID]) -> Conversation[Mapping[UUID, Vectors]]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.vectors(ids))

    def annotation(self, name: str) -> Conversation[Mapping[str, Any] | None]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.annotation(name))

    def collection_name(self) -> Conversation[str]:
        """See ``CollectionReader``."""
        return self._collection()

    def status(self, where: Filter | None = None) -> Conversation[CollectionStatus]:
        """See ``CollectionReader``."""
        return self._ask(lambda questions: questions.status(where))

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
        return CollectionQuestions(self._calls, collection, alias=self._alias.name, current=self._current)

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
