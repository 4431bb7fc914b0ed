"""Walking through rankings in pages: each hit once, whatever the rankings do."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.search import hits as hits_module
from indexer.search.cursor import MAX_SHOWN, Cursor, read_cursor, write_cursor
from indexer.search.hits import HitPage, RankedHit, Window, next_page, relevance_floor
from indexer.store.ranking import GroupBy, RankedPoint, grouped

_QUERY = b"query"


def points_of(count: int, pictures: int, groups: int) -> list[RankedPoint]:
    return [
        RankedPoint(UUID(int=number * 10 + position), f"p{number}", position, 1 - number / 100, f"g{number % groups}")
        for number in range(count)
        for position in range(pictures)
    ]


def walk(
    points: list[RankedPoint], limits: list[int], group_by: GroupBy, noise: random.Random
) -> tuple[list[RankedHit], HitPage]:
    """All pages of a walk, each over an index that gives any candidates in any order, and all of them in the end."""

    async def window(number: int) -> Window:
        count = hits_module.WINDOWS[number]
        found = noise.sample(points, min(count, len(points)))
        return Window(tuple(RankedHit(group) for group in grouped(found, group_by)), count > len(points))

    shown: list[RankedHit] = []
    cursor = Cursor()
    for turn in range(1000):
        page = asyncio.run(next_page(cursor, limits[turn % len(limits)], group_by, window))
        shown += page.hits
        if page.cursor is None:
            return shown, page
        assert len(page.hits) == limits[turn % len(limits)]
        cursor = read_cursor(write_cursor(page.cursor, _QUERY), _QUERY)
    raise AssertionError("the walk does not end")


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 120),
    pictures=st.integers(1, 3),
    groups=st.integers(1, 20),
    limits=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    by_group=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_each_hit_comes_exactly_once_however_the_index_answers(
    count: int, pictures: int, groups: int, limits: list[int], by_group: bool, seed: int
) -> None:
    windows, hits_module.WINDOWS = hits_module.WINDOWS, (4, 16, 64, 512)
    group_by: GroupBy = "item_group" if by_group else "product"
    try:
        shown, last = walk(points_of(count, pictures, groups), limits, group_by, random.Random(seed))
    finally:
        hits_module.WINDOWS = windows
    best = [hit.group.best for hit in shown]
    names = [point.item_group_id if by_group else point.product_id for point in best]
    assert len(names) == len(set(names))
    assert set(names) == {f"g{number % groups}" if by_group else f"p{number}" for number in range(count)}
    assert not last.capped


def test_a_walk_ends_where_it_may_not_show_more_and_says_so() -> None:
    async def window(number: int) -> Window:
        return Window(tuple(RankedHit(group) for group in grouped(points_of(40, 1, 1))), complete=False)

    nearly = Cursor(0, frozenset(number.to_bytes(6) for number in range(MAX_SHOWN - 5)))
    page = asyncio.run(next_page(nearly, 10, "product", window))
    assert (len(page.hits), page.cursor, page.capped) == (10, None, True)
    whole = asyncio.run(next_page(Cursor(), 100, "product", window))
    assert (len(whole.hits), whole.cursor, whole.capped) == (40, None, True)


def test_the_floor_is_what_is_known_or_between_the_best_and_the_usual() -> None:
    assert relevance_floor([0.9, 0.5, 0.4, 0.3, 0.3], 0.7) == 0.7
    assert relevance_floor([0.6, 0.5], 0.7) == 0.6
    assert abs(relevance_floor([0.9, 0.5, 0.4, 0.3, 0.3], None) - 0.65) < 1e-9
    assert relevance_floor([0.9], None) == 0.9
