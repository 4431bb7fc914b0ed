"""From ranked points to ranked products, the same for every store.

Edge has no grouping, and a server's has no offset; both can rank points. So points are fetched until enough different
products are among them, and until ties at the end are complete: a page then never depends on how the engine happened to
order equal scores.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from uuid import UUID

from indexer.points import StoredPoint

_FIRST_FETCH_FACTOR = 2
_FIRST_FETCH_EXTRA = 16
_GROWTH = 4
_MAX_TIED_POINTS = 4096
"""Thousands of products can share one picture ("no photo yet"); beyond this many ties the engine's order is taken."""


@dataclass(frozen=True, slots=True)
class RankedPoint:
    """A point found by similarity: cosine score, and which product it shows."""

    id: UUID
    product_id: str
    position: int
    score: float


def rank_products(
    fetch: Callable[[int], Sequence[RankedPoint]], limit: int, offset: int = 0
) -> tuple[RankedPoint, ...]:
    """The best point of each product, best products first; equal scores by product id.

    Args:
        fetch: the nearest n points, best first; fewer only if there are no more.
        limit: products wanted.
        offset: products to skip.

    Returns:
        Exactly ``limit`` points, or as many as there are products beyond ``offset``.
    """
    ranks = ranking(limit, offset)
    count = next(ranks)
    while True:
        try:
            count = ranks.send(fetch(count))
        except StopIteration as end:
            ranked: tuple[RankedPoint, ...] = end.value
            return ranked


def ranking(limit: int, offset: int) -> Generator[int, Sequence[RankedPoint], tuple[RankedPoint, ...]]:
    """As ``rank_products``, for whoever fetches in another way: yields how many points it needs, and is sent them."""
    wanted = offset + limit
    count = wanted * _FIRST_FETCH_FACTOR + _FIRST_FETCH_EXTRA
    while True:
        points = yield count
        best = _best_of_each(points)
        enough = len(best) >= wanted
        tied = enough and best[wanted - 1].score == points[-1].score
        if len(points) < count or (enough and (not tied or count >= _MAX_TIED_POINTS)):
            return tuple(best[offset:wanted])
        count *= _GROWTH


def _best_of_each(points: Sequence[RankedPoint]) -> list[RankedPoint]:
    best: dict[str, RankedPoint] = {}
    for point in sorted(points, key=lambda point: (-point.score, point.product_id, point.position)):
        best.setdefault(point.product_id, point)
    return list(best.values())


def by_product(points: Sequence[StoredPoint]) -> dict[str, tuple[StoredPoint, ...]]:
    """Points grouped by product, each group in order of position."""
    groups: defaultdict[str, list[StoredPoint]] = defaultdict(list)
    for point in sorted(points, key=lambda point: (point.payload.position, point.id)):
        groups[point.payload.product_id].append(point)
    return {product_id: tuple(group) for product_id, group in groups.items()}
