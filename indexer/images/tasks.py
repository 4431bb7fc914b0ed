"""What is made of a picture's bytes, as data that can be sent to another process; and the making of it.

Nothing here needs more than Pillow: a process that decodes starts in a tenth of a second and holds 30 MB.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TypeAlias

from PIL import Image

from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits
from indexer.images.squares import Square

_JPEG_QUALITY = 82
_JPEG_BYTES_PER_PIXEL = 4
_JPEG_HEADER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class PictureTask:
    """The picture as RGB; ``min_side_px``: see ``decode_image``."""

    min_side_px: int | None


@dataclass(frozen=True, slots=True)
class SquareTask:
    """The picture as the square that a model takes."""

    square: Square


@dataclass(frozen=True, slots=True)
class JpegTask:
    """A small JPEG file of the picture, its longer side at most ``max_side_px``, without metadata."""

    max_side_px: int


Task: TypeAlias = PictureTask | SquareTask | JpegTask


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a task.

    Attributes:
        payload: RGB bytes row by row, or a JPEG file.
        size_px: width and height of the payload's picture.
        whole_px: width and height of the whole upright picture in the file.
    """

    payload: bytes | bytearray
    size_px: tuple[int, int]
    whole_px: tuple[int, int]

    def fits(self, task: Task, limits: ImageLimits) -> bool:
        """Whether it can be what the task asked for: a process taken over by a picture may answer anything."""
        width, height = self.size_px
        if min(width, height, *self.whole_px) < 1:
            return False
        if isinstance(task, JpegTask):
            side = task.max_side_px
            most = _JPEG_HEADER_BYTES + side * side * _JPEG_BYTES_PER_PIXEL
            return max(width, height) <= side and len(self.payload) <= most
        if isinstance(task, SquareTask) and self.size_px != (task.square.size_px, task.square.size_px):
            return False
        is_bounded = isinstance(task, SquareTask) or width * height <= limits.max_pixels
        return is_bounded and len(self.payload) == width * height * 3


def carried_out(task: Task, data: bytes, limits: ImageLimits) -> Made:
    """Does a task.

    Raises:
        ImageError: one of its leaves, whatever the bytes hold; nothing else.
    """
    if isinstance(task, SquareTask):
        decoded = decode_image(data, limits, min_side_px=task.square.size_px)
        picture = task.square.of(decoded.image)
        payload = picture.tobytes()
    elif isinstance(task, PictureTask):
        decoded = decode_image(data, limits, min_side_px=task.min_side_px)
        picture = decoded.image
        payload = picture.tobytes()
    else:
        decoded = decode_image(data, limits, min_side_px=task.max_side_px)
        picture = decoded.image
        picture.thumbnail((task.max_side_px, task.max_side_px), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=_JPEG_QUALITY, optimize=True)
        payload = out.getvalue()
    return Made(payload, picture.size, (decoded.width_px, decoded.height_px))
