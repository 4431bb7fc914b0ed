"""From ranked points to ranked products, the same for every store.

Edge has no grouping, and a server's has no offset; both can rank points. So points are fetched until enough different
products are among them, and until ties at the end are complete: a page then never depends on how the engine happened to
order equal scores.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from indexer.points import StoredPoint

_FIRST_FETCH_FACTOR = 2
_FIRST_FETCH_EXTRA = 16
_GROWTH = 4
_MAX_TIED_POINTS = 4096
"""Thousands of products can share one picture ("no photo yet"); beyond this many ties the engine's order is taken."""

GroupBy = Literal["product", "item_group"]
"""What is found once: a product, or all the variants that share an ``item_group_id``."""


@dataclass(frozen=True, slots=True)
class RankedPoint:
    """A point with its score, higher is better, and which product it shows.

    Attributes:
        id: of the point.
        product_id: the feed's own.
        position: of the picture.
        score: cosine to the query, or whatever ranked it.
        item_group_id: what variants of one product share, empty if the product has none.
    """

    id: UUID
    product_id: str
    position: int
    score: float
    item_group_id: str = ""


RANKED_FIELDS = ("product_id", "position", "item_group_id")
"""Payload fields that a ranked point is made of."""


def ranked_point(identity: UUID, score: float, payload: Mapping[str, Any]) -> RankedPoint:
    """A ranked point from the ``RANKED_FIELDS`` of a payload."""
    group = payload.get("item_group_id") or ""
    return RankedPoint(identity, payload["product_id"], payload["position"], score, group)


def unscored(point: StoredPoint) -> RankedPoint:
    """A point that was found by something else than a score; it has score 0."""
    payload = point.payload
    return RankedPoint(point.id, payload.product_id, payload.position, 0.0, payload.item_group_id)


@dataclass(frozen=True, slots=True)
class RankedGroup:
    """Points that are one hit.

    Attributes:
        points: best first; the first one decides the rank, and its product is the hit's.
    """

    points: tuple[RankedPoint, ...]

    @property
    def best(self) -> RankedPoint:
        """The best of all."""
        return self.points[0]

    def of_best_product(self) -> tuple[RankedPoint, ...]:
        """The points of the hit's product, best first."""
        return tuple(point for point in self.points if point.product_id == self.best.product_id)

    def variants(self) -> tuple[RankedPoint, ...]:
        """The best point of each other product, best first."""
        best: dict[str, RankedPoint] = {}
        for point in self.points:
            best.setdefault(point.product_id, point)
        return tuple(best.values())[1:]


def in_order(points: Sequence[RankedPoint]) -> list[RankedPoint]:
    """Points best first, equal scores by product id, then position."""
    return sorted(points, key=lambda point: (-point.score, point.product_id, point.position))


def grouped(points: Sequence[RankedPoint], group_by: GroupBy = "product") -> list[RankedGroup]:
    """Points as hits, best first; equal scores by product id.

    Args:
        points: in any order, each once.
        group_by: products without an ``item_group_id`` are groups of their own.
    """
    groups: dict[tuple[bool, str], list[RankedPoint]] = {}
    for point in in_order(points):
        is_group = group_by == "item_group" and bool(point.item_group_id)
        key = (is_group, point.item_group_id if is_group else point.product_id)
        groups.setdefault(key, []).append(point)
    return [RankedGroup(tuple(group)) for group in groups.values()]


def in_whole_ties(count: int) -> Generator[int, Sequence[RankedPoint], tuple[RankedPoint, ...]]:
    """The first so many points, whichever of equal ones the engine happens to give: yields how many it needs."""
    wanted = count + _FIRST_FETCH_EXTRA
    while True:
        points = yield wanted
        is_cut = len(points) >= wanted and points[-1].score == points[count - 1].score
        if not is_cut or wanted >= _MAX_TIED_POINTS:
            return tuple(in_order(points)[:count])
        wanted *= _GROWTH


def rank_products(
    fetch: Callable[[int], Sequence[RankedPoint]], limit: int, offset: int = 0, group_by: GroupBy = "product"
) -> tuple[RankedGroup, ...]:
    """The best hits, each once; equal scores by product id.

    Args:
        fetch: the nearest n points, best first; fewer only if there are no more.
        limit: hits wanted.
        offset: hits to skip.
        group_by: what is one hit.

    Returns:
        Exactly ``limit`` groups, or as many as there are beyond ``offset``.
    """
    ranks = ranking(limit, offset, group_by)
    count = next(ranks)
    while True:
        try:
            count = ranks.send(fetch(count))
        except StopIteration as end:
            ranked: tuple[RankedGroup, ...] = end.value
            return ranked


def ranking(
    limit: int, offset: int, group_by: GroupBy = "product"
) -> Generator[int, Sequence[RankedPoint], tuple[RankedGroup, ...]]:
    """As ``rank_products``, for whoever fetches in another way: yields how many points it needs, and is sent them."""
    wanted = offset + limit
    count = wanted * _FIRST_FETCH_FACTOR + _FIRST_FETCH_EXTRA
    while True:
        points = yield count
        groups = grouped(points, group_by)
        enough = len(groups) >= wanted
        tied = enough and groups[wanted - 1].best.score == points[-1].score
        if len(points) < count or (enough and (not tied or count >= _MAX_TIED_POINTS)):
            return tuple(groups[offset:wanted])
        count *= _GROWTH


def by_product(points: Sequence[StoredPoint]) -> dict[str, tuple[StoredPoint, ...]]:
    """Points grouped by product, each group in order of position."""
    groups: defaultdict[str, list[StoredPoint]] = defaultdict(list)
    for point in sorted(points, key=lambda point: (point.payload.position, point.id)):
        groups[point.payload.product_id].append(point)
    return {product_id: tuple(group) for product_id, group in groups.items()}
