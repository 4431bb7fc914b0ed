"""Questions to one shard that nobody writes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from uuid import UUID

from indexer.lexical.sparse import query_vector
from indexer.points import StoredPoint, Vectors
from indexer.spaces import EmbeddingSpace
from indexer.store.edge_shard import EdgeShard
from indexer.store.facets import check_facet, count_values, facet_counts, source_field
from indexer.store.filters import DERIVED_FIELDS, Filter, both, fields_of
from indexer.store.ordering import PRODUCTS, ByValue, run_ordering
from indexer.store.outdated import MARKED, outdated, wordless
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
from indexer.store.ranking import RankedPoint, by_product, in_order, in_whole_ties, rank_products

_REMEMBERED_FACETS = 512


class ShardQuestions:
    """What a reader asks; see ``CollectionReader``.

    Args:
        shard: open; closed by whoever opened it.
        status: of its collection, but for the counts.
        exact: every vector is compared, none through the graph.
    """

    def __init__(self, shard: EdgeShard, status: CollectionStatus, *, exact: bool = False) -> None:
        self._shard = shard
        self._status = status
        self._exact = exact
        self._is_current = False
        # nobody writes to the shard, so that what was counted once holds as long as it is open
        self._facets = lru_cache(maxsize=_REMEMBERED_FACETS)(self._counted)

    @property
    def space(self) -> EmbeddingSpace:
        """Of the vectors."""
        return self._status.space

    def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        where = query.condition()
        self._check(where)
        groups = rank_products(
            lambda count: self._shard.nearest(query.vector, count, where, exact=self._exact),
            query.limit,
            query.offset,
            query.group_by,
        )
        points = self._shard.points([group.best.id for group in groups])
        return SearchAnswer.of(groups, points, self._status.collection)

    def nearest(self, query: NearestQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        self._check(query.where)
        return tuple(in_order(self._shard.nearest(query.vector, query.count, query.where, exact=self._exact)))

    def lexical(self, query: LexicalQuery) -> tuple[RankedPoint, ...]:
        """See ``CollectionReader``."""
        self._check_current()
        terms = query_vector(query.text)
        if not terms:
            return ()
        where = both(PRODUCTS, query.where)
        ranks = in_whole_ties(query.count)
        count = next(ranks)
        while True:
            found = self._shard.lexical(terms, count, where)
            if found is None:
                raise wordless(self._status.collection)
            try:
                count = ranks.send(found)
            except StopIteration as end:
                ranked: tuple[RankedPoint, ...] = end.value
                return ranked

    def facet(self, query: FacetQuery) -> tuple[FacetCount, ...]:
        """See ``CollectionReader``."""
        check_facet(query)
        self._check_current()
        return self._facets(query)

    def _counted(self, query: FacetQuery) -> tuple[FacetCount, ...]:
        where = both(PRODUCTS, query.where)
        if query.field in self._shard.indexed_fields():
            return facet_counts(self._shard.facet(query.field, where, query.limit + 1), query.limit)
        values = self._shard.payload_values(source_field(query.field), where)
        return facet_counts(count_values(query.field, values).items(), query.limit)

    def count_products(self, where: Filter | None = None) -> int:
        """See ``CollectionReader``."""
        self._check_current()
        return self._shard.count(both(PRODUCTS, where))

    def price_range(self, where: Filter | None = None) -> PriceRange | None:
        """See ``CollectionReader``."""
        self._check_current()
        products = both(PRODUCTS, where)
        ends = [self._shard.page(ByValue("price_minor", descending, products, 1)) for descending in (False, True)]
        return PriceRange.between(*ends)

    def ordered(self, query: OrderedQuery) -> tuple[StoredPoint, ...]:
        """See ``CollectionReader``."""
        self._check_current()
        return run_ordering(query, self._shard.page)

    def points(self, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """See ``CollectionReader``."""
        return self._shard.points(ids) if ids else {}

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        return by_product(self._shard.of_products(product_ids, where))

    def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``."""
        return self._shard.vectors(ids) if ids else {}

    def collection_name(self) -> str:
        """See ``CollectionReader``."""
        return self._status.collection

    def status(self, where: Filter | None = None) -> CollectionStatus:
        """See ``CollectionReader``."""
        shard, known = self._shard, self._status
        points, indexed = shard.count(where), shard.indexed_count()
        return CollectionStatus(known.alias, known.collection, known.space, points, min(indexed, points), known.detail)

    def close(self) -> None:
        """Releases the files."""
        self._shard.close()

    def _check(self, where: Filter | None) -> None:
        if not DERIVED_FIELDS.isdisjoint(fields_of(where)):
            self._check_current()

    def _check_current(self) -> None:
        if self._is_current:
            return  # nobody writes to it
        points = self._shard.count()
        if marked := points - self._shard.count(MARKED):
            raise outdated(self._status.collection, marked, points)
        self._is_current = True
