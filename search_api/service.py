"""Searching: from a shopper's photo or words to products."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from indexer.errors import ProductNotFound, StoreUnavailable
from indexer.points import StoredPoint, Vectors
from indexer.processors import available_cores
from indexer.store.async_reader import AsyncCollectionReader
from indexer.store.queries import SearchAnswer, SearchQuery
from indexer.store.tenants import AsyncTenantReader
from search_api.embedding_source import EmbeddingSource
from search_api.model_gate import ModelGate
from search_api.query_embeddings import EmbeddingFigures, QueryEmbedding, QueryEmbeddings
from search_api.query_text import check_query_text
from search_api.tenancy import TenantOfRequest

_T = TypeVar("_T")
_STORE_ANSWERS_WITHIN_S = 3.0
"""Who asks whether it is ready must hear soon that it is not."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the ranking is wanted."""

    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class TimedAnswer:
    """An answer, the space it was found in, where the query's vector came from, and the milliseconds of each stage."""

    answer: SearchAnswer
    space_id: str
    source: EmbeddingSource
    decode_ms: float
    embed_ms: float
    search_ms: float
    total_ms: float


class _Clock:
    """Milliseconds between marks."""

    def __init__(self) -> None:
        self._start_s = self._last_s = time.perf_counter()

    def lap_ms(self) -> float:
        now_s = time.perf_counter()
        lap, self._last_s = now_s - self._last_s, now_s
        return lap * 1000

    def total_ms(self) -> float:
        return (time.perf_counter() - self._start_s) * 1000


class SearchService:
    """The search use cases; nothing in it knows of HTTP.

    Args:
        gate: to the model.
        queries: embeds photos and texts.
        open_reader: a reader in the model's space, opened when the model is there.
        max_text_chars: of a text query.
        tenant: whose products a request is about.
    """

    def __init__(
        self,
        gate: ModelGate,
        queries: QueryEmbeddings,
        open_reader: Callable[[str], AsyncCollectionReader],
        *,
        max_text_chars: int,
        tenant: TenantOfRequest,
    ) -> None:
        self._gate = gate
        self._queries = queries
        self._open_reader = open_reader
        self._max_text_chars = max_text_chars
        self._tenant = tenant
        self._reader: AsyncCollectionReader | None = None
        self._opening = threading.Lock()
        self._threads = ThreadPoolExecutor(available_cores() + 2, thread_name_prefix="pictures")

    async def by_image(self, data: bytes, page: Page) -> TimedAnswer:
        """Products that look like a photo.

        Raises:
            ImageError, EmbedderError, StoreError, Overloaded
        """
        clock = _Clock()
        return await self._found(await self._queries.of_image(data), page, clock)

    async def by_text(self, text: str, page: Page) -> TimedAnswer:
        """Products that a text describes.

        Raises:
            QueryError, EmbedderError, StoreError, Overloaded
        """
        check_query_text(text, self._max_text_chars)
        clock = _Clock()
        return await self._found(await self._queries.of_text(text), page, clock)

    async def similar(self, product_id: str, page: Page) -> TimedAnswer:
        """Products that look like a product's main picture, itself left out.

        Raises:
            ProductNotFound, EmbedderError, StoreError
        """
        clock = _Clock()
        main = (await self.product(product_id))[0]
        vectors = await self.reader().vectors([main.id])
        if main.id not in vectors:
            raise unknown_product(product_id)  # removed between the two calls
        embedding = QueryEmbedding(vectors[main.id], EmbeddingSource.INDEX)
        return await self._found(embedding, page, clock, exclude_product_id=product_id)

    async def best_score(self, vector: Vectors) -> float:
        """Cosine of a vector's best hit, float32 (D,); -1 where nothing is indexed.

        Raises:
            EmbedderError, StoreError
        """
        hits = (await self.reader().search(SearchQuery(vector, 1))).hits
        return hits[0].score if hits else -1.0

    async def product(self, product_id: str) -> tuple[StoredPoint, ...]:
        """A product's points in order of position, at least one.

        Raises:
            ProductNotFound, EmbedderError, StoreError
        """
        found = await self.reader().product_points([product_id])
        if product_id not in found:
            raise unknown_product(product_id)
        return found[product_id]

    async def check(self) -> tuple[str, str]:
        """Space id and collection, if model and store both answer now.

        Raises:
            VitrineError: what is wrong.
        """
        await self._gate.check()
        return await self._check_store()

    def checks(self) -> Mapping[str, Callable[[], Awaitable[object]]]:
        """By part, what raises a VitrineError if the part does not work now."""
        return {"model": self._gate.check, "store": self._check_store}

    async def in_thread(self, work: Callable[[], _T]) -> _T:
        """Runs blocking work off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @property
    def space_id(self) -> str:
        """Of the model.

        Raises:
            ModelLoading, EmbedderError: there is none.
        """
        return self._gate.space_id

    @property
    def dim(self) -> int:
        """Length of the model's vectors.

        Raises:
            ModelLoading, EmbedderError: there is none.
        """
        return self._gate.embedder.space.dim

    @property
    def tenant(self) -> str:
        """Whose products the request that is worked for is about; empty without tenants.

        Raises:
            TenantRequired: there are tenants, and its key is bound to none.
        """
        return self._tenant()

    def reader(self) -> AsyncCollectionReader:
        """The reader in the model's space, of the products that the request is about: the only one that routes get.

        Raises:
            ModelLoading: the space is not known yet.
            TenantRequired: see ``tenant``.
        """
        tenant = self.tenant
        reader = self._whole_reader()
        return AsyncTenantReader(reader, tenant) if tenant else reader

    def _whole_reader(self) -> AsyncCollectionReader:
        with self._opening:  # admin requests ask for it in threads
            if self._reader is None:
                self._reader = self._open_reader(self._gate.space_id)
            return self._reader

    def figures(self) -> EmbeddingFigures:
        """What became of queries since the process started."""
        return self._queries.figures()

    async def close(self) -> None:
        """Waits for work under way."""
        await asyncio.to_thread(self._queries.close)
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        if self._reader is not None:
            await self._reader.close()

    async def _check_store(self) -> tuple[str, str]:
        try:
            async with asyncio.timeout(_STORE_ANSWERS_WITHIN_S):
                status = await self._whole_reader().status()
        except TimeoutError as error:
            raise StoreUnavailable(f"The store did not answer within {_STORE_ANSWERS_WITHIN_S:g} s.") from error
        return status.space.space_id, status.collection

    async def _found(
        self, embedding: QueryEmbedding, page: Page, clock: _Clock, *, exclude_product_id: str | None = None
    ) -> TimedAnswer:
        clock.lap_ms()
        query = SearchQuery(embedding.vector, page.limit, page.offset, exclude_product_id)
        answer = await self.reader().search(query)
        search_ms = clock.lap_ms()
        space_id = self._gate.space_id
        return TimedAnswer(
            answer,
            space_id,
            embedding.source,
            embedding.decode_ms,
            embedding.embed_ms,
            search_ms,
            clock.total_ms(),
        )


def unknown_product(product_id: str) -> ProductNotFound:
    """The error for a product that is not in the index."""
    return ProductNotFound(f"There is no product {product_id!r} in the index.")
