"""Light on the seen surfaces: sun and sky, cast shadow, highlight, reflection of a softbox."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.demo.rendering.camera import Camera
from indexer.demo.rendering.mesh import Floats, Mesh, dot, onto_axes, rotation, unit
from indexer.demo.rendering.raster import Fragments, rasterise

SHADOW_MAP_PX = 220


@dataclass(frozen=True)
class Light:
    """How a scene is lit.

    Attributes:
        azimuth_deg, elevation_deg: where the main light stands, relative to the camera's azimuth.
        key: strength of the main light (1 is usual).
        ambient: strength of the light from all round.
        warmth: -1 (bluish) to 1 (yellowish), colour of the main light.
    """

    azimuth_deg: float = -35.0
    elevation_deg: float = 50.0
    key: float = 1.0
    ambient: float = 0.5
    warmth: float = 0.0

    def colour(self) -> Floats:
        """Colour of the main light, linear float32 (3,), before its strength."""
        return np.array([1 + 0.16 * self.warmth, 1.0, 1 - 0.22 * self.warmth], dtype=np.float32)

    def direction(self, camera_azimuth_deg: float) -> Floats:
        """Unit vector from the product to the light, world axes, float32 (3,)."""
        lift = rotation("x", -self.elevation_deg) @ np.array([0, 0, 1], dtype=np.float32)
        return np.asarray(rotation("y", camera_azimuth_deg + self.azimuth_deg) @ lift, dtype=np.float32)


@dataclass(frozen=True)
class Paint:
    """Per-fragment paint: albedo linear float32 (P, 3); gloss, metal, glow float32 (P,)."""

    albedo: Floats
    gloss: Floats
    metal: Floats
    glow: Floats


@dataclass(frozen=True)
class SurfacePoints:
    """Per-fragment geometry in world axes: place and unit normal, float32 (P, 3), texture float32 (P, 2)."""

    place: Floats
    normal: Floats
    uv: Floats


def surface_points(mesh: Mesh, fragments: Fragments, camera: Camera) -> SurfacePoints:
    """Geometry interpolated at the fragments; normals are turned towards the camera."""
    attributes = np.concatenate([mesh.points, mesh.normals, mesh.uv], axis=1)
    corners = mesh.faces[fragments.face]
    mixed = attributes[corners[:, 0]] * fragments.weights[:, :1]
    mixed += attributes[corners[:, 1]] * fragments.weights[:, 1:2]
    mixed += attributes[corners[:, 2]] * fragments.weights[:, 2:]
    place, normal = mixed[:, :3], unit(mixed[:, 3:6])
    away = dot(normal, camera.position - place) < 0
    normal[away] *= -1
    return SurfacePoints(place, normal, mixed[:, 6:8])


def shade(
    points: SurfacePoints, paint: Paint, light: Light, *, toward_light: Floats, eye: Floats, lit: Floats
) -> Floats:
    """Outgoing light, linear float32 (P, 3).

    Args:
        points, paint, light: what is lit and by what.
        toward_light: unit vector float32 (3,).
        eye: camera position float32 (3,).
        lit: float32 (P,), 0 in the cast shadow, 1 in the light.
    """
    normal = points.normal
    view = unit(eye - points.place)
    facing = dot(normal, toward_light)
    diffuse = np.maximum(facing, 0) * lit
    sky = 0.5 + 0.5 * normal[:, 1]
    ambient = light.ambient * (0.55 + 0.6 * sky)
    irradiance = ambient[:, None] + (light.key * 0.85 * diffuse)[:, None] * light.colour()
    result = paint.albedo * irradiance * (1 - 0.55 * paint.metal[:, None])

    half = unit(view + toward_light)
    shine = np.maximum(dot(normal, half), 0)
    sharp = 12 + 90 * paint.gloss
    highlight = paint.gloss * light.key * lit * shine**sharp * (facing > 0) * 0.55
    along = dot(normal, view)
    mirror = 2 * along[:, None] * normal - view
    # Schlick's approximation of Fresnel reflection, with a base of 4 % for everything that is not metal.
    fresnel = 0.04 + 0.96 * (1 - np.clip(along, 0, 1)) ** 5
    reflection = (
        paint.gloss * np.where(paint.metal > 0, 0.75, fresnel) * _studio(mirror, toward_light) * light.ambient * 2
    )
    tint = np.where(paint.metal[:, None] > 0, paint.albedo, 1.0)
    result = result + (highlight + reflection)[:, None] * tint
    return np.asarray(result + paint.albedo * paint.glow[:, None], dtype=np.float32)


def _studio(direction: Floats, toward_light: Floats) -> Floats:
    """Brightness of a studio seen in a direction: dark below, bright above, a softbox around the main light."""
    sky = np.clip(0.5 + 0.7 * direction[:, 1], 0.1, 1.0)
    box = np.clip((dot(direction, toward_light) - 0.86) * 14, 0, 1)
    return np.asarray(sky * 0.55 + box * 1.6, dtype=np.float32)


def cast_shadow(mesh: Mesh, place: Floats, toward_light: Floats) -> Floats:
    """Whether points see the light: float32 (P,), 1 lit, 0 in the product's own shadow, soft between.

    A shadow map (Williams, "Casting curved shadows on curved surfaces", SIGGRAPH 1978) with percentage-closer
    filtering over 3 x 3 texels.
    """
    right = unit(np.cross(np.array([0, 1, 0], np.float32), toward_light)[None])[0]
    up = np.cross(toward_light, right)
    axes = np.stack([right, up, toward_light]).astype(np.float32)
    vertices, seen = onto_axes(mesh.points, axes), onto_axes(place, axes)
    low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    scale = (SHADOW_MAP_PX - 6) / float((high - low).max())
    nearness = vertices[:, 2] - float(vertices[:, 2].min()) + 1.0
    offset = float(vertices[:, 2].min()) - 1.0
    fragments = rasterise(
        ((vertices[:, :2] - low) * scale + 3).astype(np.float32), nearness.astype(np.float32), mesh.faces, SHADOW_MAP_PX
    )
    depth = np.full(SHADOW_MAP_PX * SHADOW_MAP_PX, -1e3, dtype=np.float32)
    depth[fragments.pixel] = fragments.nearness
    grid = depth.reshape(SHADOW_MAP_PX, SHADOW_MAP_PX)
    where = (seen[:, :2] - low) * scale + 3
    column, row = where[:, 0].astype(np.int32), where[:, 1].astype(np.int32)
    own = seen[:, 2] - offset + 0.045
    lit = np.zeros(len(place), dtype=np.float32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            lit += _at(grid, row + dy, column + dx) <= own
    return np.asarray(lit / 9, dtype=np.float32)


def _at(grid: Floats, row: NDArray[np.int32], column: NDArray[np.int32]) -> Floats:
    """Values of a square grid, indices held inside it."""
    limit = grid.shape[0] - 1
    return grid[np.clip(row, 0, limit), np.clip(column, 0, limit)]


def crease_shadow(nearness: Floats, covered: Floats) -> Floats:
    """Darkening where something nearer is close by in the picture: float32 (S, S), 1 none, down to about 0.6.

    Depth darkening by an unsharp mask of the depth buffer (Luft, Colditz, Deussen, SIGGRAPH 2006). The background
    counts as no nearer than the product, so that outlines stay clean.
    """
    radius = max(1, nearness.shape[0] // 40)
    filled = np.where(covered > 0, nearness, 0)
    total, weight = box_blur(filled, radius, passes=2), box_blur(covered, radius, passes=2)
    mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > 1e-4)
    behind = np.maximum(mean - filled, 0) * covered
    return np.asarray(1 - np.clip(behind * 60, 0, 0.42), dtype=np.float32)


def box_blur(picture: Floats, radius_px: int, *, passes: int = 3) -> Floats:
    """A float32 (S, S) picture blurred by repeated running means; edges repeat the border."""
    if radius_px < 1:
        return picture
    width = 2 * radius_px + 1
    for _ in range(passes):
        for _axis in (0, 1):
            padded = np.concatenate(
                [np.repeat(picture[:1], radius_px + 1, 0), picture, np.repeat(picture[-1:], radius_px, 0)]
            )
            total = np.cumsum(padded, axis=0)
            picture = np.ascontiguousarray(((total[width:] - total[:-width]) / np.float32(width)).T)
    return picture
