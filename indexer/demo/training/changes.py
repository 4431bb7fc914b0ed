"""Random changes made to training pictures, a whole batch at a time, in torch on the CPU.

Pictures here are float32 (B, 3, S, S) sRGB in 0-1.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Framing:
    """Ranges of random framing.

    Attributes:
        area: least and greatest share of the source's area that is seen.
        stretch: greatest ratio between the two sides of what is seen.
        turn_deg: greatest rotation either way.
        wander: how far from the middle the frame may go, as a share of the room there is.
        flip: chance of a mirror image.
    """

    area: tuple[float, float]
    stretch: float = 1.33
    turn_deg: float = 15.0
    wander: float = 1.0
    flip: float = 0.5


@dataclass(frozen=True)
class Toning:
    """Ranges of random colour changes, each the greatest relative change either way."""

    brightness: float
    contrast: float
    saturation: float
    hue_deg: float
    cast: float


SHOP_PHOTO = Framing(area=(0.15, 1.0), turn_deg=20)
CATALOGUE_PICTURE = Framing(area=(0.5, 1.8), turn_deg=15)
PRODUCT = Framing(area=(0.4, 1.7), stretch=1.2, turn_deg=6, wander=0.6)
BEHIND = Framing(area=(0.2, 1.0))

STRONG = Toning(brightness=0.4, contrast=0.4, saturation=0.4, hue_deg=8, cast=0.08)
GENTLE = Toning(brightness=0.28, contrast=0.25, saturation=0.25, hue_deg=4, cast=0.06)
"""For pictures whose colour has a name: it must still fit afterwards."""


def frames(framing: Framing, count: int, rng: np.random.Generator) -> Tensor:
    """Random affine maps from the output square to the source square, float32 (count, 2, 3), both spanning -1 to 1."""
    area = rng.uniform(*framing.area, count)
    ratio = np.exp(rng.uniform(-1, 1, count) * math.log(framing.stretch))
    width, height = np.sqrt(area * ratio), np.sqrt(area / ratio)
    angle = np.deg2rad(rng.uniform(-1, 1, count) * framing.turn_deg)
    mirror = np.where(rng.random(count) < framing.flip, -1.0, 1.0)
    # A frame larger than the source shows it small, anywhere in the frame; the edge is repeated around it.
    across = rng.uniform(-1, 1, count) * np.abs(1 - width) * framing.wander
    down = rng.uniform(-1, 1, count) * np.abs(1 - height) * framing.wander
    c, s = np.cos(angle), np.sin(angle)
    maps = np.stack(
        [np.stack([mirror * width * c, -height * s, across], -1), np.stack([mirror * width * s, height * c, down], -1)],
        1,
    )
    return torch.from_numpy(maps.astype(np.float32))


def seen_through(source: Tensor, maps: Tensor, size_px: int, *, beyond: str = "reflection") -> Tensor:
    """Float32 (B, C, T, T) sources seen through affine maps at ``size_px``; ``beyond`` says what lies past the edge.

    Where a source shrinks by more than a third it is halved first, so that fine detail does not turn into noise.
    """
    where = (torch.arange(size_px, dtype=torch.float32) * 2 + 1) / size_px - 1
    across, along, origin = (maps[:, None, None, :, column] for column in range(3))
    grid = across * where[None, None, :, None] + (along * where[None, :, None, None] + origin)
    reach = torch.linalg.vector_norm(maps[:, :, :2], dim=1).amax(dim=1) * source.shape[-1] / size_px
    result = source.new_empty(len(source), source.shape[1], size_px, size_px)
    for small in (False, True):
        index = torch.nonzero((reach > 1.5) == small).flatten()
        if len(index):
            some = functional.avg_pool2d(source[index], 2) if small else source[index]
            result[index] = functional.grid_sample(
                some, grid[index], mode="bilinear", padding_mode=beyond, align_corners=False
            )
    return result


def toned(pictures: Tensor, toning: Toning, rng: np.random.Generator) -> Tensor:
    """Brightness, contrast, saturation, hue and colour cast changed at random, per picture, as one linear map."""
    count = len(pictures)
    weights = np.array([0.299, 0.587, 0.114])
    grey = np.broadcast_to(weights, (3, 3))
    identity = np.eye(3)
    saturation = 1 + rng.uniform(-1, 1, (count, 1, 1)) * toning.saturation
    angle = np.deg2rad(rng.uniform(-1, 1, count) * toning.hue_deg)
    # Hue: a rotation about the grey axis (Rodrigues' formula).
    axis = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    c, s = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    turn = c * identity + s * axis + (1 - c) * np.full((3, 3), 1 / 3)
    saturate = grey + saturation * (identity - grey)
    gain = (1 + rng.uniform(-1, 1, (count, 1, 1)) * toning.brightness) * (
        1 + rng.uniform(-1, 1, (count, 3, 1)) * toning.cast
    )
    contrast = 1 + rng.uniform(-1, 1, (count, 1, 1)) * toning.contrast
    matrix = torch.from_numpy((contrast * gain * (saturate @ turn)).astype(np.float32))
    mean = pictures.mean(dim=(1, 2, 3))[:, None, None] * torch.from_numpy((1 - contrast).astype(np.float32))
    flat = torch.baddbmm(mean.expand(-1, 3, 1), matrix, pictures.flatten(2))
    return flat.clamp_(0, 1).view_as(pictures)


def blurred_some(pictures: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """A share of the pictures blurred (in place): averaged over blocks of 2 to 4 pixels and smoothly enlarged again."""
    size_px = pictures.shape[-1]
    for _ in range(2):
        index = torch.from_numpy(np.flatnonzero(rng.random(len(pictures)) < share / 2))
        if len(index):
            small = functional.interpolate(
                pictures[index], size=round(size_px / float(rng.uniform(1.6, 4))), mode="area"
            )
            pictures[index] = functional.interpolate(small, size=size_px, mode="bilinear", align_corners=False)
    return pictures


def spoilt_some(pictures: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """A share of the pictures given JPEG damage, another sensor noise (in place)."""
    count, size_px = len(pictures), pictures.shape[-1]
    for index in np.flatnonzero(rng.random(count) < share / 2):
        pixels = (pictures[index].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(20, 70)))
        decoded = np.asarray(Image.open(buffer), dtype=np.float32) / 255
        pictures[index] = torch.from_numpy(decoded).permute(2, 0, 1)
    noisy = torch.from_numpy(np.flatnonzero(rng.random(count) < share))
    if len(noisy):
        noise = torch.randn(len(noisy), 3, size_px, size_px) * float(rng.uniform(0.01, 0.06))
        pictures[noisy] = (pictures[noisy] + noise).clamp_(0, 1)
    return pictures


def covered_some(pictures: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """A share of the pictures with a box of 5 to 25 % of the area painted over in a flat colour (in place)."""
    size_px = pictures.shape[-1]
    for index in np.flatnonzero(rng.random(len(pictures)) < share):
        area, ratio = float(rng.uniform(0.05, 0.25)), float(np.exp(rng.uniform(-0.7, 0.7)))
        height, width = (min(size_px, round(size_px * math.sqrt(area * r))) for r in (ratio, 1 / ratio))
        top, left = int(rng.integers(size_px - height + 1)), int(rng.integers(size_px - width + 1))
        colour = torch.from_numpy(rng.random((3, 1, 1), dtype=np.float32))
        pictures[index, :, top : top + height, left : left + width] = colour
    return pictures
