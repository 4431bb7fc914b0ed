"""Objects in a photo from the image tower alone: boxes whose inside differs from what is around them.

Each box of whole patches is compared with the ring around it: the mean of what the patches inside bring into the
picture's vector (their vectors, weighted with the pooling's attention), against the mean of those in the ring. Length
and direction both count: towers give patches of background short vectors or little attention. This found products on
busy backgrounds better than thresholds on the attention, distance from the border's patches, or TokenCut's bipartition
(Wang et al. 2022, arXiv 2202.11539), whose single foreground merges neighbours; ``docs/relevance.md`` has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from indexer.embedding.patches import PatchMap
from indexer.regions.box import Box

_MIN_SHARE, _MAX_SHARE = 0.2, 0.8
_MIN_PATCHES = 2
"""Of a side: a single patch that differs is a detail more often than an object."""
_MAX_ASPECT = 2.2
_RING = 0.35
"""Width of the ring, as a share of the box's longer side."""
_AREA_POWER = 0.25
"""Of the area in patches; without it the strongest single patches win over whole objects."""
_MAX_OVERLAP = 0.4


@dataclass(frozen=True, slots=True)
class Region:
    """An object, or what looks like one.

    Attributes:
        box: where.
        score: 0 to 1; of patches, relative to the clearest one in the photo; of a detector, its own confidence.
        label: what it may be; empty where nothing is known.
    """

    box: Box
    score: float
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Windows:
    """All boxes of a grid: int64 (W,) each, in patches; the ring's outer sides likewise."""

    top: NDArray[np.int64]
    left: NDArray[np.int64]
    bottom: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def areas(self) -> NDArray[np.int64]:
        """In patches."""
        return (self.bottom - self.top) * (self.right - self.left)

    def grown(self, rows: int, columns: int) -> _Windows:
        """The boxes with their rings, as far as the grid reaches."""
        longer = np.maximum(self.bottom - self.top, self.right - self.left)
        ring = np.maximum(1, np.rint(_RING * longer)).astype(np.int64)
        return _Windows(
            np.maximum(0, self.top - ring),
            np.maximum(0, self.left - ring),
            np.minimum(rows, self.bottom + ring),
            np.minimum(columns, self.right + ring),
        )

    def sums(self, integral: NDArray[np.float32]) -> NDArray[np.float32]:
        """What lies inside each, added up, from ``integral`` (H + 1, W + 1, D): (W, D)."""
        added = integral[self.bottom, self.right] + integral[self.top, self.left]
        return np.asarray(added - integral[self.top, self.right] - integral[self.bottom, self.left])


def find_regions(patches: PatchMap, *, most: int) -> tuple[Region, ...]:
    """The objects of a photo, the clearest first; none where all patches are the same.

    Args:
        patches: of the whole photo.
        most: how many at most.
    """
    rows, columns = patches.weights.shape
    inner = _windows(rows, columns)
    if not len(inner.top):
        return ()
    outer = inner.grown(rows, columns)
    integral = np.zeros((rows + 1, columns + 1, patches.vectors.shape[-1]), dtype=np.float32)
    integral[1:, 1:] = patches.contributions.cumsum(axis=0).cumsum(axis=1)
    inside = inner.sums(integral)
    around = (outer.sums(integral) - inside) / np.maximum(outer.areas - inner.areas, 1)[:, None]
    inside /= inner.areas[:, None]
    score = np.linalg.norm(inside - around, axis=1) * inner.areas**_AREA_POWER
    return _best(inner, score, Box(0, 0, columns, rows), most)


def _best(windows: _Windows, score: NDArray[np.float64], grid: Box, most: int) -> tuple[Region, ...]:
    """The best boxes of which none covers another one."""
    found: list[Region] = []
    highest = float(score.max())
    for index in np.argsort(-score, kind="stable"):
        if len(found) == most or score[index] <= 0:
            break
        box = Box(
            float(windows.left[index] / grid.right),
            float(windows.top[index] / grid.bottom),
            float(windows.right[index] / grid.right),
            float(windows.bottom[index] / grid.bottom),
        )
        if all(box.overlap(other.box) < _MAX_OVERLAP for other in found):
            found.append(Region(box, round(float(score[index]) / highest, 4)))
    return tuple(found)


@lru_cache(maxsize=8)
def _windows(rows: int, columns: int) -> _Windows:
    sizes = [
        (height, width)
        for height in range(*_lengths(rows))
        for width in range(*_lengths(columns))
        if max(height * columns, width * rows) <= _MAX_ASPECT * min(height * columns, width * rows)
    ]
    parts = []
    for height, width in sizes:
        top, left = (side.ravel() for side in np.mgrid[0 : rows - height + 1, 0 : columns - width + 1].astype(np.int64))
        parts.append(np.stack([top, left, top + height, left + width]))
    if not parts:
        return _Windows(*np.zeros((4, 0), dtype=np.int64))
    return _Windows(*np.concatenate(parts, axis=1))


def _lengths(patches: int) -> tuple[int, int]:
    """From the shortest to beyond the longest side of a box, in patches."""
    return max(_MIN_PATCHES, round(_MIN_SHARE * patches)), int(_MAX_SHARE * patches) + 1
