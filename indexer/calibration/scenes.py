"""Pictures in which there is no product, drawn: for catalogs whose own products cannot stand for strangers."""

from __future__ import annotations

import numpy as np
from PIL import Image

_SIDE_PX = 160


def empty_scene(number: int) -> Image.Image:
    """One of endlessly many: landscapes of sky and ground, blurred colours, noise; RGB, 160 px.

    Args:
        number: which one; the same number gives the same picture.
    """
    rng = np.random.default_rng([number, 97])
    kinds = (_landscape, _colours, _noise)
    pixels = kinds[number % len(kinds)](rng)
    return Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))


def _landscape(rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    sky, ground = rng.uniform((0.3, 0.4, 0.6), (0.8, 0.9, 1.0)), rng.uniform((0.1, 0.2, 0.05), (0.5, 0.55, 0.3))
    columns, rows = np.arange(_SIDE_PX), np.arange(_SIDE_PX)[:, None]
    hills = sum(rng.uniform(2, 12) * np.sin(columns * rng.uniform(0.01, 0.08) + rng.uniform(0, 6)) for _ in range(4))
    is_ground = (rows > rng.uniform(0.35, 0.7) * _SIDE_PX + hills)[..., None]
    picture = np.where(is_ground, ground, sky) * (0.7 + 0.6 * (rows / _SIDE_PX)[..., None])
    return np.asarray(picture + 0.12 * (_smooth(rng, 24) - 0.5) + 0.05 * (rng.random((_SIDE_PX, _SIDE_PX, 1)) - 0.5))


def _colours(rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.concatenate([_smooth(rng, int(rng.integers(2, 9))) for _ in range(3)], axis=2)


def _noise(rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    grain = int(rng.choice([1, 2, 4, 8]))
    coarse = rng.random((_SIDE_PX // grain, _SIDE_PX // grain, 3))
    return np.asarray(coarse.repeat(grain, axis=0).repeat(grain, axis=1))


def _smooth(rng: np.random.Generator, cells: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Smooth random values about 0-1, float64 (160, 160, 1)."""
    coarse = Image.fromarray(rng.random((cells, cells)).astype(np.float32))
    smooth = coarse.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC)
    return np.asarray(smooth, dtype=np.float64)[..., None]
