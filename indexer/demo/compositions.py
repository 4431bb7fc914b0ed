"""Photos in which a product is one thing among others: pasted small, anywhere, on real or drawn backgrounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from indexer.demo.photographs import front_view, home_light, side_view
from indexer.demo.rendering.backdrops import ROOMS, Backdrop, paint_backdrop
from indexer.demo.rendering.camera import Camera
from indexer.demo.rendering.colours import linear, to_srgb
from indexer.demo.rendering.scene import Look, draw
from indexer.regions.box import Box

LEAST_SHARE, GREATEST_SHARE = 0.25, 0.6
"""The longer side of the product, as a share of the photo's shorter side."""
_PHOTO_PX = 640
_DRAWN_PX = 512
_SCOUT_PX = 64


@dataclass(frozen=True)
class Composition:
    """A photo, and where in it the product is.

    Attributes:
        photo: RGB.
        box: just around the product.
        share: longer side of the product to the photo's shorter side.
    """

    photo: Image.Image
    box: Box
    share: float


def compose(look: Look, rng: np.random.Generator, background: Path | None = None) -> Composition:
    """A product pasted into a photo: front or side view, in a shopper's light, without a shadow.

    Args:
        look: the product's.
        rng: decides all else.
        background: a photo; None: a drawn room, mostly a cluttered one.
    """
    view = (front_view if rng.random() < 0.5 else side_view)(look, rng)
    light = home_light(rng)
    share = float(rng.uniform(LEAST_SHARE, GREATEST_SHARE))
    if background is not None:
        with Image.open(background) as opened:
            photo = opened.convert("RGB")
        photo.thumbnail((_PHOTO_PX, _PHOTO_PX))
        behind = linear(np.asarray(photo, dtype=np.float32))
    else:
        kind = "clutter" if rng.random() < 0.75 else ROOMS[int(rng.integers(len(ROOMS)))]
        room = Backdrop(kind, int(rng.integers(1 << 30)))
        scene = draw(look, view, light, _SCOUT_PX)  # only for where the camera and the floor are
        behind = paint_backdrop(room, _enlarged(scene.camera, _DRAWN_PX / _SCOUT_PX), scene.floor_y, _DRAWN_PX)
        behind = behind * np.float32(0.45 + 0.55 * min(light.key, 1.3))
    height, width = behind.shape[:2]
    layers = draw(look, view, light, round(share * min(height, width) / view.fill))
    rows, columns = np.nonzero(layers.cover > 0.5)
    inside = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    product, cover = layers.light[inside], layers.cover[inside][..., None]
    top = int(rng.integers(0, height - cover.shape[0] + 1))
    left = int(rng.integers(0, width - cover.shape[1] + 1))
    place = (slice(top, top + cover.shape[0]), slice(left, left + cover.shape[1]))
    behind[place] = product + behind[place] * (1 - cover)
    box = Box(left / width, top / height, (left + cover.shape[1]) / width, (top + cover.shape[0]) / height)
    return Composition(Image.fromarray((to_srgb(behind) * 255 + 0.5).clip(0, 255).astype(np.uint8)), box, share)


def busy_backgrounds(data: Path) -> Sequence[Path]:
    """Photos of shelves in shops that no model here was trained with: the ``val`` split of the groceries."""
    lines = (data / "grocery" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    queries = [json.loads(line) for line in lines]
    return [data / "grocery" / query["image"] for query in queries if query["split"] == "val"]


def _enlarged(camera: Camera, factor: float) -> Camera:
    """The same camera for pictures that are so many times larger."""
    x, y = camera.centre_px
    return Camera(camera.turn, camera.focal_px * factor, (x * factor, y * factor))
