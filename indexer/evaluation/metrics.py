"""Ranking metrics of single queries, and their mean with a bootstrap interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

SEARCH_DEPTH = 100
"""Products fetched for each query; a relevant product below this rank counts as not found."""

_RESAMPLES = 2000
_SEED = 20240601


def hit_at(k: int, ranked: Sequence[str], relevant: frozenset[str]) -> float:
    """1 if a relevant product is among the first k, else 0."""
    return float(any(product_id in relevant for product_id in ranked[:k]))


def recall_at(k: int, ranked: Sequence[str], relevant: frozenset[str]) -> float:
    """Share of the relevant products among the first k; below 1 by necessity where more than k are relevant."""
    return sum(product_id in relevant for product_id in ranked[:k]) / len(relevant)


def reciprocal_rank(ranked: Sequence[str], relevant: frozenset[str]) -> float:
    """1 / rank of the first relevant product, 0 if there is none."""
    return next((1.0 / rank for rank, product_id in enumerate(ranked, 1) if product_id in relevant), 0.0)


def ndcg_at(k: int, ranked: Sequence[str], relevant: frozenset[str]) -> float:
    """Normalised discounted cumulative gain with binary relevance (Järvelin & Kekäläinen 2002), 0..1."""
    gain = sum(1 / math.log2(rank + 1) for rank, item in enumerate(ranked[:k], 1) if item in relevant)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return gain / ideal


METRICS: Mapping[str, Callable[[Sequence[str], frozenset[str]], float]] = {
    "hit@1": partial(hit_at, 1),
    "hit@5": partial(hit_at, 5),
    "hit@10": partial(hit_at, 10),
    "recall@10": partial(recall_at, 10),
    "MRR": reciprocal_rank,
    "nDCG@10": partial(ndcg_at, 10),
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over queries, and the interval that holds it in 95 of 100 resamplings of the queries."""

    mean: float
    low: float
    high: float


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and 95 % percentile bootstrap interval (Efron & Tibshirani 1993, ch. 13) with a fixed seed.

    Args:
        values: one for each query, at least one.
    """
    sample: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    chosen = np.random.default_rng(_SEED).integers(0, len(sample), size=(_RESAMPLES, len(sample)))
    low, high = np.percentile(sample[chosen].mean(axis=1), [2.5, 97.5])
    return Estimate(float(sample.mean()), float(low), float(high))
