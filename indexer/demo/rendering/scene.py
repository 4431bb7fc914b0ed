"""From a description of a product and a camera to a picture of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.demo.rendering.backdrops import Backdrop, paint_backdrop
from indexer.demo.rendering.camera import Camera, View, aim
from indexer.demo.rendering.colours import FITTINGS, fitting, shade_of, to_srgb
from indexer.demo.rendering.mesh import Floats, Ints, Mesh, dot, merge
from indexer.demo.rendering.parts import Surface
from indexer.demo.rendering.patterns import accent_share
from indexer.demo.rendering.raster import Fragments, coverage, rasterise
from indexer.demo.rendering.shading import (
    Light,
    Paint,
    SurfacePoints,
    box_blur,
    cast_shadow,
    crease_shadow,
    shade,
    surface_points,
)
from indexer.demo.rendering.shapes import DRAWINGS

LARGE_PX = 384
"""From this size on, pictures are drawn 1.5 times larger and averaged; smaller ones 2 times."""


@dataclass(frozen=True)
class Look:
    """What a made-up product looks like.

    Attributes:
        product_type: a key of ``DRAWINGS``.
        colour: a key of ``PALETTE``, the main colour.
        pattern: one of ``PATTERNS`` that the type has room for.
        accent: the pattern's colour (also of trimmings), a key of ``PALETTE``.
        shape_seed: proportions, trimmings and the exact shade; products that differ in colour only share it.
    """

    product_type: str
    colour: str
    pattern: str
    accent: str
    shape_seed: int


@dataclass(frozen=True)
class Layers:
    """A product apart from its background, everything linear light at the asked-for size.

    Attributes:
        light: float32 (S, S, 3), the product's light times its coverage.
        cover: float32 (S, S), share of each pixel that the product covers.
        shadow: float32 (S, S), how much it darkens what is behind it, 0-1.
        camera: the camera used, for painting a backdrop in the same perspective.
        floor_y: height of the ground in the world.
    """

    light: Floats
    cover: Floats
    shadow: Floats
    camera: Camera
    floor_y: float


@dataclass(frozen=True)
class _Model:
    """A built product: one mesh, the surface of each face, and its normalised size (radius 1 about the origin)."""

    mesh: Mesh
    surfaces: tuple[Surface, ...]
    face_surface: Ints
    face_closed: NDArray[np.bool_]


@lru_cache(maxsize=8)
def _model(product_type: str, shape_seed: int) -> _Model:
    rng = np.random.default_rng([shape_seed, crc32(product_type.encode())])
    parts = DRAWINGS[product_type].shape(rng)
    mesh = merge([part.mesh for part in parts])
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    radius = float(np.linalg.norm(high - low)) / 2
    centred = (mesh.points - (low + high) / 2) / radius
    counts = [len(part.mesh.faces) for part in parts]
    return _Model(
        mesh=Mesh(centred.astype(np.float32), mesh.normals, mesh.uv, mesh.faces, mesh.closed),
        surfaces=tuple(part.surface for part in parts),
        face_surface=np.repeat(np.arange(len(parts), dtype=np.int32), counts),
        face_closed=np.repeat([part.mesh.closed for part in parts], counts),
    )


def draw(look: Look, view: View, light: Light, size_px: int) -> Layers:
    """The product as the camera sees it, without a background; anti-aliased by drawing larger and averaging."""
    model = _model(look.product_type, look.shape_seed)
    inner = round(size_px * (2.0 if size_px < LARGE_PX else 1.5))
    factor = inner / size_px
    camera = aim(view, model.mesh.points, inner)
    screen, nearness = camera.project(model.mesh.points)
    faces = _facing(model, camera)
    fragments = rasterise(screen, nearness, model.mesh.faces[faces], inner)
    points = surface_points(Mesh(*_arrays(model.mesh, faces)), fragments, camera)
    paint = _paint(look, model, faces[fragments.face], points)
    toward_light = light.direction(view.azimuth_deg)
    lit = cast_shadow(model.mesh, points.place, toward_light)
    colour = shade(points, paint, light, toward_light=toward_light, eye=camera.position, lit=lit)
    picture, cover = _settle(colour, fragments, inner)
    floor_y = float(model.mesh.points[:, 1].min())
    shadow = _shadow(model.mesh, camera, toward_light, floor_y, inner)
    if DRAWINGS[look.product_type].floats:
        shadow = _wall_shadow(cover, light)
    return Layers(
        light=np.stack([_resized(picture[..., i], size_px) for i in range(3)], axis=-1),
        cover=_resized(cover, size_px),
        shadow=_resized(shadow, size_px),
        camera=Camera(
            camera.turn, camera.focal_px / factor, (camera.centre_px[0] / factor, camera.centre_px[1] / factor)
        ),
        floor_y=floor_y - (2.4 if DRAWINGS[look.product_type].floats else 0.0),
    )


def photograph(look: Look, view: View, light: Light, backdrop: Backdrop, size_px: int) -> Image.Image:
    """A finished picture, RGB, ``size_px`` square."""
    layers = draw(look, view, light, size_px)
    behind = paint_backdrop(backdrop, layers.camera, layers.floor_y, size_px)
    behind = behind * (0.45 + 0.55 * min(light.key, 1.3)) * (1 - 0.75 * layers.shadow[..., None])
    joined = layers.light + behind * (1 - layers.cover[..., None])
    return Image.fromarray((to_srgb(joined) * 255 + 0.5).clip(0, 255).astype(np.uint8))


def _arrays(mesh: Mesh, faces: NDArray[np.int64]) -> tuple[Floats, Floats, Floats, Ints]:
    return mesh.points, mesh.normals, mesh.uv, mesh.faces[faces]


def _facing(model: _Model, camera: Camera) -> NDArray[np.int64]:
    """Indices of the faces that can be seen: all of open surfaces, of closed ones those turned to the camera."""
    corners = model.mesh.faces
    toward = dot(model.mesh.normals, camera.position - model.mesh.points)
    # A face goes only if all three of its corners look well away: smooth normals must not nibble at outlines.
    hidden = np.maximum(np.maximum(toward[corners[:, 0]], toward[corners[:, 1]]), toward[corners[:, 2]]) < -0.35
    return np.flatnonzero(~(hidden & model.face_closed))


def _paint(look: Look, model: _Model, face: NDArray[np.int64], points: SurfacePoints) -> Paint:
    """Colour and finish of every fragment."""
    rng = np.random.default_rng([look.shape_seed, 3])
    main, accent = shade_of(look.colour, rng), shade_of(look.accent, rng)
    zoom, quarter_turn = float(rng.uniform(0.75, 1.0)), bool(rng.random() < 0.25)
    surface_of = model.face_surface[face]
    flat = {"main": main, "accent": accent, **{name: fitting(name) for name in FITTINGS}}
    colours = np.stack([flat[surface.paint] for surface in model.surfaces])
    albedo = colours[surface_of]
    patterned = np.array([surface.patterned for surface in model.surfaces])[surface_of]
    if look.pattern != "plain" and patterned.any():
        u, v = points.uv[patterned, 0], points.uv[patterned, 1] * zoom
        if quarter_turn and look.pattern == "striped":
            u, v = v, u
        share = accent_share(look.pattern, u, v)[:, None]
        albedo[patterned] = main * (1 - share) + accent * share

    def of_surface(values: list[float]) -> Floats:
        return np.array(values, dtype=np.float32)[surface_of]

    return Paint(
        albedo=albedo,
        gloss=of_surface([surface.gloss for surface in model.surfaces]),
        metal=of_surface([float(surface.metal) for surface in model.surfaces]),
        glow=of_surface([surface.glow for surface in model.surfaces]),
    )


def _settle(colour: Floats, fragments: Fragments, size_px: int) -> tuple[Floats, Floats]:
    """Fragments laid out as a picture (S, S, 3) with creases darkened, and coverage (S, S)."""
    count = size_px * size_px
    cover, depth = np.zeros(count, np.float32), np.zeros(count, np.float32)
    cover[fragments.pixel], depth[fragments.pixel] = 1, fragments.nearness
    square, half = (size_px, size_px), size_px // 2
    crease = _resized(
        crease_shadow(_resized(depth.reshape(square), half), _resized(cover.reshape(square), half)), size_px
    )
    picture = np.zeros((count, 3), np.float32)
    picture[fragments.pixel] = colour * crease.reshape(-1)[fragments.pixel, None]
    return picture.reshape(*square, 3), cover.reshape(square)


def _shadow(mesh: Mesh, camera: Camera, toward_light: Floats, floor_y: float, size_px: int) -> Floats:
    """Shadow on the ground, float32 (S/4, S/4): the light's, soft, and a tighter one straight below for contact."""
    small = max(16, size_px // 4)
    shrink = small / size_px
    total = np.zeros((small, small), np.float32)
    lift = mesh.points[:, 1] - floor_y
    steep = np.array([toward_light[0] * 0.15, 1.0, toward_light[2] * 0.15], np.float32)
    for direction, strength, blur in ((toward_light, 0.45, 0.02), (steep, 0.5, 0.012)):
        fall = lift[:, None] * (direction / max(float(direction[1]), 0.35))
        ground = (mesh.points - fall).astype(np.float32)
        ground[:, 1] = floor_y
        screen, _ = camera.project(ground)
        mask = coverage((screen * shrink).astype(np.float32), mesh.faces, small)
        total = np.maximum(total, box_blur(mask, max(1, round(small * blur))) * strength)
    return total


def _wall_shadow(cover: Floats, light: Light) -> Floats:
    """Shadow on a wall close behind a hanging product: its outline, shifted away from the light and blurred."""
    size_px = cover.shape[0]
    step = round(size_px * 0.025)
    shifted = np.roll(cover, (step, step if light.azimuth_deg < 0 else -step), axis=(0, 1))
    return box_blur(_resized(shifted, size_px // 4), max(1, size_px // 140)) * 0.4


def _resized(picture: Floats, size_px: int) -> Floats:
    """A float32 (S, S) picture at another size: averaged where it shrinks, bilinear where it grows."""
    if picture.shape[0] == size_px:
        return picture
    method = Image.Resampling.BOX if size_px < picture.shape[0] else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(picture).resize((size_px, size_px), method), dtype=np.float32)
