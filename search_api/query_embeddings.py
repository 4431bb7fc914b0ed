"""From a shopper's photo or words to a vector: from the cache, with another request's, or through the model."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, TypeVar

from indexer.embedding.port import Pixels
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits
from indexer.points import Vectors
from indexer.processors import available_cores
from search_api.embedding_cache import CacheFigures, EmbeddingCache
from search_api.flights import Flights
from search_api.model_gate import GateFigures, ModelGate

_T = TypeVar("_T")
_HASHED_AT_ONCE_BYTES = 250_000
"""Hashing so much takes a millisecond at most, for which a change of threads does not pay; more is hashed in one."""


class EmbeddingSource(StrEnum):
    """Where a query's vector came from."""

    MODEL = "model"
    SHARED = "shared"
    CACHE = "cache"
    INDEX = "index"


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
        kind: what ``content`` is: SHA-256 of a file's bytes, or a text.
        content: see ``kind``.
        space_id: of the model, its recipe and its tokenizer.
        limits: for pictures, under which they are decoded.
    """

    kind: Literal["image", "text"]
    content: bytes
    space_id: str
    limits: ImageLimits | None = None


class QueryEmbeddings:
    """Embeds queries, each content once as long as it is remembered; errors are not remembered.

    Args:
        gate: to the model.
        cache: of earlier queries.
        limits: of an uploaded photo.
    """

    def __init__(self, gate: ModelGate, cache: EmbeddingCache, limits: ImageLimits) -> None:
        self._gate = gate
        self._cache = cache
        self._limits = limits
        self._flights: Flights[QueryEmbedding] = Flights()
        # threads of their own: photos that wait for a core must not keep searches waiting
        self._decoders = ThreadPoolExecutor(available_cores(), thread_name_prefix="decode")

    async def of_image(self, data: bytes) -> QueryEmbedding:
        """The vector of a photo.

        Args:
            data: a whole file.

        Raises:
            ImageError, EmbedderError, Overloaded
        """
        space_id = self._gate.space_id  # while the model loads there is no use in going on
        digest = await self._in_thread(lambda: _sha256(data)) if len(data) > _HASHED_AT_ONCE_BYTES else _sha256(data)
        key = _Key("image", digest, space_id, self._limits)

        async def embed() -> QueryEmbedding:
            start_s = time.perf_counter()
            with self._gate.image_place():
                pixels = await self._in_thread(lambda: self._decoded(data))
                decoded_s = time.perf_counter()
                vector = await self._gate.embed_image(pixels)
            return self._made(key, vector, start_s, decoded_s)

        return await self._remembered(key, embed)

    async def of_text(self, text: str) -> QueryEmbedding:
        """The vector of a text.

        Raises:
            QueryTextEmpty, EmbedderError, Overloaded
        """
        # half a surrogate pair has no bytes otherwise
        key = _Key("text", text.encode("utf-8", "surrogatepass"), self._gate.space_id)

        async def embed() -> QueryEmbedding:
            start_s = time.perf_counter()
            return self._made(key, await self._gate.embed_text(text), start_s, start_s)

        return await self._remembered(key, embed)

    def figures(self) -> EmbeddingFigures:
        """What became of queries so far."""
        return EmbeddingFigures(self._cache.figures(), self._flights.joined, self._gate.figures())

    def close(self) -> None:
        """Waits for pictures that are being decoded."""
        self._decoders.shutdown(wait=True, cancel_futures=True)

    async def _remembered(self, key: _Key, embed: Callable[[], Coroutine[Any, Any, QueryEmbedding]]) -> QueryEmbedding:
        vector = self._cache.get(key)
        if vector is not None:
            return QueryEmbedding(vector, EmbeddingSource.CACHE)
        shared = self._flights.is_under_way(key)
        embedding = await self._flights.join(key, embed)
        return replace(embedding, source=EmbeddingSource.SHARED) if shared else embedding

    def _made(self, key: _Key, vector: Vectors, start_s: float, decoded_s: float) -> QueryEmbedding:
        self._cache.put(key, vector, key_bytes=len(key.content))
        decode_ms, embed_ms = (decoded_s - start_s) * 1000, (time.perf_counter() - decoded_s) * 1000
        return QueryEmbedding(vector, EmbeddingSource.MODEL, decode_ms, embed_ms)

    def _decoded(self, data: bytes) -> Pixels:
        embedder = self._gate.embedder
        decoded = decode_image(data, self._limits, min_side_px=embedder.space.image_size_px)
        return embedder.prepare_image(decoded.image)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
