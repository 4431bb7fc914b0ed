"""What objects may be, in the words of a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer.embedding.port import LabelScale
from indexer.points import Vectors
from indexer.regions.salience import Region
from indexer.zero_shot import score_labels

_LEAST_SHARE = 0.5
"""Of the softmax over the vocabulary: a label that is not likelier than all others together is a guess."""


def labelled(
    regions: Sequence[Region], crops: Vectors, words: Sequence[str], vectors: Vectors, scale: LabelScale
) -> tuple[Region, ...]:
    """The regions with a label each, where one is likelier than all others together; else as they were.

    Args:
        regions: R of them.
        crops: of each, float32 (R, D).
        words: L of them.
        vectors: of the words in a prompt, float32 (L, D).
        scale: learned by the model.
    """
    if not regions or not words:
        return tuple(regions)
    shares = score_labels(crops, vectors, scale).softmax
    best = np.argmax(shares, axis=1)
    return tuple(
        replace(region, label=words[number]) if shares[row, number] >= _LEAST_SHARE else region
        for row, (region, number) in enumerate(zip(regions, best, strict=True))
    )
