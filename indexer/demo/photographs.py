"""How products are photographed: a shop's pictures of them, and a shopper's, which differ."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from indexer.demo.rendering.backdrops import ROOMS, Backdrop
from indexer.demo.rendering.camera import View
from indexer.demo.rendering.scene import Look, photograph
from indexer.demo.rendering.shading import Light
from indexer.demo.rendering.shapes import DRAWINGS

Change = Literal["crop", "blur", "background", "angle", "light"]
CHANGES: tuple[Change, ...] = ("crop", "blur", "background", "angle", "light")
"""Ways in which a shopper's photo differs from the shop's."""


def front_view(look: Look, rng: np.random.Generator) -> View:
    """The usual view of a product, give or take a few degrees."""
    drawing = DRAWINGS[look.product_type]
    return View(
        drawing.azimuth_deg + float(rng.uniform(-5, 5)),
        drawing.elevation_deg + float(rng.uniform(-2, 3)),
        fill=float(rng.uniform(0.72, 0.84)),
    )


def side_view(look: Look, rng: np.random.Generator) -> View:
    """Another view: well to one side, within the angles at which the product is still recognised."""
    drawing = DRAWINGS[look.product_type]
    side = 1.0 if rng.random() < 0.5 else -1.0
    return View(
        drawing.azimuth_deg + side * drawing.swing_deg * float(rng.uniform(0.35, 0.75)),
        max(2.0, drawing.elevation_deg + float(rng.uniform(-6, 10))),
        fill=float(rng.uniform(0.68, 0.84)),
    )


def studio_light(rng: np.random.Generator) -> Light:
    """A shop's light: even, from the upper left or right."""
    side = -1.0 if rng.random() < 0.7 else 1.0
    return Light(
        azimuth_deg=side * float(rng.uniform(25, 45)),
        elevation_deg=float(rng.uniform(42, 60)),
        key=float(rng.uniform(0.9, 1.05)),
        ambient=float(rng.uniform(0.45, 0.55)),
    )


def home_light(rng: np.random.Generator) -> Light:
    """A shopper's light: from anywhere above, brighter or dimmer, warmer or cooler."""
    return Light(
        azimuth_deg=float(rng.uniform(-75, 75)),
        elevation_deg=float(rng.uniform(25, 75)),
        key=float(rng.uniform(0.6, 1.25)),
        ambient=float(rng.uniform(0.3, 0.6)),
        warmth=float(rng.uniform(-0.8, 1.0)),
    )


def shop_photo(look: Look, position: int, size_px: int, seed: int) -> Image.Image:
    """A shop's picture of a product: position 0 is the front, later ones other angles."""
    rng = np.random.default_rng([seed, position, 21])
    view = front_view(look, rng) if position == 0 else side_view(look, rng)
    return photograph(look, view, studio_light(rng), Backdrop(seed=int(rng.integers(1 << 30))), size_px)


def changed_photo(look: Look, change: Change, size_px: int, seed: int) -> Image.Image:
    """A shopper's photo of a product, other than the shop's pictures of it with the same ``seed`` in one way.

    ``crop`` and ``blur`` alter the shop's front picture; ``background``, ``angle`` and ``light`` are taken anew.
    """
    rng = np.random.default_rng([seed, 31 + CHANGES.index(change)])
    if change in {"crop", "blur"}:
        picture = shop_photo(look, 0, size_px, seed)
        return cropped(picture, rng) if change == "crop" else blurred(picture, rng)
    backdrop = Backdrop(seed=int(rng.integers(1 << 30)))
    view, light = front_view(look, rng), studio_light(rng)
    if change == "background":
        backdrop = Backdrop(ROOMS[int(rng.integers(len(ROOMS)))], backdrop.seed)
    elif change == "angle":
        view = side_view(look, rng)
    else:
        light = home_light(rng)
    return photograph(look, view, light, backdrop, size_px)


def cropped(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A part of a picture, 60 to 80 % of each side, anywhere near the middle."""
    width, height = (round(side * float(rng.uniform(0.6, 0.8))) for side in picture.size)
    left = round((picture.width - width) * float(rng.uniform(0.2, 0.8)))
    top = round((picture.height - height) * float(rng.uniform(0.2, 0.8)))
    return picture.crop((left, top, left + width, top + height))


def blurred(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A picture out of focus: Gaussian blur of 0.8 to 1.8 % of its width."""
    return picture.filter(ImageFilter.GaussianBlur(picture.width * float(rng.uniform(0.008, 0.018))))


def dimmed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A picture darker or lighter and flatter, as a phone may take it."""
    picture = ImageEnhance.Brightness(picture).enhance(float(rng.uniform(0.6, 1.3)))
    return ImageEnhance.Contrast(picture).enhance(float(rng.uniform(0.7, 1.2)))
