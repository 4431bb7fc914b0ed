"""Product search: one query of many parts, answered with products, facets and pages."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from indexer.calibration.model import Calibration, Match, QueryKind
from indexer.errors import CursorInvalid, FilterInvalid, QueryNotPossible
from indexer.points import StoredPoint, Vectors
from indexer.search.collapse import hit_threshold
from indexer.search.compose import ComposedQuery, QueryPart, compose, needs_geometry
from indexer.search.cursor import MAX_SHOWN, Cursor, read_cursor
from indexer.search.fusion import FusionWeights
from indexer.search.hits import WINDOWS, HitPage
from indexer.store.async_reader import AsyncCollectionReader
from indexer.store.filters import AnyOf, Filter, Not, both
from indexer.store.queries import OrderedQuery
from search_api.catalog_knowledge import CatalogKnowledge
from search_api.find_facets import FacetCounter, Facets, FacetScope, products_scope
from search_api.find_filters import attributes_named, filtered_attributes, store_filter
from search_api.find_rankings import CatalogRanking, VectorRanking, Wish
from search_api.find_schemas import FindQuery
from search_api.find_words import WordSearch, texts_of
from search_api.photo_regions import ChosenPart
from search_api.query_parts import QueryPartReader
from search_api.service import SearchService

_NOT_RANKING = {"limit", "cursor", "facets", "facet_scope", "explain", "photos"}
"""What may differ from page to page of one walk; photos count by their bytes."""
_MAX_RELATED = 500
_ITEM_GROUPS = "item_group_id"
"""It has an index, but about as many values as there are products, and counting them under a filter took a minute."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the scores of a query mean.

    Attributes:
        calibration: of the collection.
        kind: of the query, which is a single photo or a single text: others were not calibrated.
    """

    calibration: Calibration
    kind: QueryKind

    def least_score(self, level: Match) -> float | None:
        """See ``Calibration``."""
        return self.calibration.least_score(level, self.kind)


@dataclass(frozen=True, slots=True)
class Found:
    """All that an answer is made of.

    Attributes:
        page: its hits.
        query: their vector and its shares; None where the catalog is browsed.
        points: payloads of the hits' pictures, and of their duplicates.
        vectors: of the hits' best pictures, where they are to be explained.
        related: other products of each item group, or with each picture (by its SHA-256).
        facets: None where none were asked for.
        regions: what of each photo was searched with.
        meaning: of the hits' scores; None where it is not known.
        is_first: whether the page is the walk's first.
        cursor_key: what the next cursor is bound to.
        notes: sentences.
        collection: physical name.
        space_id: of the model.
        embed_ms, search_ms, facets_ms, total_ms: what took how long.
    """

    page: HitPage
    query: ComposedQuery | None
    points: Mapping[UUID, StoredPoint]
    vectors: Mapping[UUID, Vectors]
    related: Mapping[str, Sequence[StoredPoint]]
    facets: Facets | None
    regions: tuple[ChosenPart, ...]
    meaning: Meaning | None
    is_first: bool
    cursor_key: bytes
    notes: tuple[str, ...]
    collection: str
    space_id: str
    embed_ms: float
    search_ms: float
    facets_ms: float
    total_ms: float


class ProductSearch:
    """The use case behind ``POST /v1/search``; nothing in it knows of HTTP.

    Args:
        service: gives the reader and the space.
        parts: embeds what a query holds.
        knowledge: of the catalog.
        catalog: its name, which cursors are bound to.
        fusion: weights of pictures and words.
    """

    def __init__(
        self,
        service: SearchService,
        parts: QueryPartReader,
        knowledge: CatalogKnowledge,
        *,
        catalog: str,
        fusion: FusionWeights,
    ) -> None:
        self._fusion = fusion
        self._service = service
        self._parts = parts
        self._knowledge = knowledge
        self._catalog = catalog

    async def find(self, query: FindQuery, photos: Sequence[bytes]) -> Found:
        """Products for a query.

        Args:
            query: as it came.
            photos: the bytes of its photos, one for each.

        Raises:
            QueryError, ImageError, EmbedderError, StoreError, Overloaded
        """
        start_s = time.perf_counter()
        reader = self._service.reader()
        space_id = self._service.space_id
        attributes = frozenset[str]()
        if attributes_named(query.filter, query.facets):
            attributes = await self._knowledge.attribute_names()
        where = store_filter(query.filter, attributes, counted=bool(query.facets))
        facet_names, left_out = await self._facets_of(query)
        cursor_key = self._cursor_key(query, photos, space_id)
        cursor = _cursor_of(query, cursor_key)
        read, collection = await asyncio.gather(self._parts.read(query, photos), reader.collection_name())
        composed = await self._composed(read.parts)
        embedded_s = time.perf_counter()
        meaning, untold = await self._meaning(composed)
        wish = Wish(
            _without_examples(where, query),
            query.sort,
            query.group_by,
            query.diversity,
            hit_threshold(await self._knowledge.copy_threshold()) if query.collapse_duplicates else None,
            floor=meaning.least_score("related") if meaning else None,
            least=_least_score(query, meaning, untold),
        )
        words = _word_search(reader, query, composed, self._fusion)
        ranking: CatalogRanking | VectorRanking = CatalogRanking(reader, wish)
        if composed is not None:
            ranking = VectorRanking(reader, composed.vector, wish, words)
        page = await ranking.page(cursor, query.limit)
        points, vectors, related = await self._details(reader, query, wish, page)
        searched_s = time.perf_counter()
        facets = None
        if facet_names:
            counter = FacetCounter(reader, attributes, _Narrowing(reader, ranking, query).narrowed)
            facets = await counter.count(facet_names, wish.where)
        end_s = time.perf_counter()
        said = (*_notes_of(page), untold, words.note if words else "", *(facets.notes if facets else ()), *left_out)
        notes = tuple(note for note in said if note)
        return Found(
            page,
            composed,
            points,
            vectors,
            related,
            facets,
            read.regions,
            meaning,
            query.cursor is None,
            cursor_key,
            notes,
            collection,
            space_id,
            embed_ms=(embedded_s - start_s) * 1000,
            search_ms=(searched_s - embedded_s) * 1000,
            facets_ms=(end_s - searched_s) * 1000,
            total_ms=(end_s - start_s) * 1000,
        )

    async def _facets_of(self, query: FindQuery) -> tuple[Sequence[str], Sequence[str]]:
        """The facets that can be counted, and what is said of those that cannot.

        Raises:
            FilterInvalid: the filter is about an attribute that every product would have to be read for.
        """
        if slow := await self._knowledge.unscannable(filtered_attributes(query.filter)):
            raise FilterInvalid(
                f"{', '.join(sorted(slow))} cannot be filtered by: the catalog is large, and this is not indexed.",
                "The shop names it in facet_attributes and indexes again.",
            )
        many = attributes_named(None, query.facets) | {_ITEM_GROUPS}.intersection(query.facets)
        uncounted = await self._knowledge.unscannable(name.lower() for name in many)
        kept = [name for name in query.facets if name.lower() not in uncounted]
        notes = [f"{name} is not counted: the catalog is too large for that." for name in sorted(uncounted)]
        return kept, notes

    async def _composed(self, parts: Sequence[QueryPart]) -> ComposedQuery | None:
        if not parts:
            return None
        return compose(parts, await self._knowledge.geometry() if needs_geometry(parts) else None)

    async def _meaning(self, query: ComposedQuery | None) -> tuple[Meaning | None, str]:
        """What the query's scores mean, or why that is not known."""
        if query is None:
            return None, ""
        if len(query.shares) != 1:
            return None, "Hits of several parts together have no match level: scores are calibrated for single ones."
        calibration = await self._knowledge.calibration()
        kind: QueryKind = "text" if query.shares[0].kind == "text" else "photo"
        if calibration is None or (calibration.text if kind == "text" else calibration.photo) is None:
            return None, (
                f"What scores of a {kind} mean is not known for this collection, so hits have no match level. "
                "Run: python -m indexer calibrate."
            )
        return Meaning(calibration, kind), ""

    async def _details(
        self, reader: AsyncCollectionReader, query: FindQuery, wish: Wish, page: HitPage
    ) -> tuple[Mapping[UUID, StoredPoint], Mapping[UUID, Vectors], Mapping[str, Sequence[StoredPoint]]]:
        """Payloads of all pictures of the hits; vectors where they explain; other products that belong to them."""
        best = [hit.group.best.id for hit in page.hits]
        pictures = {point.id for hit in page.hits for point in hit.group.of_best_product()}
        pictures |= {group.best.id for hit in page.hits for group in hit.duplicates}
        points = await reader.points(sorted(pictures)) if pictures else {}
        vectors = await reader.vectors(best) if query.explain and best else {}
        related: dict[str, Sequence[StoredPoint]] = {}
        groups = {hit.group.best.item_group_id for hit in page.hits} - {""}
        if query.group_by == "item_group" and groups:
            found = await _related(reader, wish.where, "item_group_id", groups)
            related |= _by(found, [point.payload.item_group_id for point in found])
        if query.collapse_duplicates and best:
            digests = {points[identity].payload.image_sha256 for identity in best if identity in points}
            found = await _related(reader, wish.where, "image_sha256", digests)
            related |= _by(found, [point.payload.image_sha256 for point in found])
        return points, vectors, related

    def _cursor_key(self, query: FindQuery, photos: Sequence[bytes], space_id: str) -> bytes:
        digest = hashlib.sha256(query.model_dump_json(exclude=_NOT_RANKING).encode("utf-8", "surrogatepass"))
        digest.update(f"\n{self._catalog}\n{space_id}\n{self._service.tenant}".encode())
        for part, photo in zip(query.photos, photos, strict=True):
            digest.update(part.model_dump_json(exclude={"data", "file"}).encode())
            digest.update(hashlib.sha256(photo).digest())
        return digest.digest()


@dataclass(frozen=True, slots=True)
class _Narrowing:
    """What facets count: the products that the query finds under a filter, or all that it lets through."""

    reader: AsyncCollectionReader
    ranking: CatalogRanking | VectorRanking
    query: FindQuery

    async def narrowed(self, where: Filter | None) -> FacetScope:
        if self.query.facet_scope == "catalog" or isinstance(self.ranking, CatalogRanking):
            return FacetScope(where, await self.reader.count_products(where))
        # what is on a first page counts, relevant or not; an order by price has nothing but what is relevant
        hits = await self.ranking.selection(where, self.query.limit if self.query.sort == "relevance" else 0)
        return products_scope([point.product_id for hit in hits for point in hit.group.points])


def _least_score(query: FindQuery, meaning: Meaning | None, untold: str) -> float | None:
    if query.min_match is None:
        return None
    if meaning is None:
        raise QueryNotPossible(f"min_match cannot be kept. {untold or 'Nothing is asked that hits could match.'}")
    return meaning.least_score(query.min_match)


def _word_search(
    reader: AsyncCollectionReader, query: FindQuery, composed: ComposedQuery | None, weights: FusionWeights
) -> WordSearch | None:
    """Words count where texts alone say what is wanted; in "this, but red" the photo does, and many titles have red."""
    if composed is None or query.hybrid == "off":
        return None
    text = texts_of([(share.kind, share.label) for share in composed.shares])
    return WordSearch(reader, text, composed.vector, weights) if text else None


def _cursor_of(query: FindQuery, key: bytes) -> Cursor:
    if query.cursor is None:
        return Cursor()
    cursor = read_cursor(query.cursor, key)
    if cursor.window >= len(WINDOWS) or len(cursor.shown) > MAX_SHOWN:
        raise CursorInvalid("The cursor names a place that there is not.", "Begin without one.")
    return cursor


def _without_examples(where: Filter | None, query: FindQuery) -> Filter | None:
    """The filter without the products that the query itself names."""
    opinions = {item.product_id for item in (*query.liked, *query.disliked)}
    ids = tuple(sorted(opinions | {item.product_id for item in query.products}))
    return both(where, Not(AnyOf("product_id", ids))) if ids else where


def _notes_of(page: HitPage) -> tuple[str, ...]:
    if not page.capped:
        return ()
    return (f"A query shows at most {MAX_SHOWN} products, and there may be more; narrow it by a filter.",)


async def _related(
    reader: AsyncCollectionReader, where: Filter | None, field: str, values: set[str]
) -> Sequence[StoredPoint]:
    if not values:
        return ()
    condition = both(where, AnyOf(field, tuple(sorted(values))))
    return await reader.ordered(OrderedQuery("catalog", _MAX_RELATED, condition))


def _by(points: Sequence[StoredPoint], keys: Sequence[str]) -> dict[str, Sequence[StoredPoint]]:
    found: dict[str, list[StoredPoint]] = {}
    for point, key in sorted(zip(points, keys, strict=True), key=lambda pair: pair[0].payload.product_id):
        found.setdefault(key, []).append(point)
    return dict(found)
