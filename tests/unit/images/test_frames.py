"""Frames and pages of pictures are counted, not decoded."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from indexer.errors import ImageTooManyFrames
from indexer.images.decode import decode_image
from indexer.images.frames import has_more_frames
from indexer.images.limits import ImageLimits
from tests.pictures import drawn_picture, encoded

FRAMES = 12


def animated(kind: str) -> bytes:
    pictures = [drawn_picture(seed, size=(40, 30)) for seed in range(FRAMES)]
    return encoded(pictures[0], kind, save_all=True, append_images=pictures[1:])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_as_many_as_the_limit_are_taken_and_one_more_is_refused(kind: str) -> None:
    data = animated(kind)
    assert decode_image(data, ImageLimits(max_frames=FRAMES)).image.size == (40, 30)
    with pytest.raises(ImageTooManyFrames, match=rf"{kind} file has more than {FRAMES - 1} frames .*image_max_frames"):
        decode_image(data, ImageLimits(max_frames=FRAMES - 1))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "JPEG", "BMP"])
def test_one_picture_is_one_frame(kind: str) -> None:
    assert decode_image(encoded(drawn_picture(1), kind), ImageLimits(max_frames=1)).image.mode == "RGB"


@pytest.mark.parametrize("kind", ["GIF", "TIFF"])
def test_files_that_break_off_anywhere_have_no_more_frames_than_they_had(kind: str) -> None:
    data = animated(kind)
    with Image.open(io.BytesIO(data)) as image:
        for end in range(14, len(data), 7):
            assert not has_more_frames(image, data[:end], FRAMES)


def test_pages_that_go_round_in_circles_come_to_an_end() -> None:
    data = bytearray(encoded(drawn_picture(1), "TIFF"))
    (at,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, at)
    struct.pack_into("<I", data, at + 2 + 12 * entries, at)  # the next page is this one
    with pytest.raises(ImageTooManyFrames):
        decode_image(bytes(data), ImageLimits(max_frames=1000))
