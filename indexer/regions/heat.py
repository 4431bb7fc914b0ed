"""Which places of a picture agree with something: another picture, or what was asked for."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.embedding.patches import PatchMap
from indexer.points import Vectors

_COLOUR = (255, 96, 0)
_OPAQUE = 0.75
"""Share of full opacity at the hottest place: what lies below must stay to be seen."""
_QUIET = 0.75
"""Quantile of the patches from which on they are hot: three quarters of a picture are never shown as agreeing."""


def agreement(patches: PatchMap, toward: Vectors) -> NDArray[np.float32]:
    """How much each patch adds to the cosine of its picture and a vector: float32 (H, W), 0 to 1, the hottest 1.

    Where patches are averaged the cosine is the sum of what they add; where they are pooled by attention this is its
    reading by values. Patches that add no more than three quarters of them do are 0, so the map shows what sticks out.

    Args:
        patches: of the picture.
        toward: float32 (D,), of the other picture, a text, or a whole query.
    """
    added = patches.contributions @ np.asarray(toward, dtype=np.float32)
    quiet = float(np.quantile(added, _QUIET))
    above = np.maximum(added - max(quiet, 0.0), 0.0)
    highest = float(above.max(initial=0.0))
    if highest <= 0:
        return np.zeros_like(added)
    return np.asarray(above / highest, dtype=np.float32)


def heat_png(heat: NDArray[np.float32], *, side_px: int) -> bytes:
    """A map as a PNG to lay over its picture: one colour, more opaque where it is hotter.

    Args:
        heat: float32 (H, W), 0 to 1.
        side_px: of the square, which is stretched to the picture's shape by whoever shows it.
    """
    smooth = Image.fromarray(heat.astype(np.float32)).resize((side_px, side_px), Image.Resampling.BICUBIC)
    alpha = np.rint(np.clip(np.asarray(smooth), 0, 1) * (255 * _OPAQUE) / 8) * 8  # fewer steps compress to a third
    pixels = np.empty((side_px, side_px, 4), dtype=np.uint8)
    pixels[..., :3] = _COLOUR
    pixels[..., 3] = alpha.clip(0, 255)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return out.getvalue()
