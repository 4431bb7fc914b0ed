"""Whether a picture is in the catalog already, and whose it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from indexer.points import StoredPoint
from indexer.store.async_reader import AsyncCollectionReader
from indexer.store.filters import AnyOf
from indexer.store.queries import NearestQuery
from indexer.store.ranking import RankedPoint, grouped
from search_api.catalog_knowledge import CatalogKnowledge
from search_api.query_embeddings import QueryEmbeddings
from search_api.service import SearchService

_PICTURES_LOOKED_AT = 1024
_MOST_COPIES_NOTE = "The catalog has more copies of this picture than are looked at."


@dataclass(frozen=True, slots=True)
class FoundDuplicates:
    """Products that show a picture.

    Attributes:
        same: with the same file, by product id.
        near: with one whose cosine is at least the threshold, best first, those of ``same`` left out.
        points: payloads of all of them.
        threshold: see ``indexer.search.collapse``.
        notes: sentences.
        collection: physical name.
        space_id: of the model.
    """

    same: tuple[RankedPoint, ...]
    near: tuple[RankedPoint, ...]
    points: Mapping[UUID, StoredPoint]
    threshold: float
    notes: tuple[str, ...]
    collection: str
    space_id: str


class DuplicateSearch:
    """The use case behind ``POST /v1/duplicates``; nothing in it knows of HTTP.

    Args:
        service: gives the reader and the space.
        queries: embeds photos.
        knowledge: of the catalog: how near copies are.
    """

    def __init__(self, service: SearchService, queries: QueryEmbeddings, knowledge: CatalogKnowledge) -> None:
        self._service = service
        self._queries = queries
        self._knowledge = knowledge

    async def find(self, data: bytes, limit: int) -> FoundDuplicates:
        """Products with the picture.

        Args:
            data: its file's bytes.
            limit: products wanted of each kind.

        Raises:
            ImageError, EmbedderError, StoreError, Overloaded
        """
        reader, space_id = self._service.reader(), self._service.space_id
        embedding, digest, threshold, collection = await asyncio.gather(
            self._queries.of_image(data),
            self._queries.digest(data),
            self._knowledge.copy_threshold(),
            reader.collection_name(),
        )
        vector = embedding.vector
        same_file, nearest = await asyncio.gather(
            reader.nearest(NearestQuery(vector, _PICTURES_LOOKED_AT, AnyOf("image_sha256", (digest.hex(),)))),
            reader.nearest(NearestQuery(vector, _PICTURES_LOOKED_AT)),
        )
        near = [point for point in nearest if point.score >= threshold]
        same = sorted(_one_each(same_file), key=lambda point: point.product_id)
        known = {point.product_id for point in same}
        others = [point for point in _one_each(near) if point.product_id not in known]
        full = len(near) == _PICTURES_LOOKED_AT or len(same_file) == _PICTURES_LOOKED_AT
        same, others = same[:limit], others[:limit]
        points = await _payloads(reader, [*same, *others])
        notes = (_MOST_COPIES_NOTE,) if full else ()
        return FoundDuplicates(tuple(same), tuple(others), points, threshold, notes, collection, space_id)


def _one_each(points: Sequence[RankedPoint]) -> list[RankedPoint]:
    return [group.best for group in grouped(points)]


async def _payloads(reader: AsyncCollectionReader, points: Sequence[RankedPoint]) -> Mapping[UUID, StoredPoint]:
    return await reader.points([point.id for point in points]) if points else {}
