"""Rankings that a query walks through: by nearness to a vector, or in an order of the catalog."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import numpy as np

from indexer.errors import CursorInvalid, FilterInvalid
from indexer.points import StoredPoint, Vectors
from indexer.search.collapse import collapsed
from indexer.search.cursor import MAX_SHOWN, Cursor, shown_key
from indexer.search.diversity import diverse_order
from indexer.search.hits import (
    SELECTION_POINTS,
    WINDOWS,
    HitPage,
    RankedHit,
    Window,
    group_name,
    next_page,
    relevance_floor,
)
from indexer.store.async_reader import AsyncCollectionReader
from indexer.store.filters import Filter, Range
from indexer.store.ordering import FIELDS_OF_ORDERS
from indexer.store.queries import NearestQuery, Order, OrderedAfter, OrderedQuery
from indexer.store.ranking import GroupBy, RankedGroup, RankedPoint, grouped, unscored
from search_api.find_words import WordSearch

Sort = Literal["relevance", "price_asc", "price_desc", "newest"]


@dataclass(frozen=True, slots=True)
class Wish:
    """How hits are to be ranked.

    Attributes:
        where: what is found at all.
        sort: the order.
        group_by: what is one hit.
        diversity: 0..1.
        collapse: least cosine from which on two pictures are one hit; None: each is one.
        floor: least score that counts as relevant, where that is known.
        least: least score of any hit; None for all.
    """

    where: Filter | None
    sort: Sort
    group_by: GroupBy
    diversity: float
    collapse: float | None
    floor: float | None = None
    least: float | None = None


class VectorRanking:
    """Products by the cosine of their pictures to a vector, and by words.

    Args:
        reader: of the collection.
        vector: of the query, float32 (D,).
        wish: how hits are ranked.
        words: finds by words; None: pictures alone decide.
    """

    def __init__(
        self, reader: AsyncCollectionReader, vector: Vectors, wish: Wish, words: WordSearch | None = None
    ) -> None:
        self._reader = reader
        self._vector = vector
        self._wish = wish
        self._words = words

    async def page(self, cursor: Cursor, limit: int) -> HitPage:
        """The next hits of a walk."""
        ranking = self._window if self._wish.sort == "relevance" else self._sorted_selection
        return await next_page(cursor, limit, self._wish.group_by, ranking)

    async def selection(self, where: Filter | None, at_least: int = 0) -> tuple[RankedHit, ...]:
        """The products that are relevant, best first: of the nearest ``SELECTION_POINTS`` pictures those not below the
        floor, and what words find.

        Args:
            where: taken instead of the wish's own.
            at_least: so many of the first belong to it in any case.
        """
        points = await self._reader.nearest(NearestQuery(self._vector, SELECTION_POINTS, where))
        hits = await self._ranked(points, where)
        if not hits:
            return ()
        scores = sorted((hit.group.best.score for hit in hits), reverse=True)
        least = relevance_floor(scores, self._wish.floor)
        return tuple(
            hit
            for place, hit in enumerate(hits)
            if place < at_least or hit.is_worded or hit.is_identified or hit.group.best.score >= least
        )

    async def _window(self, number: int) -> Window:
        count = WINDOWS[number]
        points = await self._reader.nearest(NearestQuery(self._vector, count, self._wish.where))
        hits = await self._ranked(points, self._wish.where)
        least = self._wish.least
        complete = len(points) < count or (least is not None and points[-1].score < least)
        return Window(tuple(await self._arranged(hits)), complete)

    async def _sorted_selection(self, number: int) -> Window:  # noqa: ARG002 - there is one window
        hits = await self.selection(self._wish.where)
        payloads = await self._reader.points([hit.group.best.id for hit in hits]) if hits else {}
        known = [hit for hit in hits if hit.group.best.id in payloads]
        ordered = sorted(known, key=lambda hit: _place(payloads[hit.group.best.id], self._wish.sort))
        return Window(tuple(await self._arranged(ordered)), complete=True)

    async def _ranked(self, points: Sequence[RankedPoint], where: Filter | None) -> Sequence[RankedHit]:
        if self._words is None:
            hits: Sequence[RankedHit] = [RankedHit(group) for group in grouped(points, self._wish.group_by)]
        else:
            hits = await self._words.ranked(points, where, self._wish.group_by)
        least = self._wish.least
        return [hit for hit in hits if least is None or hit.is_identified or hit.group.best.score >= least]

    async def _arranged(self, hits: Sequence[RankedHit]) -> Sequence[RankedHit]:
        """The hits with duplicates taken together, and put in a diverse order."""
        wish = self._wish
        if not hits or (wish.collapse is None and not wish.diversity):
            return hits
        vectors = await self._vectors(hits)
        known = [hit for hit in hits if hit.group.best.id in vectors]
        if known and wish.collapse is not None:
            known = collapsed(known, np.stack([vectors[hit.group.best.id] for hit in known]), wish.collapse)
        if not known or not wish.diversity or wish.sort != "relevance":
            return known
        rows = np.stack([vectors[hit.group.best.id] for hit in known])
        order = diverse_order([hit.group.best.score for hit in known], rows, wish.diversity)
        return [known[index] for index in order]

    async def _vectors(self, hits: Sequence[RankedHit]) -> dict[UUID, Vectors]:
        return dict(await self._reader.vectors([hit.group.best.id for hit in hits]))


def _place(point: StoredPoint, sort: Sort) -> tuple[bool, float, str, str]:
    """Sorts products without a price or date last, and equal ones by product id."""
    payload = point.payload
    if sort == "newest":
        # the texts are of one form and can be compared; the newest first needs them turned round
        turned = "".join(chr(0x7F - ord(char)) for char in payload.updated_at)
        return not payload.updated_at, 0.0, turned, payload.product_id
    price = payload.price_minor
    value = 0.0 if price is None else float(-price if sort == "price_desc" else price)
    return price is None, value, "", payload.product_id


_ORDERS: dict[Sort, Order] = {
    "relevance": "catalog",
    "price_asc": "price_asc",
    "price_desc": "price_desc",
    "newest": "newest",
}


class CatalogRanking:
    """Products without a query, in an order of the catalog. Duplicates are main pictures with the same bytes."""

    def __init__(self, reader: AsyncCollectionReader, wish: Wish) -> None:
        self._reader = reader
        self._wish = wish
        self._by = _ORDERS[wish.sort]

    async def page(self, cursor: Cursor, limit: int) -> HitPage:
        """The next hits of a walk."""
        shown = set(cursor.shown)
        after = _read_place(cursor.place, self._by)
        taken: list[StoredPoint] = []
        count = limit + 1
        while len(taken) <= limit:
            points = await self._reader.ordered(OrderedQuery(self._by, count, self._wish.where, after))
            for point in points:
                names = {shown_key(name) for name in self._names(point)}
                if not names & shown and len(taken) <= limit:
                    shown |= names
                    taken.append(point)
            if len(points) < count:
                break
            after = OrderedAfter.of(self._by, points[-1])
        return await self._made(cursor, taken, limit)

    async def _made(self, cursor: Cursor, taken: Sequence[StoredPoint], limit: int) -> HitPage:
        page = taken[:limit]
        hits = tuple(RankedHit(RankedGroup((unscored(point),))) for point in page)
        total = None
        if self._wish.group_by == "product" and self._wish.collapse is None:
            total = await self._reader.count_products(self._wish.where)
        if len(taken) <= limit:
            return HitPage(hits, None, total)
        if len(cursor.shown) + limit >= MAX_SHOWN:
            return HitPage(hits, None, total, capped=True)
        names = frozenset(name for point in page for name in self._names(point))
        place = _write_place(OrderedAfter.of(self._by, page[-1]))
        return HitPage(hits, cursor.after(0, names, place), total)

    def _names(self, point: StoredPoint) -> frozenset[str]:
        payload = point.payload
        name = group_name(payload.product_id, payload.item_group_id, self._wish.group_by)
        return frozenset((name, f"s{payload.image_sha256}")) if self._wish.collapse is not None else frozenset((name,))


def _write_place(after: OrderedAfter) -> str:
    return json.dumps([after.value, str(after.id)])


def _read_place(place: str, by: Order) -> OrderedAfter | None:
    """Where an order goes on, as ``_write_place`` has it.

    Raises:
        CursorInvalid: it is no place of that order.
    """
    if not place:
        return None
    try:
        value, identity = json.loads(place)
        after = OrderedAfter(value, UUID(identity))
        if value is not None:
            field, _ = FIELDS_OF_ORDERS[by]
            Range(field, gte=value)  # what it may be compared with
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError, FilterInvalid) as error:
        raise CursorInvalid("The cursor names a place that there is not.", "Begin without one.") from error
    return after
