"""From a shopper's photo or words to a vector: from the cache, with another request's, or through the model."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, Literal, TypeVar

from indexer.embedding.port import Pixels
from indexer.images.decoder import Decoder
from indexer.images.limits import ImageLimits
from indexer.points import Vectors
from indexer.processors import available_cores
from indexer.regions.box import Crop
from indexer.telemetry import metrics
from indexer.telemetry.tracing import span
from search_api.embedding_cache import CacheFigures, EmbeddingCache
from search_api.embedding_source import EmbeddingSource
from search_api.flights import Flights
from search_api.model_gate import GateFigures, ModelGate
from search_api.places import Places
from search_api.side_by_side import all_of
from search_api.tenancy import TenantOfRequest

_T = TypeVar("_T")
_HASHED_AT_ONCE_BYTES = 250_000
"""Hashing so much takes a millisecond at most, for which a change of threads does not pay; more is hashed in one."""
_MOST_ENLARGED = 8
"""Times the model's side at which a photo is decoded for its smallest crop; more would be decoding at any size."""


@dataclass(frozen=True, slots=True)
class QueryEmbedding:
    """A query's vector and what it took.

    Attributes:
        vector: float32 (D,), length 1, read-only where it is shared.
        source: ``shared``: another request with the same content was under way.
        decode_ms: waiting and decoding; 0 without.
        embed_ms: waiting and embedding; 0 without.
    """

    vector: Vectors
    source: EmbeddingSource
    decode_ms: float = 0.0
    embed_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class EmbeddingFigures:
    """What became of queries since the process started.

    Attributes:
        cache: of embeddings.
        shared: queries that waited for the same query of another request.
        model: what went through the model.
    """

    cache: CacheFigures
    shared: int
    model: GateFigures


@dataclass(frozen=True, slots=True)
class _Key:
    """All that decides a query's vector.

    Attributes:
        kind: what ``content`` is: SHA-256 of a file's bytes, the same and a crop, or a text.
        content: see ``kind``.
        space_id: of the model, its recipe and its tokenizer.
        limits: for pictures, under which they are decoded.
        tenant: who asks: whether another's shoppers asked the same is told by nothing, not even by the time it takes.
    """

    kind: Literal["image", "crop", "text"]
    content: bytes
    space_id: str
    limits: ImageLimits | None = None
    tenant: str = ""


class QueryEmbeddings:
    """Embeds queries, each content once as long as it is remembered; errors are not remembered.

    Args:
        gate: to the model.
        cache: of earlier queries.
        decoder: of uploaded photos.
        tenant: who asks.
    """

    def __init__(self, gate: ModelGate, cache: EmbeddingCache, decoder: Decoder, tenant: TenantOfRequest) -> None:
        self._gate = gate
        self._tenant = tenant
        self._cache = cache
        self._decoder = decoder
        self._flights: Flights[QueryEmbedding] = Flights()
        self._lookups = {
            source: metrics.CACHE_LOOKUPS.labels(source.value)
            for source in (EmbeddingSource.CACHE, EmbeddingSource.SHARED, EmbeddingSource.MODEL)
        }
        # threads of their own: photos that wait for a core must not keep searches waiting
        self._decoders = ThreadPoolExecutor(available_cores(), thread_name_prefix="decode")

    def places(self, of_request: Places | None = None) -> AbstractContextManager[Places]:
        """The places of a request that has some already, or else new ones, held until the end of the block."""
        return Places(self._gate) if of_request is None else nullcontext(of_request)

    async def of_image(self, data: bytes, places: Places | None = None) -> QueryEmbedding:
        """The vector of a photo.

        Args:
            data: a whole file.
            places: of the request, if it asks about more.

        Raises:
            ImageError, EmbedderError, Overloaded
        """
        space_id = self._gate.space_id  # while the model loads there is no use in going on
        digest = await self.digest(data)
        key = _Key("image", digest, space_id, self._decoder.limits, self.tenant)

        async def embed() -> QueryEmbedding:
            start_s = time.perf_counter()
            with self.places(places) as held:
                place = held.images.get()
                pixels = await self.in_decoder(lambda: self._decoded(data))
                decoded_s = time.perf_counter()
                vector = await self._gate.embed_image(pixels, place)
            return self._made(key, vector, start_s, decoded_s)

        return await self._remembered(key, embed)

    async def of_crops(self, data: bytes, crops: Sequence[Crop], places: Places | None = None) -> list[QueryEmbedding]:
        """The vectors of parts of a photo, which is decoded once at most.

        Args:
            data: a whole file.
            crops: of it.
            places: of the request, if it asks about more.

        Raises:
            BoxInvalid: a crop has too few pixels.
            ImageError, EmbedderError, Overloaded
        """
        space_id = self._gate.space_id
        digest = await self.digest(data)
        size_px = self._gate.embedder.space.image_size_px
        # as many pixels as the smallest crop needs to fill the model's square, if the file has them
        longest = min((max(crop.box.width, crop.box.height) for crop in crops), default=1.0)
        side_px = math.ceil(size_px * min(_MOST_ENLARGED, 1 / longest))
        photo = _Once(lambda: self.in_decoder(lambda: self._decoder.picture(data, min_side_px=side_px).image))

        async def embed(key: _Key, crop: Crop, held: Places) -> QueryEmbedding:
            start_s = time.perf_counter()
            place = held.images.get()
            image = await photo.result()
            pixels = await self.in_decoder(lambda: self._gate.embedder.prepare_image(crop.of(image)))
            decoded_s = time.perf_counter()
            vector = await self._gate.embed_image(pixels, place)
            return self._made(key, vector, start_s, decoded_s)

        limits, tenant = self._decoder.limits, self.tenant
        keys = [_Key("crop", digest + repr(crop).encode(), space_id, limits, tenant) for crop in crops]
        with self.places(places) as held:
            return await all_of(
                self._remembered(key, partial(embed, key, crop, held)) for key, crop in zip(keys, crops, strict=True)
            )

    async def of_text(self, text: str, places: Places | None = None) -> QueryEmbedding:
        """The vector of a text.

        Args:
            text: not empty.
            places: of the request, if it asks about more.

        Raises:
            QueryTextEmpty, EmbedderError, Overloaded
        """
        # half a surrogate pair has no bytes otherwise
        key = _Key("text", text.encode("utf-8", "surrogatepass"), self._gate.space_id, tenant=self.tenant)

        async def embed() -> QueryEmbedding:
            start_s = time.perf_counter()
            with self.places(places) as held:
                vector = await self._gate.embed_text(text, held.texts.get())
            return self._made(key, vector, start_s, start_s)

        return await self._remembered(key, embed)

    @property
    def tenant(self) -> str:
        """Who asks; empty without tenants."""
        return self._tenant()

    async def digest(self, data: bytes) -> bytes:
        """SHA-256 of a file."""
        return await self.in_decoder(lambda: _sha256(data)) if len(data) > _HASHED_AT_ONCE_BYTES else _sha256(data)

    async def in_decoder(self, work: Callable[[], _T]) -> _T:
        """Runs what takes a core, such as decoding, in one of the threads for it."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work)

    def figures(self) -> EmbeddingFigures:
        """What became of queries so far."""
        return EmbeddingFigures(self._cache.figures(), self._flights.joined, self._gate.figures())

    def close(self) -> None:
        """Waits for pictures that are being decoded."""
        self._decoders.shutdown(wait=True, cancel_futures=True)

    async def _remembered(self, key: _Key, embed: Callable[[], Coroutine[Any, Any, QueryEmbedding]]) -> QueryEmbedding:
        vector = self._cache.get(key)
        if vector is not None:
            self._lookups[EmbeddingSource.CACHE].inc()
            return QueryEmbedding(vector, EmbeddingSource.CACHE)
        shared = self._flights.is_under_way(key)
        self._lookups[EmbeddingSource.SHARED if shared else EmbeddingSource.MODEL].inc()
        with span(f"embed.{key.kind}"):
            embedding = await self._flights.join(key, embed)
        return replace(embedding, source=EmbeddingSource.SHARED) if shared else embedding

    def _made(self, key: _Key, vector: Vectors, start_s: float, decoded_s: float) -> QueryEmbedding:
        self._cache.put(key, vector, key_bytes=len(key.content))
        decode_s, embed_s = decoded_s - start_s, time.perf_counter() - decoded_s
        if key.kind != "text":
            metrics.QUERY_STAGE_SECONDS.labels("decode").observe(decode_s)
        metrics.QUERY_STAGE_SECONDS.labels(f"embed_{key.kind}").observe(embed_s)
        return QueryEmbedding(vector, EmbeddingSource.MODEL, decode_s * 1000, embed_s * 1000)

    def _decoded(self, data: bytes) -> Pixels:
        return self._decoder.square(data, self._gate.embedder.square).pixels


class _Once(Generic[_T]):
    """Work begun when it is first asked for, and done once for all that ask."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> None:
        self._work = work
        self._task: asyncio.Task[_T] | None = None

    async def result(self) -> _T:
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await asyncio.shield(self._task)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
