"""From ranked points to ranked products, against brute force."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from indexer.store.ranking import RankedPoint, rank_products


def brute_force(points: list[RankedPoint], limit: int, offset: int) -> list[str]:
    best: dict[str, float] = {}
    for point in points:
        best[point.product_id] = max(best.get(point.product_id, -2.0), point.score)
    return sorted(best, key=lambda product: (-best[product], product))[offset : offset + limit]


ranked_points = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=80).map(
    lambda pairs: [
        RankedPoint(UUID(int=number), f"p{product:02d}", number, score / 6)
        for number, (product, score) in enumerate(pairs)
    ]
)


@given(ranked_points, st.integers(1, 15), st.integers(0, 15))
def test_it_is_brute_force(points: list[RankedPoint], limit: int, offset: int) -> None:
    # as an engine does: best first, equal scores in any order
    engine = sorted(points, key=lambda point: (-point.score, point.id.int * 7919 % 101))
    found = rank_products(lambda count: engine[:count], limit, offset)
    assert [group.best.product_id for group in found] == brute_force(points, limit, offset)


def test_it_fetches_no_more_than_it_needs() -> None:
    fetched: list[int] = []
    points = [RankedPoint(UUID(int=number), f"p{number}", 0, 1 - number / 1000) for number in range(1000)]

    def fetch(count: int) -> list[RankedPoint]:
        fetched.append(count)
        return points[:count]

    assert len(rank_products(fetch, 20)) == 20
    assert fetched == [56]


def test_thousands_of_equal_pictures_do_not_fetch_the_whole_catalog() -> None:
    fetched: list[int] = []
    points = [RankedPoint(UUID(int=number), f"p{number:06d}", 0, 0.5) for number in range(100_000)]

    def fetch(count: int) -> list[RankedPoint]:
        fetched.append(count)
        return points[:count]

    assert [group.best.product_id for group in rank_products(fetch, 3)] == ["p000000", "p000001", "p000002"]
    assert max(fetched) < 20_000
