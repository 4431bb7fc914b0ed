"""Vectors of queries that were asked before: a photo that is sent again, a text that many type."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from indexer.points import Vectors

_ENTRY_BYTES = 500
"""What an entry takes besides its vector and its text: key, array header, place in the table; rounded up."""


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """What the cache holds, and how often it could answer since the process started.

    Attributes:
        entries: embeddings in it.
        held_bytes: that they take.
        hits: queries that it answered.
        misses: queries that it could not answer.
        evicted: embeddings that had to go, the one that was asked for least lately first.
    """

    entries: int
    held_bytes: int
    hits: int
    misses: int
    evicted: int

    @property
    def hit_rate(self) -> float:
        """Of all queries so far, 0 to 1; 0 before the first."""
        return self.hits / max(1, self.hits + self.misses)


class EmbeddingCache:
    """Embeddings by what they were made of, at most so many bytes of them; safe to call from several threads.

    Args:
        max_bytes: of vectors and keys; 0 keeps nothing.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._vectors: OrderedDict[Hashable, Vectors] = OrderedDict()
        self._sizes_bytes: dict[Hashable, int] = {}
        self._held_bytes = self._hits = self._misses = self._evicted = 0

    def get(self, key: Hashable) -> Vectors | None:
        """The vector that was kept under the key, which nobody can write to; None if there is none."""
        with self._lock:
            vector = self._vectors.get(key)
            if vector is None:
                self._misses += 1
                return None
            self._vectors.move_to_end(key)
            self._hits += 1
            return vector

    def put(self, key: Hashable, vector: Vectors, *, key_bytes: int) -> None:
        """Keeps a vector, float32 (D,), from now on read-only; drops what was asked for least lately to make room.

        Args:
            key: all that decides the vector.
            vector: not a view of a larger array.
            key_bytes: of what is variable in the key.
        """
        size_bytes = vector.nbytes + key_bytes + _ENTRY_BYTES
        if size_bytes > self._max_bytes:
            return
        vector.setflags(write=False)
        with self._lock:
            self._held_bytes += size_bytes - self._sizes_bytes.get(key, 0)
            self._vectors[key] = vector
            self._vectors.move_to_end(key)
            self._sizes_bytes[key] = size_bytes
            while self._held_bytes > self._max_bytes:
                oldest, _ = self._vectors.popitem(last=False)
                self._held_bytes -= self._sizes_bytes.pop(oldest)
                self._evicted += 1

    def figures(self) -> CacheFigures:
        """How it does."""
        with self._lock:
            return CacheFigures(len(self._vectors), self._held_bytes, self._hits, self._misses, self._evicted)
