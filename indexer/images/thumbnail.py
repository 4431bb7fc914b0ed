"""Small JPEG copies of pictures for result pages."""

from __future__ import annotations

import io

from PIL import Image

from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits

_JPEG_QUALITY = 82


def make_thumbnail(data: bytes, limits: ImageLimits, *, max_side_px: int) -> bytes:
    """A JPEG whose longer side is at most ``max_side_px``, upright, without metadata.

    Raises:
        ImageError: the picture cannot be decoded.
    """
    decoded = decode_image(data, limits, min_side_px=max_side_px)
    picture = decoded.image
    picture.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return out.getvalue()
