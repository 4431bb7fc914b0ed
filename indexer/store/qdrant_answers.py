"""What a Qdrant server answers, in this program's own types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from indexer.spaces import EmbeddingSpace

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ServerCollection:
    """What a server knows of a collection.

    Attributes:
        space: recorded when it was made; None for a collection that is not this program's.
        purpose: recorded when it was made.
        state: the server's word: green, yellow (building), grey, red.
        indexed_points: vectors in any index, those of words too.
        build_deferred: whether no graph is built yet, for a faster upload.
        indexed_fields: payload fields that have an index.
    """

    space: EmbeddingSpace | None
    purpose: str
    state: str
    indexed_points: int
    build_deferred: bool
    indexed_fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """A part of many.

    Attributes:
        items: of this part.
        next_start: where the next part begins; None if this is the last.
    """

    items: Sequence[_T]
    next_start: Any
