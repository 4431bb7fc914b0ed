"""Bytes to an upright RGB picture, whatever the bytes are."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from indexer.errors import (
    ImageDamaged,
    ImageEmpty,
    ImageError,
    ImageMemory,
    ImageNotAnImage,
    ImageTimeout,
    ImageTooLarge,
    ImageTooManyFrames,
    ImageTooManyPixels,
)
from indexer.images.colour import to_rgb
from indexer.images.formats import heif_available, readable_formats, sniff_format
from indexer.images.frames import has_more_frames
from indexer.images.limits import ImageLimits

_MAX_JPEG_SCANS = 200
"""A progressive JPEG has about ten scans; each one costs a pass over all pixels, and a few bytes make one."""

_EXIF_ORIENTATION = 0x0112
_SIDEWAYS = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture ready to be looked at.

    Attributes:
        image: mode RGB, upright; a large JPEG may be decoded at a fraction of its size.
        width_px, height_px: of the whole upright picture.
    """

    image: Image.Image
    width_px: int
    height_px: int


class _DeadlineReader(io.BytesIO):
    """Bytes that stop being readable at a deadline: Pillow reads while it decodes, so this ends a long decode."""

    def __init__(self, data: bytes, timeout_s: float) -> None:
        super().__init__(data)
        self._timeout_s = timeout_s
        self._deadline_s = time.monotonic() + timeout_s

    def read(self, size: int | None = -1, /) -> bytes:
        self.check()
        return super().read(size)

    def check(self) -> None:
        if time.monotonic() > self._deadline_s:
            raise ImageTimeout(
                f"Decoding took longer than {self._timeout_s:g} s.",
                "Save the picture smaller, or raise image_timeout_s.",
            )


def decode_image(data: bytes, limits: ImageLimits, *, min_side_px: int | None = None) -> DecodedImage:
    """Decodes the first frame of a picture, turned upright by its EXIF orientation, as 8-bit RGB.

    Args:
        data: a whole file.
        limits: bytes, pixels, frames and seconds that it may have or take.
        min_side_px: the shorter side that the caller needs. A JPEG is then decoded at 1/2, 1/4 or 1/8 (libjpeg's
            scaled inverse transform) as long as its sides stay at least this long. None: full size.

    Raises:
        ImageError: one of its leaves, whatever the bytes hold; nothing else.
    """
    check_file_size(data, limits)
    name = _known_format(data)
    reader = _DeadlineReader(data, limits.timeout_s)
    try:
        with Image.open(reader, formats=[name]) as image:
            return _decode_opened(image, limits, min_side_px, reader)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(str(error), limits) from error
    except UnidentifiedImageError as error:
        raise ImageDamaged(f"The file begins like {name} but cannot be read as such.") from error
    except MemoryError as error:
        raise ImageMemory(
            f"The {name} file asks for more memory than a picture may take.",
            "Save it smaller or as JPEG, or raise decoder_memory_bytes.",
        ) from error
    except Exception as error:
        raise ImageDamaged(f"The {name} file is damaged: {str(error) or type(error).__name__}.") from error


def check_file_size(data: bytes, limits: ImageLimits) -> None:
    """Returns if a file has bytes, and not too many.

    Raises:
        ImageEmpty, ImageTooLarge
    """
    if not data:
        raise ImageEmpty("The picture has no bytes.")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"The picture has {len(data)} bytes; the limit is {limits.max_megabytes}.",
            "Save it smaller, or raise image_max_bytes.",
        )


def _known_format(data: bytes) -> str:
    name = sniff_format(data)
    if name == "HEIF" and not heif_available():
        raise ImageNotAnImage(
            "The picture is HEIC, which needs a plugin that is not installed.",
            "Install it with: pip install pillow-heif. Or send JPEG.",
        )
    if name is None:
        raise ImageNotAnImage(f"This is no picture in a format that is read ({readable_formats()}).")
    if name == "JPEG" and data.count(b"\xff\xda") > _MAX_JPEG_SCANS:
        raise ImageDamaged(f"The JPEG file has more than {_MAX_JPEG_SCANS} scans.", "Save it anew.")
    return name


def _decode_opened(
    image: Image.Image, limits: ImageLimits, min_side_px: int | None, reader: _DeadlineReader
) -> DecodedImage:
    if has_more_frames(image, reader.getvalue(), limits.max_frames):
        raise ImageTooManyFrames(
            f"The {image.format} file has more than {limits.max_frames} frames or pages.",
            "Save the first one alone, or raise image_max_frames.",
        )
    width, height = image.size
    if min_side_px is not None and image.format in {"JPEG", "MPO"}:
        # both sides keep at least min_side_px: draft never goes below the size asked for
        image.draft("RGB", (min_side_px, min_side_px))
    if image.size[0] * image.size[1] > limits.max_pixels:
        raise _too_many_pixels(f"The picture is {width} x {height} pixels.", limits)
    if min(image.size) < 1:
        raise ImageDamaged("The picture has no pixels.")
    image.load()
    reader.check()
    orientation = _orientation(image)
    upright = _turned(to_rgb(image), orientation)
    reader.check()
    if orientation in _SIDEWAYS:
        width, height = height, width
    pixels = upright.copy()
    pixels.info = {}  # what a file carries besides pixels goes no further: EXIF, GPS position, comments
    return DecodedImage(pixels, width, height)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF data must not cost the picture
        return 1
    return value if isinstance(value, int) and 2 <= value <= 8 else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    method = _TRANSPOSE.get(orientation)
    return image if method is None else image.transpose(method)


_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF 2.32 tag 0x0112 to the turn that undoes it; the same table as ``PIL.ImageOps.exif_transpose``."""


def _too_many_pixels(reason: str, limits: ImageLimits) -> ImageTooManyPixels:
    return ImageTooManyPixels(
        f"{reason} The limit is {limits.max_pixels} pixels.", "Save it smaller, or raise image_max_pixels."
    )
