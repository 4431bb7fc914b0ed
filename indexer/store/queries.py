"""What a collection is asked, and what it answers: free of any engine's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from indexer.points import StoredPoint, Vectors
from indexer.spaces import EmbeddingSpace
from indexer.store.filters import AnyOf, Filter, Not, both
from indexer.store.ranking import GroupBy, RankedGroup, RankedPoint


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to find.

    Attributes:
        vector: float32 (D,), length 1, of the alias's space.
        limit: hits wanted, at least 1.
        offset: hits to skip.
        exclude_product_id: a product that is left out.
        where: what pictures that are found must fulfil.
        group_by: what is one hit.
    """

    vector: Vectors
    limit: int
    offset: int = 0
    exclude_product_id: str | None = None
    where: Filter | None = None
    group_by: GroupBy = "product"

    def condition(self) -> Filter | None:
        """``where`` and ``exclude_product_id`` in one."""
        excluded = self.exclude_product_id
        return both(self.where, None if excluded is None else Not(AnyOf("product_id", (excluded,))))


@dataclass(frozen=True, slots=True)
class Hit:
    """A found product, or the best of a group of variants.

    Attributes:
        product_id: the feed's own.
        score: cosine of its best picture, -1..1, higher is nearer.
        point: that picture.
        matched: the product's pictures among those that were fetched to rank, best first; the first is ``point``.
        variants: of every other product of the group that was found its best picture, best first.
    """

    product_id: str
    score: float
    point: StoredPoint
    matched: tuple[RankedPoint, ...] = ()
    variants: tuple[RankedPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Products, best first, and the physical collection that answered."""

    hits: tuple[Hit, ...]
    collection: str

    @classmethod
    def of(cls, groups: Sequence[RankedGroup], points: Mapping[UUID, StoredPoint], collection: str) -> SearchAnswer:
        """Ranked groups with their best points; one that was removed meanwhile is left out."""
        hits = (
            Hit(
                group.best.product_id,
                group.best.score,
                points[group.best.id],
                group.of_best_product(),
                group.variants(),
            )
            for group in groups
            if group.best.id in points
        )
        return cls(tuple(hits), collection)


@dataclass(frozen=True, slots=True)
class NearestQuery:
    """Which pictures to find, whatever products they show.

    Attributes:
        vector: float32 (D,), length 1, of the alias's space.
        count: pictures wanted, at least 1.
        where: what they must fulfil.
    """

    vector: Vectors
    count: int
    where: Filter | None = None


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    """Which products have a text's words.

    Attributes:
        text: as typed, in any language.
        count: products wanted, at least 1.
        where: what they must fulfil.
    """

    text: str
    count: int
    where: Filter | None = None


@dataclass(frozen=True, slots=True)
class FacetQuery:
    """Which values a field has, and how many products have each.

    Attributes:
        field: of texts or booleans: see ``FILTER_FIELDS``; or ``attributes.NAME``.
        where: what the products counted must fulfil.
        limit: most values.
    """

    field: str
    where: Filter | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class FacetCount:
    """A value of a field, and how many products have it."""

    value: str | bool
    count: int


Order = Literal["price_asc", "price_desc", "newest", "catalog"]
"""Of products without a query: by price, by ``updated_at``, or the store's own fixed order, which means nothing.

Products without a price or moment come behind all others, and equal ones in the store's own order.
"""


@dataclass(frozen=True, slots=True)
class OrderedAfter:
    """A place in an order: that of a product.

    Attributes:
        value: its price in minor units, or moment; None if it has none, or in the order of the catalog.
        id: of its main point.
    """

    value: int | str | None
    id: UUID

    @classmethod
    def of(cls, by: Order, point: StoredPoint) -> OrderedAfter:
        """The place of a product that ``ordered`` gave."""
        if by == "catalog":
            return cls(None, point.id)
        return cls(point.payload.updated_at or None if by == "newest" else point.payload.price_minor, point.id)


@dataclass(frozen=True, slots=True)
class OrderedQuery:
    """Products without a query, in an order.

    Attributes:
        by: the order; every product stands in it once.
        count: products wanted, at least 1.
        where: what they must fulfil.
        after: place of the last product that is known already; None to begin.
    """

    by: Order
    count: int
    where: Filter | None = None
    after: OrderedAfter | None = None


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Lowest and highest price, in minor units."""

    min_minor: int
    max_minor: int

    @classmethod
    def between(cls, lowest: Sequence[StoredPoint], highest: Sequence[StoredPoint]) -> PriceRange | None:
        """From the products of the lowest and the highest price; None if there are none."""
        if not lowest or not highest:
            return None
        low, high = lowest[0].payload.price_minor, highest[0].payload.price_minor
        assert low is not None and high is not None  # noqa: S101 - they were ordered by it
        return cls(low, high)


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """Facts about a collection.

    Attributes:
        alias: that points to it, empty if none does.
        collection: physical name.
        space: of its embeddings.
        points: pictures in it.
        indexed_points: of these, in the HNSW graph; the rest is compared one by one, which is exact.
        detail: where it lies, for people.
    """

    alias: str
    collection: str
    space: EmbeddingSpace
    points: int
    indexed_points: int
    detail: str
