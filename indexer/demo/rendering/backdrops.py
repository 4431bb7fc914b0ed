"""What stands behind and under a product: studio paper, rooms with floors and walls, plain and cluttered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from indexer.demo.rendering.camera import DISTANCE, Camera
from indexer.demo.rendering.colours import PALETTE, linear
from indexer.demo.rendering.mesh import Floats
from indexer.demo.rendering.shading import box_blur

STUDIO = "studio"
ROOMS = ("paper", "wood", "tiles", "carpet", "brick", "lights", "clutter")
"""Kinds of backdrop other than a shop's studio."""


@dataclass(frozen=True)
class Backdrop:
    """A backdrop by kind and seed; the same two give the same one."""

    kind: str = STUDIO
    seed: int = 0


def paint_backdrop(backdrop: Backdrop, camera: Camera, floor_y: float, size_px: int) -> Floats:
    """The empty scene as the camera sees it: linear light float32 (S, S, 3).

    Args:
        backdrop: which one.
        camera: for the line where floor meets wall and the floor's perspective.
        floor_y: height of the floor in the world.
        size_px: side of the picture.
    """
    rng = np.random.default_rng([backdrop.seed, 77])
    if backdrop.kind == STUDIO:
        return _studio(rng, size_px)
    if backdrop.kind == "lights":
        return _lights(rng, size_px)
    across, along, floor = _ground(camera, floor_y, size_px)
    surfaces = {"paper": _paper, "wood": _wood, "tiles": _tiles, "carpet": _carpet, "brick": _paper, "clutter": _wood}
    ground = surfaces[backdrop.kind](rng, across, along)
    rows, columns = np.mgrid[0:size_px, 0:size_px].astype(np.float32) / size_px
    wall_surfaces = {"brick": _brick, "tiles": _paper, "carpet": _paper}
    wall = wall_surfaces.get(backdrop.kind, _paper)(rng, columns * 6, rows * 6)
    wall = wall * (1.05 - 0.35 * rows[..., None])
    picture = np.where(floor[..., None], ground, wall)
    picture = picture * (1.0 - 0.25 * np.hypot(columns - 0.5, rows - 0.5)[..., None])
    if backdrop.kind == "clutter":
        picture = _clutter(rng, picture)
    return np.asarray(picture, dtype=np.float32)


def _ground(camera: Camera, floor_y: float, size_px: int) -> tuple[Floats, Floats, Floats]:
    """Floor coordinates across and along the viewing direction, and a mask of where the floor is seen: (S, S) each."""
    tilt = float(np.arcsin(np.clip(camera.turn[2, 1], -1, 1)))
    y, x = np.mgrid[0:size_px, 0:size_px].astype(np.float32) + 0.5
    ray_x = (x - camera.centre_px[0]) / camera.focal_px
    ray_y = (camera.centre_px[1] - y) / camera.focal_px
    fall = ray_y * np.cos(tilt) - np.sin(tilt)
    eye_height, eye_back = DISTANCE * np.sin(tilt) - floor_y, DISTANCE * np.cos(tilt)
    reach = np.where(fall < -1e-3, eye_height / np.maximum(-fall, 1e-3), 1e3)
    along = reach * (np.cos(tilt) + ray_y * np.sin(tilt)) - eye_back
    wall = 2.6
    return (ray_x * reach).astype(np.float32), along.astype(np.float32), np.asarray(along < wall)


def smooth_noise(rng: np.random.Generator, cells: int, size_px: int) -> Floats:
    """Smooth random values, float32 (S, S), about 0-1, that repeat seamlessly: a coarse grid enlarged bicubically."""
    grid = np.pad(rng.random((cells, cells), dtype=np.float32), 2, mode="wrap")
    step = size_px // cells
    large = Image.fromarray(grid).resize((step * (cells + 4),) * 2, Image.Resampling.BICUBIC)
    return np.asarray(large, dtype=np.float32)[2 * step : 2 * step + step * cells, 2 * step : 2 * step + step * cells]


def _sampled(texture: Floats, u: Floats, v: Floats) -> Floats:
    """A square texture read at (u, v), repeating every unit, nearest texel."""
    size = texture.shape[0]
    rows = np.floor(v * size).astype(np.int64) % size
    columns = np.floor(u * size).astype(np.int64) % size
    return np.asarray(texture[rows, columns])


def _blended(texture: Floats, u: Floats, v: Floats) -> Floats:
    """As :func:`_sampled`, but bilinear: for textures seen enlarged."""
    size = texture.shape[0]
    x, y = u * size, v * size
    left, top = np.floor(x), np.floor(y)
    share_x, share_y = x - left, y - top
    columns, rows = left.astype(np.int64), top.astype(np.int64)
    above = texture[rows % size, columns % size] * (1 - share_x) + texture[rows % size, (columns + 1) % size] * share_x
    rows = rows + 1
    below = texture[rows % size, columns % size] * (1 - share_x) + texture[rows % size, (columns + 1) % size] * share_x
    return np.asarray(above * (1 - share_y) + below * share_y, dtype=np.float32)


def _tone(rng: np.random.Generator) -> Floats:
    """A muted wall or floor colour, linear light float32 (3,)."""
    names = list(PALETTE)
    colour = linear(PALETTE[names[int(rng.integers(len(names)))]])
    grey = np.float32(rng.uniform(0.15, 0.75))
    return np.asarray(colour * 0.45 + grey * 0.55, dtype=np.float32) * np.float32(rng.uniform(0.6, 1.1))


def _studio(rng: np.random.Generator, size_px: int) -> Floats:
    tint = 1 - rng.uniform(0, 0.06, 3).astype(np.float32)
    rows, columns = np.mgrid[0:size_px, 0:size_px].astype(np.float32) / size_px
    glow = 1 - 0.45 * np.hypot(columns - 0.5, (rows - 0.42) * 0.9)
    level = rng.uniform(0.7, 0.9) * (0.8 + 0.25 * glow)
    return np.asarray(level[..., None] * tint, dtype=np.float32)


def _paper(rng: np.random.Generator, u: Floats, v: Floats) -> Floats:
    grain = _blended(smooth_noise(rng, 8, 128), u * 0.1, v * 0.1)
    return np.asarray((0.85 + 0.3 * grain)[..., None] * _tone(rng), dtype=np.float32)


def _carpet(rng: np.random.Generator, u: Floats, v: Floats) -> Floats:
    grain = _sampled(rng.random((256, 256), dtype=np.float32), u * 0.4, v * 0.4)
    blots = _blended(smooth_noise(rng, 16, 256), u * 0.2, v * 0.2)
    first, second = _tone(rng), _tone(rng)
    mixed = np.where((blots > 0.55)[..., None], first, second)
    return np.asarray(mixed * (0.65 + 0.6 * grain)[..., None], dtype=np.float32)


def _wood(rng: np.random.Generator, u: Floats, v: Floats) -> Floats:
    plank_width = rng.uniform(0.35, 0.6)
    plank = np.floor(u / plank_width)
    tone = _sampled(rng.random((64, 64), dtype=np.float32), plank * 0.137, plank * 0.071)
    texture = smooth_noise(rng, 64, 256)
    grain = _blended(texture, u * 0.9, v * 0.05 + tone)
    base = linear((176, 120, 70)) if rng.random() < 0.5 else linear((110, 72, 44))
    joint = np.abs(u / plank_width - plank - 0.5) > 0.48
    level = (0.6 + 0.4 * tone + 0.55 * (grain - 0.5)) * np.where(joint, 0.45, 1.0)
    return np.asarray(level[..., None] * base, dtype=np.float32)


def _tiles(rng: np.random.Generator, u: Floats, v: Floats) -> Floats:
    side = rng.uniform(0.5, 0.9)
    a, b = np.floor(u / side), np.floor(v / side)
    first, second = _tone(rng), _tone(rng)
    mixed = np.where((np.mod(a + b, 2) < 1)[..., None], first, second)
    joint = (np.abs(u / side - a - 0.5) > 0.47) | (np.abs(v / side - b - 0.5) > 0.47)
    return np.asarray(np.where(joint[..., None], np.float32(0.3), mixed), dtype=np.float32)


def _brick(rng: np.random.Generator, u: Floats, v: Floats) -> Floats:
    row = np.floor(v * 2.2)
    shifted = u * 1.1 + 0.5 * np.mod(row, 2)
    brick = np.floor(shifted)
    tone = _sampled(rng.random((64, 64), dtype=np.float32), brick * 0.173, row * 0.119)
    joint = (np.abs(shifted - brick - 0.5) > 0.46) | (np.abs(v * 2.2 - row - 0.5) > 0.43)
    base = linear((150, 74, 56)) if rng.random() < 0.6 else linear((190, 184, 176))
    colour = base * (0.6 + 0.6 * tone)[..., None]
    return np.asarray(np.where(joint[..., None], np.float32(0.38), colour), dtype=np.float32)


def _lights(rng: np.random.Generator, size_px: int) -> Floats:
    """An out-of-focus night street: dark, with soft discs of light."""
    picture = np.broadcast_to(_tone(rng) * 0.25, (size_px, size_px, 3)).copy()
    rows, columns = np.mgrid[0:size_px, 0:size_px].astype(np.float32) / size_px
    for _ in range(int(rng.integers(12, 28))):
        x, y, radius = rng.random(), rng.random() * 0.9, rng.uniform(0.02, 0.09)
        top, left = (max(0, int((middle - radius) * size_px)) for middle in (y, x))
        bottom, right = (int((middle + radius) * size_px) + 2 for middle in (y, x))
        window = (slice(top, bottom), slice(left, right))
        edge = np.clip((radius - np.hypot(columns[window] - x, rows[window] - y)) * size_px / 3, 0, 1)
        picture[window] += edge[..., None] * (_tone(rng) * np.float32(rng.uniform(0.3, 0.9)))
    return np.asarray(picture, dtype=np.float32)


def _clutter(rng: np.random.Generator, picture: Floats) -> Floats:
    """Blurred boxes and discs of other colours, as things left lying behind the product."""
    size_px = picture.shape[0]
    rows, columns = np.mgrid[0:size_px, 0:size_px].astype(np.float32) / size_px
    picture = picture.copy()
    for _ in range(int(rng.integers(6, 14))):
        x, y = rng.uniform(-0.05, 1.05), rng.uniform(0.0, 0.8)
        half_x, half_y = rng.uniform(0.04, 0.18, 2)
        if rng.random() < 0.5:
            mask = (np.abs(columns - x) < half_x) & (np.abs(rows - y) < half_y)
        else:
            mask = ((columns - x) / half_x) ** 2 + ((rows - y) / half_y) ** 2 < 1
        names = list(PALETTE)
        colour = linear(PALETTE[names[int(rng.integers(len(names)))]]) * np.float32(rng.uniform(0.5, 1.1))
        shade = (0.8 + 0.4 * (columns - x) / half_x * 0.5)[..., None]
        picture = np.where(mask[..., None], colour * shade, picture)
    radius = max(1, round(size_px * float(rng.uniform(0.004, 0.012))))
    return np.stack([box_blur(np.ascontiguousarray(picture[..., i]), radius, passes=2) for i in range(3)], axis=-1)
