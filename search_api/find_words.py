"""What a text finds by its words and numbers, beside what it finds by the look of pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from indexer.errors import CollectionOutdated
from indexer.lexical.identifying import identifier_guesses
from indexer.lexical.text import match_of, query_text
from indexer.points import StoredPoint, Vectors
from indexer.search.fusion import LEXICAL_CANDIDATES, FusedHit, FusionWeights, LexicalHit, fused
from indexer.search.hits import RankedHit
from indexer.store.async_reader import AsyncCollectionReader
from indexer.store.filters import AnyOf, Filter, both
from indexer.store.queries import LexicalQuery, NearestQuery, OrderedQuery
from indexer.store.ranking import GroupBy, RankedGroup, RankedPoint, grouped, in_order, unscored

_MOST_IDENTIFIED = 100
_MOST_PICTURES = 4096
OUTDATED_NOTE = (
    "Words are not looked up in titles and numbers, as the catalog was indexed by an earlier version. Index it again."
)


@dataclass(frozen=True, slots=True)
class _Worded:
    """Products that a text's words or numbers find under a filter; the same for every window.

    Attributes:
        lexical: by their words, best first.
        identified: by an identifier, the longest first.
        pictures: all pictures of them, with their cosines.
    """

    lexical: tuple[LexicalHit, ...]
    identified: tuple[RankedPoint, ...]
    pictures: tuple[RankedPoint, ...]


class WordSearch:
    """Looks words up; keeps what it found for as long as one request takes.

    Args:
        reader: of the collection.
        text: as typed.
        vector: of the text, float32 (D,): products that words find have cosines too.
        weights: of the rankings.
    """

    def __init__(self, reader: AsyncCollectionReader, text: str, vector: Vectors, weights: FusionWeights) -> None:
        self._reader = reader
        self._text = text
        self._vector = vector
        self._weights = weights
        self._found: dict[Filter | None, _Worded] = {}
        self.note = ""

    async def ranked(
        self, points: Sequence[RankedPoint], where: Filter | None, group_by: GroupBy
    ) -> tuple[RankedHit, ...]:
        """Hits by pictures and words together, best first.

        Args:
            points: the nearest pictures.
            where: what they fulfil.
            group_by: what is one hit.
        """
        found = await self._looked_up(where)
        known = {point.id for point in points}
        pictures = [*points, *(point for point in found.pictures if point.id not in known)]
        dense = [group.best for group in grouped(points)]
        order = fused(dense, found.lexical, found.identified, self._weights)
        return _hits(order, pictures, group_by)

    async def _looked_up(self, where: Filter | None) -> _Worded:
        if where not in self._found:
            try:
                self._found[where] = await self._look_up(where)
            except CollectionOutdated:
                self.note = OUTDATED_NOTE
                self._found[where] = _Worded((), (), ())
        return self._found[where]

    async def _look_up(self, where: Filter | None) -> _Worded:
        lexical, identified = await asyncio.gather(
            self._reader.lexical(LexicalQuery(self._text, LEXICAL_CANDIDATES, where)), self._identified(where)
        )
        payloads = await self._reader.points([point.id for point in lexical]) if lexical else {}
        words = query_text(self._text)
        hits = tuple(
            LexicalHit(point, match_of(words, payloads[point.id].payload)) for point in lexical if point.id in payloads
        )
        ids = tuple(sorted({point.product_id for point in (*lexical, *identified)}))
        pictures: Sequence[RankedPoint] = ()
        if ids:
            theirs = both(where, AnyOf("product_id", ids))
            pictures = await self._reader.nearest(NearestQuery(self._vector, _MOST_PICTURES, theirs))
        return _Worded(hits, identified, tuple(pictures))

    async def _identified(self, where: Filter | None) -> tuple[RankedPoint, ...]:
        guesses = identifier_guesses(self._text)
        if not guesses:
            return ()
        named = both(where, AnyOf("identifiers", guesses))
        points = await self._reader.ordered(OrderedQuery("catalog", _MOST_IDENTIFIED, named))
        place = {guess: at for at, guess in enumerate(guesses)}

        def first(point: StoredPoint) -> tuple[int, str]:
            own = [place[name] for name in point.payload.identifiers if name in place]
            return min(own, default=len(guesses)), point.payload.product_id

        return tuple(unscored(point) for point in sorted(points, key=first))


def _hits(order: Sequence[FusedHit], pictures: Sequence[RankedPoint], group_by: GroupBy) -> tuple[RankedHit, ...]:
    """Hits in the order of their first product, each with the cosines of its pictures."""
    by_product: dict[str, list[RankedPoint]] = {}
    for point in in_order(pictures):
        by_product.setdefault(point.product_id, []).append(point)
    groups: dict[tuple[bool, str], list[FusedHit]] = {}
    for item in order:
        group_id = item.point.item_group_id if group_by == "item_group" else ""
        groups.setdefault((bool(group_id), group_id or item.point.product_id), []).append(item)
    hits = []
    for items in groups.values():
        points = [point for item in items for point in by_product.get(item.point.product_id, ())]
        if points:  # a product whose pictures were removed meanwhile has none
            first = items[0]
            is_word = first.lexical_rank is not None
            hits.append(RankedHit(RankedGroup(tuple(points)), (), first.words, first.is_identified, is_word))
    return tuple(hits)


def texts_of(shares: Sequence[tuple[str, str]]) -> str:
    """The words of a query that asks with texts alone; empty for any other.

    Args:
        shares: kind and label of each part.
    """
    kinds: Mapping[str, bool] = {"text": True, "negative_text": True, "catalog": True}
    if not all(kind in kinds for kind, _ in shares):
        return ""
    return " ".join(label for kind, label in shares if kind == "text")
