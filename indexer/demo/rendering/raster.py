"""Which triangle is seen at each pixel: a z-buffer over all triangles at once, in numpy.

Every triangle is spread over the pixels of its bounding box, pixels outside it are dropped by its edge functions, and
of the rest the nearest to the camera wins (Pineda, "A parallel algorithm for polygon rasterization", SIGGRAPH 1988).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.demo.rendering.mesh import Floats, Ints


@dataclass(frozen=True)
class Fragments:
    """What is seen, one row per covered pixel.

    Attributes:
        pixel: int64 (P,), row-major index of the pixel.
        face: int32 (P,), index of the triangle.
        weights: float32 (P, 3), perspective-correct barycentric weights, summing to 1.
        nearness: float32 (P,), 1 / distance along the viewing axis.
    """

    pixel: NDArray[np.int64]
    face: Ints
    weights: Floats
    nearness: Floats


def rasterise(screen: Floats, nearness: Floats, faces: Ints, size_px: int) -> Fragments:
    """The nearest triangle at each pixel of a square picture.

    Args:
        screen: float32 (V, 2), vertex positions in pixels (pixel centres are at .5).
        nearness: float32 (V,), 1 / distance along the viewing axis, positive; for a parallel projection any affine
            measure of nearness, in which case weights are affine too.
        faces: int32 (F, 3).
        size_px: side of the picture.
    """
    candidates = _candidates(screen, faces, size_px)
    kept, owner = candidates.face, candidates.owner
    near_at = [np.take(nearness[faces[kept, i]], owner) for i in range(3)]
    w0, w1 = candidates.first * near_at[0], candidates.second * near_at[1]
    w2 = (1 - candidates.first - candidates.second) * near_at[2]
    depth = w0 + w1 + w2
    seen = _nearest(candidates.pixel, depth, size_px)
    depth = depth[seen]
    return Fragments(
        pixel=candidates.pixel[seen],
        face=kept[owner[seen]].astype(np.int32),
        weights=np.stack([w0[seen] / depth, w1[seen] / depth, w2[seen] / depth], axis=1),
        nearness=depth,
    )


@dataclass(frozen=True)
class _Candidates:
    """Pixels inside triangles, hidden ones too, one row each.

    Attributes:
        face: int64 (K,), the triangles that cover anything.
        owner: int32 (C,), index into ``face``.
        pixel: int64 (C,), row-major index of the pixel.
        first, second: float32 (C,), screen-space barycentric weights of the first two corners.
    """

    face: NDArray[np.int64]
    owner: Ints
    pixel: NDArray[np.int64]
    first: Floats
    second: Floats


def _candidates(screen: Floats, faces: Ints, size_px: int) -> _Candidates:
    """Every pixel centre that lies in a triangle (columns are kept apart: numpy is slow along axes of 2 or 3)."""
    x, y = np.ascontiguousarray(screen[:, 0]), np.ascontiguousarray(screen[:, 1])
    a, b, c = (np.ascontiguousarray(faces[:, i]) for i in range(3))
    ax, bx, cx, ay, by, cy = x[a], x[b], x[c], y[a], y[b], y[c]
    left, wide = _span(ax, bx, cx, size_px)
    top, tall = _span(ay, by, cy, size_px)
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    count = np.where(np.abs(area) > 1e-9, wide * tall, 0)
    kept = np.flatnonzero(count)
    count, left, wide, top = count[kept], left[kept], wide[kept], top[kept]
    corners = np.stack([ax, bx, cx, ay, by, cy])[:, kept].astype(np.float64)
    (fax, fbx, fcx, fay, fby, fcy), scale = corners, 1.0 / area[kept].astype(np.float64)
    # Weight of a corner as a plane over the picture, taken at the first pixel of the triangle's box.
    slopes = [(fby - fcy) * scale, (fcx - fbx) * scale, (fcy - fay) * scale, (fax - fcx) * scale]
    from_x, from_y = left + 0.5, top + 0.5
    base0 = (fbx * fcy - fby * fcx) * scale + slopes[0] * from_x + slopes[1] * from_y
    base1 = (fcx * fay - fcy * fax) * scale + slopes[2] * from_x + slopes[3] * from_y
    planes = np.stack([*slopes, base0, base1], axis=1).astype(np.float32)

    owner = np.repeat(np.arange(len(kept), dtype=np.int32), count)
    start = (np.cumsum(count) - count).astype(np.int32)
    ordinal = np.arange(len(owner), dtype=np.int32) - start[owner]
    row = ordinal // wide[owner]
    column = ordinal - row * wide[owner]
    plane = planes[owner]
    across, down = column.astype(np.float32), row.astype(np.float32)
    first = plane[:, 0] * across + plane[:, 1] * down + plane[:, 4]
    second = plane[:, 2] * across + plane[:, 3] * down + plane[:, 5]
    inside = np.flatnonzero((first >= -1e-5) & (second >= -1e-5) & (first + second <= 1 + 1e-5))
    owner = owner[inside]
    pixel = (top[owner] + row[inside]).astype(np.int64) * size_px + left[owner] + column[inside]
    return _Candidates(kept, owner, pixel, first[inside], second[inside])


def _span(a: Floats, b: Floats, c: Floats, size_px: int) -> tuple[Ints, Ints]:
    """First pixel and number of pixels, int32 (F,), whose centres lie between the least and the greatest of three."""
    low = np.clip(np.ceil(np.minimum(np.minimum(a, b), c) - 0.5), 0, size_px).astype(np.int32)
    high = np.clip(np.floor(np.maximum(np.maximum(a, b), c) - 0.5) + 1, 0, size_px).astype(np.int32)
    return low, np.maximum(high - low, 0)


def coverage(screen: Floats, faces: Ints, size_px: int) -> Floats:
    """Which pixels any triangle covers: float32 (S, S), 0 or 1."""
    mask = np.zeros(size_px * size_px, dtype=np.float32)
    mask[_candidates(screen, faces, size_px).pixel] = 1
    return mask.reshape(size_px, size_px)


def _nearest(pixel: NDArray[np.int64], depth: Floats, size_px: int) -> NDArray[np.int64]:
    """Indices of the fragments with the greatest nearness at their pixel, one per covered pixel."""
    best = np.zeros(size_px * size_px, dtype=np.float32)
    np.maximum.at(best, pixel, depth)
    seen = np.flatnonzero(depth == best[pixel])
    # Two triangles may be equally near: where an index repeats, numpy keeps the last value assigned.
    winner = np.full(size_px * size_px, -1, dtype=np.int64)
    winner[pixel[seen]] = seen
    return winner[winner >= 0]
