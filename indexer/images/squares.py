"""How a picture becomes a square; of Pillow alone, so that a decoder process starts in no time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PIL import Image

ResizeMode = Literal["squash", "shortest", "longest"]
Interpolation = Literal["bicubic", "bilinear"]

_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True, slots=True)
class Square:
    """A way to make a square of a picture.

    Attributes:
        size_px: side of the square.
        resize_mode: ``squash`` ignores the aspect ratio (SigLIP); ``shortest`` fits the shorter side and crops the
            centre (CLIP); ``longest`` fits the longer side and pads with ``fill_color``.
        interpolation: of the resize, with antialiasing.
        fill_color: 0..255, of the padding.
    """

    size_px: int
    resize_mode: ResizeMode
    interpolation: Interpolation
    fill_color: int = 0

    def of(self, image: Image.Image) -> Image.Image:
        """The square of an RGB picture, RGB too."""
        if self.resize_mode == "squash":
            return image.resize((self.size_px, self.size_px), _FILTERS[self.interpolation])
        if self.resize_mode == "shortest":
            return self._fit_shorter_and_crop(image)
        return self._fit_longer_and_pad(image)

    def _fit_shorter_and_crop(self, image: Image.Image) -> Image.Image:
        # the roundings are torchvision's: Resize truncates the longer side, CenterCrop rounds its offsets
        size, (width, height) = self.size_px, image.size
        if width <= height:
            scaled = (size, int(size * height / width))
        else:
            scaled = (int(size * width / height), size)
        resized = image if scaled == image.size else image.resize(scaled, _FILTERS[self.interpolation])
        left, top = round((scaled[0] - size) / 2.0), round((scaled[1] - size) / 2.0)
        return resized.crop((left, top, left + size, top + size))

    def _fit_longer_and_pad(self, image: Image.Image) -> Image.Image:
        # the roundings are open_clip's: ResizeKeepRatio rounds both sides, CenterCropOrPad halves what is missing
        size, (width, height) = self.size_px, image.size
        ratio = max(width, height) / size
        scaled = (round(width / ratio), round(height / ratio))
        resized = image.resize(scaled, _FILTERS[self.interpolation])
        square = Image.new("RGB", (size, size), (self.fill_color,) * 3)
        square.paste(resized, ((size - scaled[0]) // 2, (size - scaled[1]) // 2))
        return square
