"""Decoding: every format and pixel mode, every limit, and nothing but ImageErrors for the rest."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from indexer.errors import (
    ImageDamaged,
    ImageEmpty,
    ImageError,
    ImageNotAnImage,
    ImageTimeout,
    ImageTooLarge,
    ImageTooManyPixels,
)
from indexer.images import decode, formats
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits
from tests.pictures import declared_png, drawn_picture, encoded

LIMITS = ImageLimits()
EXIF_ORIENTATION = 0x0112


def pixels(data: bytes, **options: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    image = decode_image(data, LIMITS, **options).image
    assert image.mode == "RGB"
    return np.asarray(image, dtype=np.int16)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG"])
def test_each_format_gives_the_picture(kind: str) -> None:
    picture = drawn_picture(1)
    options: Any = {"WEBP": {"lossless": True}, "AVIF": {"quality": 95}, "JPEG": {"quality": 95}}.get(kind, {})
    decoded = decode_image(encoded(picture, kind, **options), LIMITS)
    assert (decoded.width_px, decoded.height_px) == picture.size
    difference = np.abs(np.asarray(decoded.image, dtype=np.int16) - np.asarray(picture, dtype=np.int16))
    assert difference.mean() < (0.01 if kind in {"PNG", "WEBP", "TIFF", "BMP"} else 6)


def test_heic_is_read_with_its_plugin() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    picture = drawn_picture(2)
    assert np.abs(pixels(encoded(picture, "HEIF", quality=90)) - np.asarray(picture, dtype=np.int16)).mean() < 6


def test_heic_without_its_plugin_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "heif_available", lambda: False)
    with pytest.raises(ImageNotAnImage, match="pip install pillow-heif"):
        decode_image(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", LIMITS)


@pytest.mark.parametrize(("heif", "named"), [(True, "TIFF, BMP, HEIC"), (False, "TIFF, BMP")])
def test_what_is_no_picture_hears_which_formats_are_read(
    monkeypatch: pytest.MonkeyPatch, *, heif: bool, named: str
) -> None:
    monkeypatch.setattr(formats, "heif_available", lambda: heif)
    with pytest.raises(ImageNotAnImage, match=re.escape(f"(JPEG, PNG, WebP, GIF, AVIF, {named}).")):
        decode_image(b"no picture at all", LIMITS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    picture = drawn_picture(3)
    turned = picture.transpose(UNDO[orientation]) if orientation in UNDO else picture
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    decoded = decode_image(encoded(turned, "PNG", exif=exif), LIMITS)
    assert (decoded.width_px, decoded.height_px) == picture.size
    np.testing.assert_array_equal(np.asarray(decoded.image), np.asarray(picture))
    assert not decoded.image.getexif()
    assert decoded.image.info == {}


# how a camera that was held so stores the picture: the inverse of what the decoder does
UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def test_a_damaged_orientation_does_not_cost_the_picture() -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 99
    picture = drawn_picture(3)
    np.testing.assert_array_equal(pixels(encoded(picture, "PNG", exif=exif)), np.asarray(picture))


def test_transparency_becomes_white() -> None:
    image = Image.new("RGBA", (4, 1))
    image.putdata([(255, 0, 0, 255), (255, 0, 0, 0), (0, 0, 0, 128), (0, 0, 255, 255)])
    result = pixels(encoded(image, "PNG"))[0]
    np.testing.assert_allclose(result, [[255, 0, 0], [255, 255, 255], [127, 127, 127], [0, 0, 255]], atol=1)


def test_grey_with_alpha_and_palette_with_alpha_become_white() -> None:
    grey = Image.new("LA", (2, 1))
    grey.putdata([(10, 255), (10, 0)])
    np.testing.assert_array_equal(pixels(encoded(grey, "PNG"))[0], [[10, 10, 10], [255, 255, 255]])
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.putdata([0, 1])
    np.testing.assert_array_equal(pixels(encoded(palette, "PNG", transparency=1))[0], [[255, 0, 0], [255, 255, 255]])


def test_a_transparent_colour_becomes_white() -> None:
    image = Image.new("RGB", (2, 1))
    image.putdata([(1, 2, 3), (9, 9, 9)])
    np.testing.assert_array_equal(
        pixels(encoded(image, "PNG", transparency=(1, 2, 3)))[0], [[255, 255, 255], [9, 9, 9]]
    )


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.array([[0, 256 * 64, 256 * 128, 256 * 255]], dtype=np.uint16)
    for kind in ("PNG", "TIFF"):
        np.testing.assert_array_equal(pixels(encoded(Image.fromarray(ramp), kind))[0, :, 0], [0, 64, 128, 255])


def test_float_pictures_are_scaled_to_their_own_range() -> None:
    ramp = np.array([[-1.0, 0.0, 1.0]], dtype=np.float32)
    np.testing.assert_array_equal(pixels(encoded(Image.fromarray(ramp), "TIFF"))[0, :, 0], [0, 127, 255])


def test_float_pictures_without_a_number_are_damaged() -> None:
    with pytest.raises(ImageDamaged, match="no finite"):
        pixels(encoded(Image.fromarray(np.full((2, 2), np.nan, dtype=np.float32)), "TIFF"))


def test_cmyk_becomes_rgb() -> None:
    image = Image.new("CMYK", (2, 2), (0, 255, 255, 0))
    for kind in ("JPEG", "TIFF"):
        np.testing.assert_allclose(pixels(encoded(image, kind))[0, 0], [255, 0, 0], atol=3)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_black_and_white_and_grey_become_rgb(mode: str) -> None:
    result = pixels(encoded(Image.new(mode, (3, 3), 255), "PNG"))
    np.testing.assert_array_equal(result, np.full((3, 3, 3), 255))


def test_the_first_frame_of_an_animation_is_taken() -> None:
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    for kind in ("GIF", "WEBP", "PNG"):
        data = encoded(first, kind, save_all=True, append_images=[second], duration=100)
        np.testing.assert_allclose(pixels(data)[0, 0], [255, 0, 0], atol=8)


def test_no_bytes() -> None:
    with pytest.raises(ImageEmpty):
        decode_image(b"", LIMITS)


@pytest.mark.parametrize(
    "data", [b"hello", b"<html></html>", b"%PDF-1.7", b"%!PS-Adobe", b"P6 1 1 255\nabc", b"\x00" * 64]
)
def test_other_files_are_no_images(data: bytes) -> None:
    with pytest.raises(ImageNotAnImage, match="JPEG, PNG"):
        decode_image(data, LIMITS)


def test_a_truncated_file_is_damaged() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"):
        data = encoded(drawn_picture(4, size=(300, 300)), kind)
        with pytest.raises(ImageDamaged):
            decode_image(data[: len(data) // 2], LIMITS)


def test_too_many_bytes() -> None:
    with pytest.raises(ImageTooLarge, match="image_max_bytes"):
        decode_image(b"x" * 11, ImageLimits(max_bytes=10))


def test_too_many_pixels_are_refused_from_the_header() -> None:
    data = encoded(Image.new("1", (5000, 4000)), "PNG")
    with pytest.raises(ImageTooManyPixels, match="5000 x 4000"):
        decode_image(data, ImageLimits(max_pixels=10_000_000))


def test_a_declared_giant_costs_nothing() -> None:
    with pytest.raises(ImageTooManyPixels):
        decode_image(declared_png(60_000, 60_000), LIMITS)


def test_a_large_jpeg_is_decoded_at_a_fraction() -> None:
    data = encoded(drawn_picture(5, size=(4000, 3000)))
    small = decode_image(data, LIMITS, min_side_px=256)
    assert small.image.size == (500, 375)
    assert (small.width_px, small.height_px) == (4000, 3000)
    assert decode_image(data, LIMITS).image.size == (4000, 3000)
    reference = decode_image(data, LIMITS).image.resize((500, 375), Image.Resampling.BOX)
    assert np.abs(np.asarray(small.image, dtype=np.int16) - np.asarray(reference, dtype=np.int16)).mean() < 1.5


def test_a_jpeg_beyond_the_pixel_limit_passes_at_a_fraction() -> None:
    data = encoded(drawn_picture(6, size=(4000, 3000)))
    limits = ImageLimits(max_pixels=1_000_000)
    assert decode_image(data, limits, min_side_px=256).image.size == (500, 375)
    with pytest.raises(ImageTooManyPixels):
        decode_image(data, limits)


def test_a_jpeg_with_thousands_of_scans_is_refused() -> None:
    data = encoded(drawn_picture(7), progressive=True)
    scans = data.count(b"\xff\xda")
    assert 1 < scans < 20
    assert decode_image(data, LIMITS).width_px == 96
    with pytest.raises(ImageDamaged, match="scans"):
        decode_image(data + b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" * 300, LIMITS)


def test_decoding_ends_at_its_time_limit() -> None:
    with pytest.raises(ImageTimeout, match="image_timeout_s"):
        decode_image(encoded(drawn_picture(8, size=(2000, 2000)), "PNG"), ImageLimits(timeout_s=1e-9))


def test_nothing_of_the_file_but_pixels_goes_further() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010E] = "a secret"
    for kind in ("JPEG", "PNG"):
        image = decode_image(encoded(drawn_picture(9), kind, exif=exif, comment=b"secret"), LIMITS).image
        assert image.info == {}
        assert not dict(image.getexif())


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]), st.data())
def test_flipped_bytes_end_in_a_picture_or_an_image_error(kind: str, data: st.DataObject) -> None:
    original = bytearray(encoded(drawn_picture(10, size=(40, 30)), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        original[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode_image(bytes(original), LIMITS).image.mode == "RGB"
    except ImageError as error:
        assert error.code


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_picture_or_an_image_error(data: bytes) -> None:
    try:
        decode_image(data, LIMITS)
    except ImageError as error:
        assert error.code


def test_signatures_of_formats() -> None:
    assert formats.sniff_format(b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avif") == "AVIF"
    assert formats.sniff_format(b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42") is None
    assert formats.sniff_format(b"MM\x00+") == "TIFF"


HOSTILE_CHECK = """
import re, sys, warnings
from pathlib import Path
from typing import Any
from indexer.errors import ImageError
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits

warnings.filterwarnings("ignore", module=r"PIL\\.")
outcomes = {"picture": 0}
for path in sorted(Path(sys.argv[1]).rglob("*")):
    if path.is_file():
        try:
            assert decode_image(path.read_bytes(), ImageLimits()).image.mode == "RGB"
            outcomes["picture"] += 1
        except ImageError as error:
            outcomes[error.code] = outcomes.get(error.code, 0) + 1
# not ru_maxrss, which a process inherits from the one that started it
print(outcomes, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def test_every_hostile_file_ends_in_a_picture_or_an_image_error(shared_data: Path) -> None:
    command = [sys.executable, "-c", HOSTILE_CHECK, str(shared_data / "hostile")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    outcomes, megabytes = done.stdout.rsplit(" ", 1)
    assert "picture" in outcomes
    assert "image_damaged" in outcomes
    assert int(megabytes) < 500


@pytest.mark.parametrize("kind", ["Landscape", "Portrait"])
def test_the_nine_orientations_are_one_picture(shared_data: Path, kind: str) -> None:
    folder = shared_data / "hostile" / "exif_orientation"
    pictures = [pixels((folder / f"{kind}_{number}.jpg").read_bytes()) for number in range(9)]
    for picture in pictures:
        assert picture.shape == pictures[0].shape
        # each file was compressed by itself, so they agree but for JPEG's losses
        assert np.abs(picture - pictures[0]).mean() < 8


def test_old_tiff_tags_do_no_harm() -> None:
    out = io.BytesIO()
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[65000] = "private"
    Image.new("RGB", (3, 3), "red").save(out, "TIFF", tiffinfo=info)
    np.testing.assert_array_equal(pixels(out.getvalue())[0, 0], [255, 0, 0])
