"""From ranked pictures to hits: what is one hit, how it is remembered, what is near enough, what comes on a page."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from indexer.search.cursor import MAX_SHOWN, Cursor, shown_key
from indexer.store.ranking import GroupBy, RankedGroup

WINDOWS = (256, 1024, 4096, 16_384)
"""Pictures fetched to rank. The sizes are fixed: were they made from a page's size, each page would see another
ranking. A page needs a larger one only when everything of the smaller one was shown."""

SELECTION_POINTS = 1024
"""Pictures among which products are sorted by price or date, and counted for facets."""

_FLOOR_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class RankedHit:
    """A hit before anything is known of it but its pictures' scores.

    Attributes:
        group: its product's pictures, and its variants' where item groups are hits.
        duplicates: groups that show the same picture, and are not hits of their own therefore.
        words: of a text query that the product has.
        is_identified: whether the query names the product by an identifier.
        is_worded: whether its words say enough to rank it.
    """

    group: RankedGroup
    duplicates: tuple[RankedGroup, ...] = ()
    words: tuple[str, ...] = ()
    is_identified: bool = False
    is_worded: bool = False

    def names(self, group_by: GroupBy) -> frozenset[str]:
        """What is remembered of it once it was shown."""
        return frozenset(name_of(group, group_by) for group in (self.group, *self.duplicates))


def name_of(group: RankedGroup, group_by: GroupBy) -> str:
    """What a group is remembered by."""
    return group_name(group.best.product_id, group.best.item_group_id, group_by)


def group_name(product_id: str, item_group_id: str, group_by: GroupBy) -> str:
    """What a product, or its item group, is remembered by."""
    return f"g{item_group_id}" if group_by == "item_group" and item_group_id else f"p{product_id}"


@dataclass(frozen=True, slots=True)
class Window:
    """A ranking of the nearest so many pictures.

    Attributes:
        hits: in the order they are shown in.
        complete: whether there is nothing beyond it.
    """

    hits: tuple[RankedHit, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class HitPage:
    """One page.

    Attributes:
        hits: on it.
        cursor: behind it; None if it is the last.
        total: hits of the whole walk, where that is known.
        capped: whether there is more than a walk may show.
    """

    hits: tuple[RankedHit, ...]
    cursor: Cursor | None
    total: int | None
    capped: bool = False


async def next_page(
    cursor: Cursor, limit: int, group_by: GroupBy, window: Callable[[int], Awaitable[Window]]
) -> HitPage:
    """The first hits of a ranking that were not shown yet.

    A hit any of whose groups was shown is left out. As a walk goes on to the next window until the last one is
    complete, and ends only when everything of it was shown, each group comes on exactly one page, in whatever order
    the windows rank.

    Args:
        cursor: where the walk stands.
        limit: hits wanted.
        group_by: what is a hit.
        window: the ranking of ``WINDOWS[number]`` pictures.
    """
    room = MAX_SHOWN - len(cursor.shown)
    number = cursor.window
    taken: list[RankedHit] = []
    shown = set(cursor.shown)
    reached = number
    while True:
        ranking = await window(number)
        for hit in ranking.hits:
            names = {shown_key(name) for name in hit.names(group_by)}
            if names & shown:
                continue
            shown |= names
            taken.append(hit)
            if len(taken) <= limit:
                reached = number
            else:
                break
        last = ranking.complete or number + 1 == len(WINDOWS)
        if len(taken) > limit or last:
            break
        number += 1
    more = len(taken) > limit
    total = len(ranking.hits) if ranking.complete else None
    if more and room <= limit:
        return HitPage(tuple(taken[:limit]), None, total, capped=True)
    if not more:
        return HitPage(tuple(taken), None, total, capped=not ranking.complete)
    page = tuple(taken[:limit])
    names_shown = frozenset(name for hit in page for name in hit.names(group_by))
    return HitPage(page, cursor.after(reached, names_shown), total)


def relevance_floor(scores: Sequence[float], known: float | None) -> float:
    """The score from which on hits count as relevant, where they are not shown in the order of their scores.

    Args:
        scores: of candidates, best first; at least one.
        known: what the collection's calibration says; None without one. Then it is half-way between the best score
            and the candidates' median: what is no nearer than most was not meant.
    """
    if known is not None:
        return min(known, scores[0])
    return scores[0] - _FLOOR_SHARE * (scores[0] - statistics.median(scores))
