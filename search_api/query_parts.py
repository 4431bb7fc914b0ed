"""From the parts of a request to the parts of a query: each photo, text and product becomes a vector."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.errors import ProductImageNotFound
from indexer.points import StoredPoint
from indexer.regions.box import Box
from indexer.search.compose import PartKind, QueryPart
from indexer.store.async_reader import AsyncCollectionReader
from search_api.find_schemas import FindQuery, PhotoPart, TextPart
from search_api.photo_regions import ChosenPart, PhotoRegions
from search_api.places import Places
from search_api.query_embeddings import QueryEmbeddings
from search_api.query_text import check_query_text
from search_api.service import unknown_product
from search_api.side_by_side import all_of


@dataclass(frozen=True, slots=True)
class _Named:
    """A product that a part names."""

    kind: PartKind
    product_id: str
    position: int | None
    weight: float


@dataclass(frozen=True, slots=True)
class ReadParts:
    """What a request holds.

    Attributes:
        parts: photos, products, texts, liked, disliked, negative texts.
        regions: what of each photo is searched with.
    """

    parts: tuple[QueryPart, ...]
    regions: tuple[ChosenPart, ...]


class QueryPartReader:
    """Embeds what a request holds, all parts side by side.

    Args:
        reader: of the collection; asked for with each call, as it opens late.
        queries: embeds texts.
        regions: embeds photos, or the objects in them.
        max_text_chars: of a text.
    """

    def __init__(
        self,
        reader: Callable[[], AsyncCollectionReader],
        queries: QueryEmbeddings,
        regions: PhotoRegions,
        *,
        max_text_chars: int,
    ) -> None:
        self._reader = reader
        self._queries = queries
        self._regions = regions
        self._max_text_chars = max_text_chars

    async def read(self, query: FindQuery, photos: Sequence[bytes]) -> ReadParts:
        """The parts of a request as vectors.

        Args:
            query: as it came.
            photos: the bytes of its photos.

        Raises:
            ImageError, EmbedderError, QueryError, StoreError, Overloaded
        """
        for text in (*query.texts, *query.negative_texts):
            check_query_text(text.text, self._max_text_chars)
        products = [_Named("product", item.product_id, item.position, item.weight) for item in query.products]
        liked = [_Named("liked", item.product_id, None, item.weight) for item in query.liked]
        disliked = [_Named("disliked", item.product_id, None, item.weight) for item in query.disliked]
        named = [*products, *liked, *disliked]
        chosen: dict[int, ChosenPart] = {}
        with self._queries.places() as places:
            work: list[Coroutine[Any, Any, Sequence[QueryPart]]] = [
                *(
                    self._photo(number, photos[number], part, chosen, places)
                    for number, part in enumerate(query.photos)
                ),
                *(self._text("text", part, places) for part in query.texts),
                *(self._text("negative_text", part, places) for part in query.negative_texts),
                self._products(named),
            ]
            found = [part for parts in await all_of(work) for part in parts]
        order = ("photo", "product", "text", "liked", "disliked", "negative_text")
        parts = tuple(sorted(found, key=lambda part: order.index(part.kind)))
        return ReadParts(parts, tuple(chosen[number] for number in range(len(photos))))

    async def _photo(
        self, number: int, data: bytes, part: PhotoPart, chosen: dict[int, ChosenPart], places: Places
    ) -> Sequence[QueryPart]:
        box = None if part.box is None else Box.checked(part.box)
        chosen[number] = await self._regions.chosen(data, box=box, auto=part.region == "auto", places=places)
        return [QueryPart("photo", f"photo {number}", chosen[number].embedding.vector, part.weight)]

    async def _text(self, kind: PartKind, part: TextPart, places: Places) -> Sequence[QueryPart]:
        embedding = await self._queries.of_text(part.text, places)
        return [QueryPart(kind, part.text, embedding.vector, part.weight)]

    async def _products(self, named: Sequence[_Named]) -> Sequence[QueryPart]:
        if not named:
            return []
        points = await self._reader().product_points(sorted({item.product_id for item in named}))
        chosen = [_point_of(item, points.get(item.product_id, ())) for item in named]
        vectors = await self._reader().vectors([point.id for point in chosen])
        for item, point in zip(named, chosen, strict=True):
            if point.id not in vectors:
                raise unknown_product(item.product_id)  # removed between the two calls
        return [
            QueryPart(item.kind, item.product_id, vectors[point.id], item.weight)
            for item, point in zip(named, chosen, strict=True)
        ]


def _point_of(item: _Named, points: Sequence[StoredPoint]) -> StoredPoint:
    if not points:
        raise unknown_product(item.product_id)
    if item.position is None:
        return points[0]
    for point in points:
        if point.payload.position == item.position:
            return point
    raise ProductImageNotFound(f"The product {item.product_id!r} has no indexed picture {item.position}.")
