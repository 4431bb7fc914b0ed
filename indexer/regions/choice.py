"""Whether a photo is searched as it is, or one of the objects in it: the nearer to the catalog, of all."""

from __future__ import annotations

from collections.abc import Sequence

FOUND_MARGIN = 0.15
"""Added on each side of a found object, as a share of its longer side: boxes are whole patches, and in a catalog's
pictures there is paper around the product."""
DRAWN_MARGIN = 0.05
"""The same for a box that somebody drew."""

SEARCHED = 3
"""Objects whose crops are searched with; with five there were no more hits."""

_CLOSER_BY = 0.1
"""Of what the whole photo's best hit lacks of a perfect match, a crop must make good so much. Cosines of a space sit in
a band of their own, so the step is measured in what is left to 1. A crop that is hardly nearer is nearer by chance: on
clean pictures, of which a crop is just a worse one, that cost a hit in a hundred."""


def closest(whole: float, crops: Sequence[float]) -> int | None:
    """Which of a photo's crops to search with; None: the whole photo.

    All scores are of pictures against pictures of one space and one catalog, so they compare as they are; z-scores over
    the catalog chose worse (``docs/relevance.md``).

    Args:
        whole: cosine of the whole photo's best hit.
        crops: of each crop's.
    """
    best = max(range(len(crops)), key=lambda number: crops[number], default=None)
    if best is None or 1 - crops[best] > (1 - whole) * (1 - _CLOSER_BY):
        return None
    return best
