"""Labels for pictures without training: what a model's text tower makes of words, held against its pictures.

The recipe is CLIP's (Radford et al. 2021, section 3.1.4): a label is put into one or several prompts, whose embeddings
are averaged and normalised again. Probabilities are SigLIP's (Zhai et al. 2023, eq. 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.embedding.port import LabelScale, normalise_rows
from indexer.points import Vectors

_SAFE_EXPONENT = 700.0
"""Beyond about 709 the exponential function leaves the range of float64."""


@dataclass(frozen=True, slots=True)
class LabelScores:
    """What pictures are, of a list of labels.

    Attributes:
        probabilities: float64 (B, L): sigmoid(scale * cosine + bias), of each label by itself; None for a model
            without a learned bias (CLIP), which knows no such thing.
        softmax: float64 (B, L): shares of one whole, of each label against the others; rows add up to 1.
    """

    probabilities: NDArray[np.float64] | None
    softmax: NDArray[np.float64]


def averaged(prompts: Vectors) -> Vectors:
    """The vector of a label from those of its prompts.

    Args:
        prompts: float32 (T, D), rows of length 1, T at least 1.

    Returns:
        float32 (D,), length 1.

    Raises:
        FloatingPointError: the prompts cancel each other out.
    """
    mean: Vectors = prompts.mean(axis=0, keepdims=True, dtype=np.float32)
    one: Vectors = normalise_rows(mean)[0]
    return one


def score_labels(pictures: Vectors, labels: Vectors, scale: LabelScale) -> LabelScores:
    """Scores every label for every picture.

    Args:
        pictures: float32 (B, D), rows of length 1.
        labels: float32 (L, D), rows of length 1.
        scale: learned by the model.
    """
    logits = scale.scale * (pictures.astype(np.float64) @ labels.astype(np.float64).T)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax = shifted / shifted.sum(axis=1, keepdims=True)
    probabilities = None
    if scale.bias is not None:
        probabilities = 1.0 / (1.0 + np.exp(np.clip(-(logits + scale.bias), -_SAFE_EXPONENT, _SAFE_EXPONENT)))
    return LabelScores(probabilities, softmax)
