"""What an image tower sees where: a vector for each patch of a picture, and how much it counts in the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.embedding.port import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class PatchMap:
    """A picture, patch by patch, from its upper left corner.

    The grid covers the whole picture: towers that crop the middle out are fed squashed pictures here.

    Attributes:
        vectors: float32 (H, W, D), of any length; their directions compare with pictures and texts of the same space.
        weights: float32 (H, W), not negative, of sum 1: how much each patch counts in the picture's vector; all the
            same where the tower pools without attention.
    """

    vectors: NDArray[np.float32]
    weights: NDArray[np.float32]

    @property
    def directions(self) -> NDArray[np.float32]:
        """The vectors, each of length 1: float32 (H, W, D)."""
        lengths = np.linalg.norm(self.vectors, axis=-1, keepdims=True)
        return np.asarray(self.vectors / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)

    @property
    def contributions(self) -> NDArray[np.float32]:
        """What each patch brings into the picture's vector, up to one factor: float32 (H, W, D)."""
        return np.asarray(self.vectors * (self.weights * self.weights.size)[..., None], dtype=np.float32)

    @classmethod
    def from_rows(cls, rows: NDArray[np.float32]) -> PatchMap:
        """The map whose ``to_rows`` these are: float32 (H, W, D + 1)."""
        return cls(rows[..., :-1], rows[..., -1])

    def to_rows(self) -> NDArray[np.float32]:
        """Vectors and, in the last column, weights, as one array: float32 (H, W, D + 1)."""
        return np.concatenate([self.vectors, self.weights[..., None]], axis=-1)


class PatchTower(Protocol):
    """An image tower opened up; one pass at a time, and none beside a pass of the embedder that it belongs to."""

    @property
    def description(self) -> str:
        """What gives the patches, in a few words, for people."""
        ...

    @property
    def side_px(self) -> int:
        """Of the pictures that it takes."""
        ...

    def prepare_image(self, image: Image.Image) -> Pixels:
        """Squashes an RGB picture to what the tower takes: uint8 (S, S, 3)."""
        ...

    def embed_patches(self, pixels: Pixels) -> Sequence[PatchMap]:
        """The patches of pictures from ``prepare_image``, uint8 (B, S, S, 3).

        Raises:
            ModelFailed: the model raised, or gave numbers that are not finite.
        """
        ...
