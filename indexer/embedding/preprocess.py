"""How a picture becomes the square that an image tower takes, and the fingerprint of that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.embedding.port import Pixels

ResizeMode = Literal["squash", "shortest", "longest"]
Interpolation = Literal["bicubic", "bilinear"]

_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True, slots=True)
class Preprocess:
    """The picture side of a checkpoint's training recipe.

    Attributes:
        size_px: side of the square.
        resize_mode: ``squash`` ignores the aspect ratio (SigLIP); ``shortest`` fits the shorter side and crops the
            centre (CLIP); ``longest`` fits the longer side and pads with ``fill_color``.
        interpolation: of the resize, with antialiasing.
        mean, std: a channel value v in 0..1 becomes (v - mean) / std.
        fill_color: 0..255, of the padding.
    """

    size_px: int
    resize_mode: ResizeMode
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fill_color: int = 0

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits of the SHA-256 over all attributes."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def byte_scale(self) -> NDArray[np.float32]:
        """Of (v / 255 - mean) / std as v * scale + shift, for bytes v: float32 (1, 3, 1, 1)."""
        return _by_channel([1 / (255 * s) for s in self.std])

    @property
    def byte_shift(self) -> NDArray[np.float32]:
        """The shift that belongs to ``byte_scale``: float32 (1, 3, 1, 1)."""
        return _by_channel([-m / s for m, s in zip(self.mean, self.std, strict=True)])

    def apply(self, image: Image.Image) -> Pixels:
        """An RGB picture as uint8 (size_px, size_px, 3)."""
        if self.resize_mode == "squash":
            square = image.resize((self.size_px, self.size_px), _FILTERS[self.interpolation])
        elif self.resize_mode == "shortest":
            square = self._fit_shorter_and_crop(image)
        else:
            square = self._fit_longer_and_pad(image)
        return np.asarray(square, dtype=np.uint8)

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


def _by_channel(values: Sequence[float]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32).reshape(1, 3, 1, 1)
