"""The same picture under several products: told by its bytes, or by the cosine of its copies.

How near a copy is to its picture depends on the space, whose cosines sit in a band of their own. So the threshold is
made from how near pictures of different products are: the median, over a sample, of the cosine to the nearest picture
of another product. Of what that lacks to 1, a copy may lack ``_COPY_SHARE``. On the demo catalog (300 products, seed
977) that is 0.961: found were all copies saved at JPEG quality 40 or WebP 50, at half the size, darkened by a fifth or
cropped by 4 % on each side, 99 % of those at a quarter of the size and 98 % of those cropped by 6 %; of 459 pictures
none had another product's so near (at most 0.945). Another view of the same product may be.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer.points import Vectors
from indexer.search.hits import RankedHit

_COPY_SHARE = 0.18
_HIT_SHARE = 0.5
_SAME_PICTURE = 0.995
"""From here on a neighbour is taken for a copy, and says nothing of how near different pictures are."""
DEFAULT_THRESHOLD = 0.97
"""For catalogs of too few products to measure it."""
_LEAST_SAMPLE = 20


def copy_threshold(neighbours: Sequence[float]) -> float:
    """Least cosine of a picture and its copy.

    Args:
        neighbours: of pictures of the catalog, the cosines to the nearest picture of another product.
    """
    different = [score for score in neighbours if score < _SAME_PICTURE]
    if len(different) < _LEAST_SAMPLE:
        return DEFAULT_THRESHOLD
    return 1 - _COPY_SHARE * (1 - statistics.median(different))


def hit_threshold(copy: float) -> float:
    """Least cosine from which on two hits are one: stricter, as what is taken together is not looked at.

    Args:
        copy: from ``copy_threshold``.
    """
    return 1 - _HIT_SHARE * (1 - copy)


def collapsed(hits: Sequence[RankedHit], vectors: Vectors, threshold: float) -> list[RankedHit]:
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
        replace(
            hits[index],
            duplicates=(
                *hits[index].duplicates,
                *(group for hit in members[index] for group in (hit.group, *hit.duplicates)),
            ),
        )
        for index in kept
    ]
