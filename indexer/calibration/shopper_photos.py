"""Pictures changed as a shopper's photo of the same thing may differ, for catalogs with one picture a product."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

_GREATEST_TURN_DEG = 20.0
_LEAST_SHARE = 0.45
"""Of each side of the picture that is left, or of the photo that the picture fills."""
_OTHER_SCENE = 0.5
"""How often the picture is set into another scene rather than cropped."""


def shopper_photo(picture: Image.Image, scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A changed copy: turned, cropped or set into another scene, in other light, out of focus, compressed.

    The ranges are wide on purpose. What differs most in a real photo, the product's other side, no change of a picture
    can show, so that copies are nearer to their picture than photos are even so (docs/relevance.md has both).

    Args:
        picture: RGB.
        scene: RGB, of another product; only its colours and rough shapes are seen.
        rng: what is changed how far.

    Returns:
        RGB, of another size.
    """
    side = min(512, max(picture.size))
    square = picture.resize((side, side), Image.Resampling.BILINEAR)
    if rng.random() < _OTHER_SCENE:
        photo = _in_scene(square, scene, rng)
    else:
        photo = _cropped(_turned(square, rng), rng)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        photo = change(photo).enhance(float(rng.uniform(0.6, 1.35)))
    photo = _tinted(photo, rng)
    if rng.random() < 0.5:
        photo = photo.filter(ImageFilter.GaussianBlur(photo.width * float(rng.uniform(0.002, 0.015))))
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=int(rng.integers(35, 90)))
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


def _turned(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    corner = picture.getpixel((0, 0))
    return picture.rotate(
        float(rng.uniform(-_GREATEST_TURN_DEG, _GREATEST_TURN_DEG)),
        Image.Resampling.BILINEAR,
        fillcolor=corner if isinstance(corner, tuple) else (255, 255, 255),
    )


def _cropped(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    width, height = (round(side * float(rng.uniform(_LEAST_SHARE, 1.0))) for side in picture.size)
    left, top = int(rng.integers(picture.width - width + 1)), int(rng.integers(picture.height - height + 1))
    return picture.crop((left, top, left + width, top + height))


def _in_scene(picture: Image.Image, scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture before another one that is out of focus; where its own ground is plain, without that."""
    side = picture.width
    photo = scene.resize((side, side)).filter(ImageFilter.GaussianBlur(side * float(rng.uniform(0.01, 0.05))))
    small = max(8, round(side * float(rng.uniform(_LEAST_SHARE, 0.9))))
    turn_deg = float(rng.uniform(-_GREATEST_TURN_DEG, _GREATEST_TURN_DEG))
    shape = _without_ground(picture).resize((small, small)).rotate(turn_deg, Image.Resampling.BILINEAR)
    thing = picture.resize((small, small)).rotate(turn_deg, Image.Resampling.BILINEAR)
    left, top = (int(rng.integers(side - small + 1)) for _ in range(2))
    photo.paste(thing, (left, top), shape)
    return photo


def _without_ground(picture: Image.Image) -> Image.Image:
    """A mask of what differs from the colour of the corners; all of it where these differ among themselves."""
    pixels = np.asarray(picture, dtype=np.int16)
    corners = np.stack([pixels[0, 0], pixels[0, -1], pixels[-1, 0], pixels[-1, -1]])
    if np.ptp(corners, axis=0).max() > 40:
        return Image.new("L", picture.size, 255)
    differs = np.abs(pixels - np.median(corners, axis=0)).max(axis=2) > 24
    return Image.fromarray((differs * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(5))


def _tinted(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    cast = 1 + rng.uniform(-0.08, 0.08, 3)
    return Image.fromarray(np.clip(np.asarray(photo, dtype=np.float32) * cast, 0, 255).astype(np.uint8))
