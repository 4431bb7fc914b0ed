"""Colours of made-up products and how numbers become light: sRGB, linear light, small variations of a named colour."""

from __future__ import annotations

import colorsys

import numpy as np

from indexer.demo.rendering.mesh import AnyFloats, Floats

Rgb = tuple[float, float, float]

PALETTE: dict[str, tuple[int, int, int]] = {
    "red": (200, 24, 32),
    "orange": (242, 120, 16),
    "yellow": (250, 208, 28),
    "green": (36, 142, 52),
    "turquoise": (28, 186, 178),
    "blue": (28, 66, 184),
    "purple": (112, 44, 158),
    "pink": (246, 138, 176),
    "brown": (112, 66, 34),
    "black": (22, 22, 25),
    "white": (240, 240, 238),
    "grey": (132, 134, 138),
}
"""Middle of each named colour, sRGB 0-255."""

FITTINGS: dict[str, tuple[int, int, int]] = {
    "light wood": (206, 160, 104),
    "dark wood": (104, 62, 36),
    "steel": (176, 180, 186),
    "dark metal": (58, 60, 66),
    "brass": (196, 152, 74),
    "rubber": (34, 34, 36),
    "ivory": (236, 230, 212),
    "sole": (228, 226, 220),
    "inside": (70, 62, 58),
    "flame": (255, 190, 70),
    "glass": (150, 200, 216),
    "leaf": (60, 120, 50),
}
"""Colours of parts that are never what a caption names: legs, soles, zips."""


def linear(srgb: tuple[int, int, int] | Rgb | AnyFloats, *, top: float = 255.0) -> Floats:
    """sRGB to linear light, float32 (3,), or of the shape given, in 0-1 (IEC 61966-2-1)."""
    value = np.asarray(srgb, dtype=np.float32) / top
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(light: AnyFloats) -> Floats:
    """Linear light, any shape, to sRGB 0-1 (power law 1/2.2, with a soft shoulder so that highlights do not clip)."""
    shoulder = np.float32(0.8)
    over = np.maximum(light - shoulder, 0)
    pressed = np.minimum(light, shoulder) + (1 - shoulder) * (1 - np.exp(-over / (1 - shoulder)))
    return np.asarray(np.power(np.maximum(pressed, 0), np.float32(1 / 2.2)), dtype=np.float32)


def shade_of(name: str, rng: np.random.Generator) -> Floats:
    """A colour near a named one, linear light float32 (3,): the name still fits, two products need not look alike."""
    red, green, blue = (value / 255 for value in PALETTE[name])
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    hue = (hue + rng.uniform(-0.012, 0.012)) % 1
    if name in {"black", "white", "grey"}:
        saturation = min(1.0, max(0.0, saturation + rng.uniform(-0.02, 0.03)))
    else:
        saturation = min(1.0, max(0.0, saturation * rng.uniform(0.86, 1.06)))
    value = min(1.0, value * rng.uniform(0.88, 1.08))
    return linear(colorsys.hsv_to_rgb(hue, saturation, value), top=1.0)


def fitting(name: str) -> Floats:
    """Linear light float32 (3,) of a part that keeps its own colour."""
    return linear(FITTINGS[name])
