"""How a picture becomes the square that an image tower takes, and the fingerprint of that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.embedding.port import Pixels
from indexer.images.squares import Interpolation, ResizeMode, Square


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

    @property
    def square(self) -> Square:
        """How a picture becomes the square, before channels are scaled."""
        return Square(self.size_px, self.resize_mode, self.interpolation, self.fill_color)

    def apply(self, image: Image.Image) -> Pixels:
        """An RGB picture as uint8 (size_px, size_px, 3)."""
        return np.asarray(self.square.of(image), dtype=np.uint8)


def _by_channel(values: Sequence[float]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32).reshape(1, 3, 1, 1)
