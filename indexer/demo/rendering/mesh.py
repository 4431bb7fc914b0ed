"""Meshes: the arrays that a part of a product is made of, and how grids of points become one.

Axes are right-handed: x to the right, y up, z towards a viewer at azimuth 0. One unit is about half a product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
AnyFloats = NDArray[np.floating[Any]]
Ints = NDArray[np.int32]

TILE_UNITS = 0.34
"""Length of one repeat of a pattern on a surface, in object units."""


@dataclass(frozen=True)
class Mesh:
    """Triangles with smooth normals and texture coordinates.

    Attributes:
        points: float32 (V, 3), object units.
        normals: float32 (V, 3), unit length, outwards where ``closed``.
        uv: float32 (V, 2), in pattern repeats (one repeat is one unit).
        faces: int32 (F, 3), indices into the vertices.
        closed: the surface has an inside that is never seen, so faces turned away need not be drawn.
    """

    points: Floats
    normals: Floats
    uv: Floats
    faces: Ints
    closed: bool = True

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        """The same mesh shifted by (x, y, z) units."""
        return replace(self, points=self.points + np.array([x, y, z], dtype=np.float32))

    def turned(self, axis: str, degrees: float) -> Mesh:
        """The same mesh turned about the ``x``, ``y`` or ``z`` axis through the origin."""
        matrix = rotation(axis, degrees)
        return replace(self, points=onto_axes(self.points, matrix), normals=onto_axes(self.normals, matrix))

    def scaled(self, x: float, y: float, z: float) -> Mesh:
        """The same mesh stretched along the axes; normals follow (inverse scale, then renormalised)."""
        scale = np.array([x, y, z], dtype=np.float32)
        return replace(self, points=self.points * scale, normals=unit(self.normals / scale))


def unit(vectors: Floats) -> Floats:
    """Rows of float32 (..., 3) scaled to length 1; zero rows stay zero."""
    length = np.sqrt(dot(vectors, vectors))
    return np.asarray(vectors / np.maximum(length, 1e-9)[..., None], dtype=np.float32)


def dot(first: Floats, second: Floats) -> Floats:
    """Scalar products of rows, float32 (..., N) by (..., N) or (N,), to (...): by columns, far faster than a sum."""
    product = first[..., 0] * second[..., 0]
    for column in range(1, first.shape[-1]):
        product = product + first[..., column] * second[..., column]
    return np.asarray(product, dtype=np.float32)


def onto_axes(vectors: Floats, axes: Floats) -> Floats:
    """Rows float32 (N, 3) seen along three axes, the rows of float32 (3, 3): the same as ``vectors @ axes.T``.

    Without the linear algebra library: its threads cost more than they save here, and get in each other's way where
    several processes draw.
    """
    return np.stack([dot(vectors, axis) for axis in axes], axis=-1)


def rotation(axis: str, degrees: float) -> Floats:
    """Right-handed rotation matrix, float32 (3, 3), about a coordinate axis."""
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    rows = {
        "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[axis]
    return np.array(rows, dtype=np.float32)


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several; closed only if every one of them is."""
    offsets = np.cumsum([0, *(len(mesh.points) for mesh in meshes[:-1])])
    return Mesh(
        points=np.concatenate([mesh.points for mesh in meshes]),
        normals=np.concatenate([mesh.normals for mesh in meshes]),
        uv=np.concatenate([mesh.uv for mesh in meshes]),
        faces=np.concatenate([mesh.faces + np.int32(o) for mesh, o in zip(meshes, offsets, strict=True)]),
        closed=all(mesh.closed for mesh in meshes),
    )


def from_grid(points: AnyFloats, uv: AnyFloats, *, wraps: bool = False, closed: bool = True) -> Mesh:
    """A mesh from a grid of points.

    Args:
        points: floats (N, M, 3). Where ``wraps``, column M-1 repeats column 0.
        uv: floats (N, M, 2).
        wraps: whether the second axis closes on itself.
        closed: see :class:`Mesh`; normals are then turned outwards by the sign of the enclosed volume.
    """
    points = points.astype(np.float32)
    rows, columns = points.shape[:2]
    normals = _grid_normals(points, wraps)
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    flat = points.reshape(-1, 3)
    if closed and _signed_volume(flat, faces) < 0:
        faces = faces[:, ::-1]
    flat_normals = normals.reshape(-1, 3)
    if closed:
        flat_normals = _agree_with_faces(flat, faces, flat_normals)
    return Mesh(
        points=np.ascontiguousarray(flat, dtype=np.float32),
        normals=flat_normals,
        uv=np.ascontiguousarray(uv.reshape(-1, 2), dtype=np.float32),
        faces=np.ascontiguousarray(faces),
        closed=closed,
    )


def _grid_normals(points: Floats, wraps: bool) -> Floats:
    """Normals of a grid, float32 (N, M, 3): the cross product of central differences along the two axes."""
    along = np.asarray(np.gradient(points, axis=0), dtype=np.float32)
    if wraps:
        ring = points[:, :-1]
        step = (np.roll(ring, -1, axis=1) - np.roll(ring, 1, axis=1)) / 2
        across = np.concatenate([step, step[:, :1]], axis=1).astype(np.float32)
    else:
        across = np.asarray(np.gradient(points, axis=1), dtype=np.float32)
    normals = np.cross(across, along)
    length = np.linalg.norm(normals, axis=-1)
    # At a pole a whole row is one point and has no tangent: take the mean direction of the row beside it.
    for pole, beside in ((0, 1), (-1, -2)):
        if length[pole].max() < 1e-6:
            normals[pole] = normals[beside].mean(axis=0)
    return unit(normals)


def _signed_volume(points: Floats, faces: Ints) -> float:
    """Volume enclosed by the faces (sum of signed tetrahedra about the centroid), positive if they face outwards."""
    a, b, c = (points[faces[:, i]] - points.mean(axis=0) for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum())


def _agree_with_faces(points: Floats, faces: Ints, normals: Floats) -> Floats:
    """Normals turned so that, over all, they point to the side that the faces' winding calls outwards."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    outward = np.cross(b - a, c - a)
    vertex = normals[faces].sum(axis=1)
    return normals if float((outward * vertex).sum()) >= 0 else -normals
