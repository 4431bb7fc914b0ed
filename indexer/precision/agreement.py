"""How far the vectors of one way to compute agree with those of float32, and how far they must."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.embedding.numerics import Tower
from indexer.points import Vectors

MIN_COSINE = 0.99
"""Least mean, and least 5th percentile, of the cosines between a vector and its float32 counterpart."""
MIN_OVERLAP = 0.95
"""Least share of the ten nearest pictures that stays the same, on average over the queries."""
_LOW_PERCENTILE = 5
_TOP = 10
_TIE = 1e-6
"""Scores this near are equal: equal pictures stand in any order."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Figures of one tower in one number format, against torch's float32.

    Attributes:
        tower: ``images`` or ``texts``.
        way: backend, number format and device, in words.
        pictures, texts: size of the sample.
        source: of the sample, in words.
        mean_cosine, low_cosine, min_cosine: mean, 5th percentile and smallest of the cosines.
        overlap: of the ten nearest pictures. For the image tower it is the lowest of four: queries and catalog both
            computed this way, the queries only, the catalog only, and texts (float32) in this catalog. For the text
            tower: such texts in the float32 catalog.
        key: of what was measured: versions, files, processor; figures of another key say nothing.
        failure: why there are no figures; empty if there are.
    """

    tower: Tower
    way: str
    pictures: int
    texts: int
    source: str
    mean_cosine: float
    low_cosine: float
    min_cosine: float
    overlap: float
    key: str = ""
    failure: str = ""

    @property
    def passes(self) -> bool:
        """Whether such vectors may stand beside float32 ones."""
        cosines = min(self.mean_cosine, self.low_cosine)
        return not self.failure and cosines >= MIN_COSINE and self.overlap >= MIN_OVERLAP

    @property
    def figures(self) -> str:
        """For people."""
        if self.failure:
            return self.failure
        return (
            f"cosine to float32: mean {self.mean_cosine:.4f}, 5th percentile {self.low_cosine:.4f}; "
            f"top-10 overlap {self.overlap:.3f}; {self.pictures} pictures and {self.texts} texts of {self.source}"
        )


@dataclass(frozen=True, slots=True)
class SampleVectors:
    """Embeddings of a sample: pictures float32 (N, D), texts float32 (M, D)."""

    pictures: Vectors
    texts: Vectors


@dataclass(frozen=True, slots=True)
class Figures:
    """See ``Agreement``."""

    mean_cosine: float
    low_cosine: float
    min_cosine: float
    overlap: float


def image_figures(reference: SampleVectors, pictures: Vectors) -> Figures:
    """Figures of an image tower.

    Args:
        reference: float32.
        pictures: the same pictures computed the other way, float32 (N, D), N at least 2.
    """
    among = _without_self(reference.pictures @ reference.pictures.T)
    overlaps = [
        top_overlap(among, _without_self(queries @ catalog.T))
        for queries, catalog in (
            (pictures, pictures),
            (pictures, reference.pictures),
            (reference.pictures, pictures),
        )
    ]
    overlaps.append(top_overlap(reference.texts @ reference.pictures.T, reference.texts @ pictures.T))
    return _figures(reference.pictures, pictures, min(overlaps))


def text_figures(reference: SampleVectors, texts: Vectors) -> Figures:
    """Figures of a text tower.

    Args:
        reference: float32.
        texts: the same texts computed the other way, float32 (M, D).
    """
    overlap = top_overlap(reference.texts @ reference.pictures.T, texts @ reference.pictures.T)
    return _figures(reference.texts, texts, overlap)


def top_overlap(right: NDArray[np.float32], scores: NDArray[np.float32]) -> float:
    """Mean share of the ten best of each row that are among the ten best of the right scores, ties forgiven.

    Args:
        right, scores: float32 (Q, N), N at least 2; -inf for what must not be found.
    """
    top = min(_TOP, right.shape[1] - 1)
    least = np.partition(right, -top, axis=1)[:, -top]
    found = np.argpartition(-scores, top - 1, axis=1)[:, :top]
    return float((np.take_along_axis(right, found, axis=1) >= least[:, None] - _TIE).mean())


def _without_self(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    np.fill_diagonal(scores, -np.inf)
    return scores


def _figures(reference: Vectors, other: Vectors, overlap: float) -> Figures:
    cosines = np.sum(reference * other, axis=1, dtype=np.float64)
    return Figures(float(cosines.mean()), float(np.percentile(cosines, _LOW_PERCENTILE)), float(cosines.min()), overlap)
