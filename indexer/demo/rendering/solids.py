"""Solids that products are put together from: turned bodies, tubes, rounded boxes, cushions, panels.

Every function returns a :class:`~indexer.demo.rendering.mesh.Mesh` near the origin, in object units, with texture
coordinates in pattern repeats chosen so that the pattern closes on itself around a body.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from indexer.demo.rendering.mesh import TILE_UNITS, AnyFloats, Floats, Mesh, from_grid, merge, unit

Point2 = tuple[float, float]
Point3 = tuple[float, float, float]


def rounded_line(points: Sequence[Point2], radius: float = 0.04, steps: int = 4) -> Floats:
    """A polyline, float32 (N, 2), with its corners cut to arcs of about ``radius`` (quadratic Bezier corners)."""
    line = np.asarray(points, dtype=np.float32)
    pieces = [line[:1]]
    for before, corner, after in zip(line[:-2], line[1:-1], line[2:], strict=True):
        reach_in = min(radius, float(np.linalg.norm(corner - before)) / 2)
        reach_out = min(radius, float(np.linalg.norm(after - corner)) / 2)
        start = corner + unit((before - corner)[None])[0] * reach_in
        end = corner + unit((after - corner)[None])[0] * reach_out
        t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
        pieces.append((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * end)
    pieces.append(line[-1:])
    return np.concatenate(pieces).astype(np.float32)


def smooth_line(points: Sequence[Point2] | Sequence[Point3], count: int = 32) -> Floats:
    """A Catmull-Rom curve through the points, float32 (count, 2 or 3), evenly spaced in the curve's parameter."""
    knots = np.asarray(points, dtype=np.float32)
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    where = np.linspace(0, len(knots) - 1, count)
    piece = np.minimum(where.astype(int), len(knots) - 2)
    t = (where - piece)[:, None]
    p0, p1, p2, p3 = (padded[piece + i] for i in range(4))
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    return np.asarray(curve, dtype=np.float32)


def turned_body(profile: Floats, *, segments: int = 56, closed: bool = True, seen_from_above: bool = False) -> Mesh:
    """A body of revolution about the y axis.

    Args:
        profile: float32 (N, 2), rows (radius, height) from one end to the other; a radius of 0 closes an end.
        segments: columns around.
        closed: False for a thin shell whose inside is seen.
        seen_from_above: the pattern lies flat on it, as on a table top, instead of going around.
    """
    profile = _dense(profile, 0.07)
    radius, height = profile[:, 0], profile[:, 1]
    angle = np.linspace(0, 2 * np.pi, segments + 1, dtype=np.float32)
    points = np.stack(
        [radius[:, None] * np.sin(angle), np.repeat(height[:, None], segments + 1, 1), radius[:, None] * np.cos(angle)],
        axis=-1,
    )
    around = max(2, round(2 * np.pi * float(radius.max()) * 0.8 / TILE_UNITS))
    along = _arc_length(profile) / TILE_UNITS
    uv = np.stack(np.broadcast_arrays(angle[None] / (2 * np.pi) * around, along[:, None]), axis=-1)
    if seen_from_above:
        uv = points[..., [0, 2]] / TILE_UNITS
    return from_grid(points, uv, wraps=True, closed=closed)


def tube(spine: Floats, radii: Floats | float, *, segments: int = 16, power: float = 2.0, caps: bool = True) -> Mesh:
    """A tube along a curve in space.

    Args:
        spine: float32 (N, 3), the centre line.
        radii: one radius, or float32 (N, 2): half widths of the section along its two axes (the first is the one
            nearest to horizontal).
        segments: columns around.
        power: exponent of the section, |x|^p + |y|^p = 1: 2 is an ellipse, 4 nearly a rectangle.
        caps: close the ends.
    """
    widths = np.broadcast_to(np.asarray(radii, dtype=np.float32), (len(spine), 2)).copy()
    if caps:
        spine = np.concatenate([spine[:1], spine, spine[-1:]])
        widths = np.concatenate([widths[:1] * 0, widths, widths[-1:] * 0])
    tangent = unit(np.gradient(spine, axis=0))
    if caps:
        tangent[0], tangent[-1] = tangent[1], tangent[-2]
    side, up = _frames(tangent)
    angle = np.linspace(0, 2 * np.pi, segments + 1, dtype=np.float32)
    c, s = np.cos(angle), np.sin(angle)
    x, y = np.sign(c) * np.abs(c) ** (2 / power), np.sign(s) * np.abs(s) ** (2 / power)
    points = (
        spine[:, None] + side[:, None] * (widths[:, :1] * x)[..., None] + up[:, None] * (widths[:, 1:] * y)[..., None]
    )
    # Around the section the pattern advances with the length of the outline, not with the angle: flat sides of a
    # boxy section would stretch it otherwise.
    widest = widths[int(np.argmax(widths.max(axis=1)))]
    outline = _arc_length(np.stack([x * widest[0], y * widest[1]], axis=1).astype(np.float32))
    around = max(1, round(float(outline[-1]) / TILE_UNITS))
    along = _arc_length(spine) / TILE_UNITS
    uv = np.stack(np.broadcast_arrays(outline[None] / outline[-1] * around, along[:, None]), axis=-1)
    return from_grid(points, uv, wraps=True, closed=caps)


def sliced_body(sections: Floats, *, power: float = 2.4, segments: int = 40) -> Mesh:
    """A body given by upright slices along the x axis.

    Args:
        sections: float32 (N, 4), rows (x, bottom, top, half width); both ends are closed.
        power: exponent of a slice's outline, as in :func:`tube`.
        segments: columns around.
    """
    x, bottom, top, wide = np.concatenate([sections[:1], sections, sections[-1:]]).T
    middle, tall = (bottom + top) / 2, (top - bottom) / 2
    tall[[0, -1]], wide[[0, -1]] = 0, 0
    angle = np.linspace(0, 2 * np.pi, segments + 1, dtype=np.float32)
    c, s = np.cos(angle), np.sin(angle)
    across, up = np.sign(c) * np.abs(c) ** (2 / power), np.sign(s) * np.abs(s) ** (2 / power)
    points = np.stack(
        np.broadcast_arrays(x[:, None], middle[:, None] + tall[:, None] * up, wide[:, None] * across), axis=-1
    ).astype(np.float32)
    # The pattern lies on the sides; over the top it is carried on by the width.
    uv = np.stack([points[..., 0], points[..., 1] - np.abs(points[..., 2])], axis=-1) / TILE_UNITS
    return from_grid(points, uv, wraps=True)


def rounded_box(width: float, height: float, depth: float, *, bevel: float = 0.05, steps: int = 10) -> Mesh:
    """A box centred at the origin with rounded edges; each side carries a flat pattern."""
    half = np.array([width, height, depth], dtype=np.float32) / 2
    bevel = min(bevel, float(half.min()) * 0.98)
    core = half - bevel
    # Samples are dense in the bevels, where the surface bends, and sparse on the flats.
    edge = np.sin(np.linspace(0, np.pi / 2, 5, dtype=np.float32))
    sides = []
    for axis in range(3):
        u_axis, v_axis = (axis + 1) % 3, (axis + 2) % 3
        u, v = _side_samples(core[u_axis], bevel, edge, steps), _side_samples(core[v_axis], bevel, edge, steps)
        for sign in (-1.0, 1.0):
            cube = np.empty((len(u), len(v), 3), dtype=np.float32)
            cube[..., u_axis], cube[..., v_axis], cube[..., axis] = u[:, None], v[None, :], sign * half[axis]
            inner = np.clip(cube, -core, core)
            outward = unit(cube - inner)
            points = inner + outward * bevel
            uv = np.stack(np.broadcast_arrays(u[:, None], v[None, :]), axis=-1) / TILE_UNITS
            if axis == 0:
                uv = uv[..., ::-1]
            side = from_grid(points, uv, closed=False)
            sides.append(Mesh(side.points, outward.reshape(-1, 3), side.uv, side.faces, closed=True))
    return merge(sides)


def ellipsoid(x: float, y: float, z: float, *, power: float = 2.0, segments: int = 48) -> Mesh:
    """A superellipsoid centred at the origin with the given half axes; ``power`` 2 is round, 4 boxy.

    A round one carries its pattern around it, a boxy one flat on its front and back.
    """
    latitude = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1, dtype=np.float32)
    angle = np.linspace(0, 2 * np.pi, segments + 1, dtype=np.float32)

    def bent(value: Floats) -> Floats:
        return np.asarray(np.sign(value) * np.abs(value) ** (2 / power), dtype=np.float32)

    ring, height = bent(np.cos(latitude)), bent(np.sin(latitude))
    points = np.stack(
        np.broadcast_arrays(
            x * ring[:, None] * bent(np.sin(angle)), y * height[:, None], z * ring[:, None] * bent(np.cos(angle))
        ),
        axis=-1,
    )
    around = max(2, round(2 * np.pi * max(x, z) * 0.85 / TILE_UNITS))
    along = latitude * y / TILE_UNITS
    uv = np.stack(np.broadcast_arrays(angle[None] / (2 * np.pi) * around, along[:, None]), axis=-1)
    if power > 2.5:
        uv = points[..., :2] / TILE_UNITS
    return from_grid(points.astype(np.float32), uv, wraps=True)


def puffed_outline(
    outline: Floats, depth: float, *, fullness: float = 3.0, rings: int = 14, centre: Point2 | None = None
) -> Mesh:
    """A flat shape swollen like a cushion: front and back of an outline seen along z.

    Args:
        outline: float32 (N, 2), a closed outline in the x-y plane that can be seen whole from its centre.
        depth: half thickness in the middle, units.
        fullness: high values keep the thickness up to the edge (a board), low ones slope early (a pillow).
        rings: rows between the edge and the middle.
        centre: the point that the rows shrink to; the mean of the outline if not given.
    """
    loop = np.concatenate([outline, outline[:1]])
    middle = outline.mean(axis=0) if centre is None else np.asarray(centre, dtype=np.float32)
    share = np.sin(np.linspace(0, np.pi / 2, rings, dtype=np.float32))
    thickness = depth * (1 - share**fullness) ** (1 / fullness)
    front = _ring_points(loop, middle, share, thickness)
    back = _ring_points(loop, middle, share[:-1], -thickness[:-1])[::-1]
    points = np.concatenate([front, back])
    uv = points[..., :2] / TILE_UNITS
    return from_grid(points, uv, wraps=True)


def mirrored(half: Sequence[Point2], radius: float = 0.05) -> Floats:
    """A closed outline, float32 (N, 2), from its right half (top middle to bottom middle), corners rounded."""
    line = rounded_line([(0.0, half[0][1]), *half, (0.0, half[-1][1])], radius)
    dense = _dense(line, 0.06)
    left = dense[-2:0:-1] * np.array([-1, 1], np.float32)
    return np.concatenate([dense, left])


def disc(radius: float, *, segments: int = 40) -> Mesh:
    """A flat disc in the x-y plane facing +z, seen from both sides."""
    ring = np.linspace(0, radius, 6, dtype=np.float32)
    angle = np.linspace(0, 2 * np.pi, segments + 1, dtype=np.float32)
    points = np.stack(
        [ring[:, None] * np.cos(angle), ring[:, None] * np.sin(angle), np.zeros((6, segments + 1), np.float32)], axis=-1
    )
    return from_grid(points, points[..., :2] / TILE_UNITS, wraps=True, closed=False)


def _ring_points(loop: Floats, centre: Floats, share: AnyFloats, height: AnyFloats) -> AnyFloats:
    """Copies of a loop drawn in to its centre by ``share`` and raised to ``height``: float32 (len(share), N, 3)."""
    flat = centre + share[:, None, None] * (loop - centre)[None]
    return np.concatenate([flat, np.broadcast_to(height[:, None, None], (*flat.shape[:2], 1))], axis=-1)


def _side_samples(core: float, bevel: float, edge: Floats, steps: int) -> Floats:
    """Sample positions along one side of a box: bevel, flat, bevel."""
    flat = np.linspace(-core, core, steps, dtype=np.float32)
    return np.concatenate([-core - bevel * edge[:0:-1], flat, core + bevel * edge[1:]])


def _arc_length(line: Floats) -> Floats:
    """Distance along a line from its first point, float32 (N,)."""
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]).astype(np.float32)


def _dense(line: Floats, gap: float) -> Floats:
    """The line with points added so that no two neighbours are further apart than ``gap``."""
    pieces = [line[:1]]
    for start, end in itertools.pairwise(line):
        count = max(1, int(np.ceil(float(np.linalg.norm(end - start)) / gap)))
        pieces.append(start + (end - start) * (np.arange(1, count + 1, dtype=np.float32) / count)[:, None])
    return np.concatenate(pieces).astype(np.float32)


def _frames(tangent: Floats) -> tuple[Floats, Floats]:
    """Two unit vectors across each tangent, carried along the curve without twisting (parallel transport)."""
    first = np.array([1, 0, 0] if abs(tangent[0, 0]) < 0.9 else [0, 0, 1], dtype=np.float32)
    side = np.empty_like(tangent)
    previous = first
    for i, direction in enumerate(tangent):
        previous = previous - direction * float(previous @ direction)
        previous = previous / max(float(np.linalg.norm(previous)), 1e-9)
        side[i] = previous
    return side, np.cross(tangent, side)
