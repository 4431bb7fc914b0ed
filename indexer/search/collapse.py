"""The same picture under several products: one hit, with the others as its offers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.points import Vectors
from indexer.search.hits import RankedHit

NEAR_DUPLICATE_COSINE = 0.985
"""Least cosine of two files of what is the same picture."""


def collapsed(hits: Sequence[RankedHit], vectors: Vectors, threshold: float = NEAR_DUPLICATE_COSINE) -> list[RankedHit]:
    """Hits without those that show the picture of a better one, to which these are added as duplicates.

    Args:
        hits: best first.
        vectors: of their best pictures, float32 (N, D), rows of length 1.
        threshold: least cosine of duplicates.
    """
    kept: list[int] = []
    members: dict[int, list[RankedHit]] = {}
    for index in range(len(hits)):
        likeness = vectors[kept] @ vectors[index] if kept else np.zeros(0)
        nearest = int(np.argmax(likeness)) if kept else -1
        if kept and likeness[nearest] >= threshold:
            members[kept[nearest]].append(hits[index])
        else:
            kept.append(index)
            members[index] = []
    return [
        RankedHit(
            hits[index].group,
            (*hits[index].duplicates, *(group for hit in members[index] for group in (hit.group, *hit.duplicates))),
        )
        for index in kept
    ]
