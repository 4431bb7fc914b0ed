"""What an exact search would answer, by matrix products of float32 over the whole catalog; and recall against it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.vectors_data import Block, MadeUpCatalog, Products
from indexer.points import Vectors

EQUAL = 1e-5
"""Scores that differ by less are equal: float32 sums of 768 products in another order differ by about a millionth."""

Mask = Callable[[Products], NDArray[np.bool_]]
"""Which of a block's products are asked for, (P,)."""

_Best = tuple[Vectors, NDArray[np.int64]]
"""Scores (Q, K), descending; numbers of products (Q, K). -inf and -1 where there are fewer."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The best products of each query.

    Attributes:
        scores: of their best pictures, descending, float32 (Q, K); K is more than will be asked for, so that products
            that are as good as the last one wanted are known. -inf where there are fewer.
        products: numbers of products, (Q, K); -1 where there are fewer.
        pictures: how many pictures of the catalog are within the mask.
    """

    scores: Vectors
    products: NDArray[np.int64]
    pictures: int

    def acceptable(self, query: int, wanted: int) -> set[int]:
        """Products that are among a query's best ``wanted``, with those that are as good as the last of them."""
        scores = self.scores[query]
        least = scores[min(wanted, len(scores)) - 1] - EQUAL
        return {int(number) for number in self.products[query][scores >= least] if number >= 0}

    def recall(self, query: int, found: Collection[int], wanted: int) -> float:
        """Share of the ``wanted`` best products that are among those found; of fewer, where there are fewer."""
        acceptable = self.acceptable(query, wanted)
        return min(len(acceptable & set(found)), wanted) / min(len(acceptable), wanted) if acceptable else 1.0


def exact(catalog: MadeUpCatalog, queries: Vectors, masks: Sequence[Mask], kept: int = 40) -> list[Truth]:
    """The truth for every mask, in one pass over the catalog.

    Args:
        catalog: all of it.
        queries: float32 (Q, D).
        masks: one for each answer.
        kept: K of ``Truth``.
    """
    best = [_nothing(len(queries), kept) for _ in masks]
    pictures = [0] * len(masks)
    for block in catalog.blocks():
        scores, numbers = _of_products(block, queries)
        for index, mask in enumerate(masks):
            within = mask(block.products)
            pictures[index] += int(within[block.of].sum())
            best[index] = _merged(best[index], scores[:, within[: len(numbers)]], numbers[within[: len(numbers)]])
    return [Truth(scores, products, count) for (scores, products), count in zip(best, pictures, strict=True)]


def _nothing(queries: int, kept: int) -> _Best:
    return np.full((queries, kept), -np.inf, dtype=np.float32), np.full((queries, kept), -1, dtype=np.int64)


def _of_products(block: Block, queries: Vectors) -> tuple[Vectors, NDArray[np.int64]]:
    # pictures of a product lie side by side, and no product is in two blocks
    starts = np.flatnonzero(np.diff(block.of, prepend=-1))
    scores = np.maximum.reduceat(queries @ block.vectors.T, starts, axis=1)
    return scores, block.products.first + block.of[starts]


def _merged(best: _Best, scores: Vectors, numbers: NDArray[np.int64]) -> _Best:
    kept = best[0].shape[1]
    scores = np.concatenate([best[0], scores], axis=1)
    numbers = np.concatenate([best[1], np.broadcast_to(numbers, (len(scores), len(numbers)))], axis=1)
    chosen = np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
    chosen = np.take_along_axis(chosen, np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1), axis=1)
    return np.take_along_axis(scores, chosen, axis=1), np.take_along_axis(numbers, chosen, axis=1)
