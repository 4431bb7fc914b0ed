"""Where the vector of a query came from."""

from __future__ import annotations

from enum import StrEnum


class EmbeddingSource(StrEnum):
    """Where a query's vector came from."""

    MODEL = "model"
    SHARED = "shared"
    CACHE = "cache"
    INDEX = "index"
