"""How many pictures a file holds, told from its structure alone: nothing is decoded.

Only the first one is ever decoded, but a reader may walk, or make room for, all of them.
"""

from __future__ import annotations

import struct

from PIL import Image

_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C
_TIFF_ENTRY_BYTES, _BIG_TIFF_ENTRY_BYTES = 12, 20


def has_more_frames(image: Image.Image, data: bytes, most: int) -> bool:
    """Whether there are more than ``most`` frames or pages.

    Args:
        image: opened, not yet decoded.
        data: the whole file.
        most: at least 1.
    """
    if image.format == "GIF":  # Pillow would go through the whole file, frame after frame
        return _gif_exceeds(data, most)
    if image.format == "TIFF":
        return _tiff_exceeds(data, most)
    # WebP, APNG, AVIF, HEIF and MPO say it in what was read to open them
    return int(getattr(image, "n_frames", 1) or 1) > most


def _gif_exceeds(data: bytes, most: int) -> bool:
    """GIF89a: blocks after the header and the global colour table; image data come in sub-blocks."""
    frames, at = 0, 13 + _colour_table_bytes(data[10])
    while at < len(data):
        if data[at] == _GIF_EXTENSION:
            at = _after_sub_blocks(data, at + 2)
        elif data[at] == _GIF_IMAGE and at + 10 < len(data):
            frames += 1
            if frames > most:
                return True
            at = _after_sub_blocks(data, at + 11 + _colour_table_bytes(data[at + 9]))
        else:
            return False  # the end, or damage, which decoding will tell if it matters
    return False


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, at: int) -> int:
    end = len(data)
    while at < end and data[at]:
        at += data[at] + 1
    return at + 1


def _tiff_exceeds(data: bytes, most: int) -> bool:
    """TIFF 6.0 and BigTIFF: each directory ends with where the next one lies; a loop counts as endless."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = b"+" in data[2:4]
    count, entry, offset = ("Q", _BIG_TIFF_ENTRY_BYTES, "Q") if is_big else ("H", _TIFF_ENTRY_BYTES, "I")
    pages = 0
    try:
        (at,) = struct.unpack_from(f"{order}{offset}", data, 8 if is_big else 4)
        while at:
            pages += 1
            if pages > most:
                return True
            (entries,) = struct.unpack_from(f"{order}{count}", data, at)
            (at,) = struct.unpack_from(f"{order}{offset}", data, at + struct.calcsize(count) + entries * entry)
    except struct.error:
        return False
    return False
