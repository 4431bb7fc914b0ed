"""Maximal marginal relevance: hits that are relevant and unlike each other (Carbonell & Goldstein, SIGIR 1998)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.points import Vectors

DIVERSIFIED = 256
"""Hits that are put into another order; what ranks behind them follows as it was."""


def diverse_order(scores: Sequence[float], vectors: Vectors, diversity: float) -> list[int]:
    """An order in which each hit is chosen for its score and against its likeness to those chosen before.

    ``argmax (1 - diversity) * relevance - diversity * max likeness``. Cosines of pictures lie in a narrow band, and
    those of texts and pictures in another, so both are spread to 0..1 first: scores by the least and the greatest,
    likeness as the cosine of the pictures' differences from their mean.

    Args:
        scores: of the hits, best first.
        vectors: of their best pictures, float32 (N, D), rows of length 1.
        diversity: 0, the order as it is, to 1, likeness alone.

    Returns:
        Indices of all hits, the best hit first in any case.
    """
    count = min(len(scores), DIVERSIFIED)
    if diversity == 0 or count < 3:
        return list(range(len(scores)))
    values = np.asarray(scores[:count], dtype=np.float64)
    spread = values.max() - values.min()
    relevance = (values - values.min()) / spread if spread > 0 else np.ones(count)
    centred = vectors[:count] - vectors[:count].mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    chosen = [0]
    likeness = centred @ centred[0]
    left = np.ones(count, dtype=bool)
    left[0] = False
    while left.any():
        gain = (1 - diversity) * relevance - diversity * (likeness + 1) / 2
        gain[~left] = -np.inf
        best = int(np.argmax(gain))  # the first of equal ones, which is the more relevant
        chosen.append(best)
        left[best] = False
        np.maximum(likeness, centred @ centred[best], out=likeness)
    return [*chosen, *range(count, len(scores))]
