"""Every pixel mode that Pillow decodes to, as 8-bit RGB; transparency becomes white."""

from __future__ import annotations

from PIL import Image

from indexer.errors import ImageDamaged

_WHITE = (255, 255, 255)
_PLAIN = frozenset({"1", "L", "CMYK", "YCbCr", "HSV", "LAB"})
_ALPHA = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in mode RGB, 8 bits a channel.

    Alpha is composed on white, as shops show cut-out pictures. 16-bit greyscale keeps its upper 8 bits; 32-bit integer
    and float pictures have no fixed range and are scaled from their own minimum and maximum.

    Raises:
        ImageDamaged: a mode that has no meaning as a picture.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in _ALPHA or "transparency" in image.info:
        return _on_white(image)
    if image.mode in {"P", *_PLAIN}:
        return image.convert("RGB")
    if image.mode.startswith("I;16"):
        return _from_16_bit(image)
    if image.mode in {"I", "F"}:
        return _from_own_range(image)
    if image.mode == "RGBX":
        return image.convert("RGB")
    raise ImageDamaged(f"The picture has the pixel mode {image.mode}, which is no colour picture.")


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    ground = Image.new("RGB", rgba.size, _WHITE)
    ground.paste(rgba, mask=rgba.getchannel("A"))
    return ground


def _from_16_bit(image: Image.Image) -> Image.Image:
    # numpy only where it is needed: a decoder process that meets none of these modes starts without it
    import numpy as np

    # Pillow's own convert("L") clips instead of scaling
    values = np.asarray(image)
    return Image.fromarray((values >> 8).astype(np.uint8), mode="L").convert("RGB")


def _from_own_range(image: Image.Image) -> Image.Image:
    import numpy as np

    values = np.asarray(image, dtype=np.float32)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise ImageDamaged("The picture holds no finite pixel value.")
    low, high = float(finite.min()), float(finite.max())
    if low >= 0 and high <= 255 and image.mode == "I":
        scaled = values
    else:
        scaled = (values - low) * (255.0 / (high - low) if high > low else 0.0)
    grey = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey, mode="L").convert("RGB")
