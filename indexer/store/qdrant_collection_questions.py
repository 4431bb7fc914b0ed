"""Questions of one call or more to one collection of a server, whichever client asks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from indexer.errors import StoreDamaged, StoreRefused
from indexer.lexical.sparse import LEXICAL_VECTOR, query_vector
from indexer.points import StoredPoint, Vectors
from indexer.store.facets import check_facet, count_values, facet_counts, source_field
from indexer.store.filters import DERIVED_FIELDS, Filter, both, fields_of
from indexer.store.ordering import PRODUCTS, ByValue, ordering
from indexer.store.outdated import MARKED, outdated, wordless
from indexer.store.qdrant_calls import QdrantCalls
from indexer.store.qdrant_conversation import Conversation, asked
from indexer.store.qdrant_failures import lacks_vector
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
from indexer.store.ranking import RankedPoint, by_product, in_order, in_whole_ties, ranking


class CollectionQuestions:
    """To one collection by name.

    Args:
        calls: to the server.
        collection: physical name.
        exact: every vector is compared, none through the graph.
        alias: that points to it, for its status.
        current: names of collections that are known to have all fields; added to.
    """

    def __init__(
        self,
        calls: QdrantCalls,
        collection: str,
        *,
        exact: bool = False,
        alias: str = "",
        current: set[str] | None = None,
    ) -> None:
        self._calls = calls
        self._collection = collection
        self._exact = exact
        self._alias = alias
        self._current = set() if current is None else current

    def search(self, query: SearchQuery) -> Conversation[SearchAnswer]:
        """See ``CollectionReader``."""
        where = query.condition()
        ranks = ranking(query.limit, query.offset, query.group_by)
        count = next(ranks)
        while True:
            nearest = yield from self.nearest(NearestQuery(query.vector, count, where))
            try:
                count = ranks.send(nearest)
            except StopIteration as end:
                groups = end.value
                break
        points = yield from self.points([group.best.id for group in groups])
        return SearchAnswer.of(groups, points, self._collection)

    def nearest(self, query: NearestQuery) -> Conversation[tuple[RankedPoint, ...]]:
        """See ``CollectionReader``."""
        if not DERIVED_FIELDS.isdisjoint(fields_of(query.where)):
            yield from self._check_current()
        found = yield from asked(self._calls.nearest(self._collection, query, exact=self._exact))
        return tuple(in_order(found))

    def lexical(self, query: LexicalQuery) -> Conversation[tuple[RankedPoint, ...]]:
        """See ``CollectionReader``."""
        yield from self._check_current()
        terms = query_vector(query.text)
        if not terms:
            return ()
        where = both(PRODUCTS, query.where)
        ranks = in_whole_ties(query.count)
        count = next(ranks)
        while True:
            try:
                found = yield from asked(self._calls.lexical(self._collection, terms, count, where))
            except StoreRefused as error:
                if lacks_vector(error, LEXICAL_VECTOR):
                    raise wordless(self._collection) from error
                raise
            try:
                count = ranks.send(found)
            except StopIteration as end:
                ranked: tuple[RankedPoint, ...] = end.value
                return ranked

    def facet(self, query: FacetQuery) -> Conversation[tuple[FacetCount, ...]]:
        """See ``CollectionReader``."""
        check_facet(query)
        yield from self._check_current()
        where = both(PRODUCTS, query.where)
        try:
            counts = yield from asked(self._calls.facet(self._collection, query.field, where, query.limit + 1))
        except StoreRefused:  # the field has no index; what else it can be, the next call is refused for too
            values = yield from self._payload_values(source_field(query.field), where)
            counts = list(count_values(query.field, values).items())
        return facet_counts(counts, query.limit)

    def count_products(self, where: Filter | None = None) -> Conversation[int]:
        """See ``CollectionReader``."""
        yield from self._check_current()
        return (yield from asked(self._calls.count(self._collection, both(PRODUCTS, where))))

    def price_range(self, where: Filter | None = None) -> Conversation[PriceRange | None]:
        """See ``CollectionReader``."""
        yield from self._check_current()
        products = both(PRODUCTS, where)
        lowest = yield from asked(self._calls.page(self._collection, ByValue("price_minor", False, products, 1)))
        highest = yield from asked(self._calls.page(self._collection, ByValue("price_minor", True, products, 1)))
        return PriceRange.between(lowest, highest)

    def ordered(self, query: OrderedQuery) -> Conversation[tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        yield from self._check_current()
        steps = ordering(query)
        step = next(steps)
        while True:
            page = yield from asked(self._calls.page(self._collection, step))
            try:
                step = steps.send(page)
            except StopIteration as end:
                ordered: tuple[StoredPoint, ...] = end.value
                return ordered

    def points(self, ids: Sequence[UUID]) -> Conversation[Mapping[UUID, StoredPoint]]:
        """See ``CollectionReader``."""
        if not ids:
            return {}
        return (yield from asked(self._calls.points(self._collection, ids)))

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Conversation[Mapping[str, tuple[StoredPoint, ...]]]:
        """See ``CollectionReader``."""
        points: list[StoredPoint] = []
        start: object = None
        while product_ids:
            page = yield from asked(self._calls.of_products(self._collection, product_ids, start, where))
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

    def annotation(self, name: str) -> Conversation[Mapping[str, Any] | None]:
        """See ``CollectionReader``."""
        return (yield from asked(self._calls.annotation(self._collection, name)))

    def collection_name(self) -> Conversation[str]:
        """See ``CollectionReader``."""
        return self._collection
        yield  # nothing is asked, yet it is a conversation as the others are

    def status(self, where: Filter | None = None) -> Conversation[CollectionStatus]:
        """See ``CollectionReader``."""
        there = yield from asked(self._calls.describe(self._collection))
        if there.space is None:
            raise StoreDamaged(
                f"The collection {self._collection} does not record its embedding space.", "Index the feed again."
            )
        points = yield from asked(self._calls.count(self._collection, where))
        words = 0
        if there.indexed_points:  # the server's count has the vectors of words in it
            words = yield from asked(self._calls.count_words(self._collection))
        indexed = min(max(0, there.indexed_points - words), points)
        return CollectionStatus(self._alias, self._collection, there.space, points, indexed, f"server, {there.state}")

    def refresh(self) -> None:
        """See ``CollectionReader``; every question goes to the server."""

    def _payload_values(self, field: str, where: Filter | None) -> Conversation[list[Any]]:
        values: list[Any] = []
        start: object = None
        while True:
            page = yield from asked(self._calls.payload_values(self._collection, field, where, start))
            values += page.items
            start = page.next_start
            if start is None:
                return values

    def _check_current(self) -> Conversation[None]:
        if self._collection in self._current:
            return  # writers of this version keep it so
        points = yield from asked(self._calls.count(self._collection))
        marked = yield from asked(self._calls.count(self._collection, MARKED))
        if marked < points:
            raise outdated(self._collection, points - marked, points)
        self._current.add(self._collection)
