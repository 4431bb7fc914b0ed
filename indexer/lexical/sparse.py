"""Sparse vectors of products and queries: what the stores keep and compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from indexer.lexical.text import LexicalSource, product_weights, query_text

LEXICAL_VECTOR = "lexical"
"""Name of the sparse vector of a product's main picture. It stands for this way of making terms: when that changes, the
vectors that are there say nothing to new queries, so the new way needs another name (DECISIONS 31)."""


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Terms and their weights.

    Attributes:
        indices: numbers of terms, 32 bits, each once, ascending.
        values: their weights, in the same order.
    """

    indices: tuple[int, ...]
    values: tuple[float, ...]

    def __bool__(self) -> bool:
        return bool(self.indices)


_NO_WORD = ""
"""The term of a product without words, which no query has: stores keep no empty vector, and could not take one away."""


def product_vector(product: LexicalSource) -> SparseVector:
    """Of a product's title, brand and attributes."""
    return _vector(product_weights(product) or {_NO_WORD: 1.0})


def query_vector(text: str) -> SparseVector:
    """Of what a shopper typed; times a product's vector, with each term's rarity, it gives the BM25 score."""
    return _vector(query_text(text).weights())


def _vector(weights: Mapping[str, float]) -> SparseVector:
    # two terms of one number (1 in 4 billion pairs) count as one
    numbered = {term_number(term): weight for term, weight in weights.items()}
    ordered = sorted(numbered.items())
    return SparseVector(tuple(number for number, _ in ordered), tuple(weight for _, weight in ordered))


@lru_cache(maxsize=16_384)
def term_number(term: str) -> int:
    """The number of a term: 32 bits of its BLAKE2b hash."""
    return int.from_bytes(blake2b(term.encode(), digest_size=4).digest(), "little")
