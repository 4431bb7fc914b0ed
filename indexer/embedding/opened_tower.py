"""The patch tower that all backends share: pictures squashed, one pass at a time, failures by name."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.embedding.patches import PatchMap
from indexer.embedding.port import Pixels
from indexer.embedding.preprocess import Preprocess
from indexer.errors import ModelFailed

RawPatches = tuple[NDArray[np.float32], NDArray[np.float32]]
"""What a tower gives: vectors (B, N, D) and weights (B, N)."""


@dataclass(frozen=True, slots=True)
class OpenedTower:
    """A ``PatchTower``.

    Attributes:
        description: what computes the patches.
        preprocess: the recipe of whole pictures.
        side_px: of the pictures that the tower takes.
        run: uint8 (B, S, S, 3) through the tower.
        turns: of the embedder's image tower.
    """

    description: str
    preprocess: Preprocess
    side_px: int
    run: Callable[[Pixels], RawPatches]
    turns: threading.Semaphore

    def prepare_image(self, image: Image.Image) -> Pixels:
        """See ``PatchTower``."""
        return replace(self.preprocess, size_px=self.side_px, resize_mode="squash").apply(image)

    def embed_patches(self, pixels: Pixels) -> Sequence[PatchMap]:
        """See ``PatchTower``."""
        maps = []
        for picture in pixels:  # one by one: a pass of several keeps queries waiting for all of them
            try:
                with self.turns:
                    vectors, weights = self.run(picture[None])
            except (RuntimeError, ValueError, IndexError) as error:
                raise ModelFailed(f"The patches cannot be computed: {str(error).splitlines()[0][:200]}.") from error
            side = math.isqrt(weights.size)
            if side * side != weights.size or not (np.isfinite(vectors).all() and np.isfinite(weights).all()):
                raise ModelFailed(f"The patches of a picture are not finite, or no square grid ({weights.size}).")
            maps.append(PatchMap(vectors.reshape(side, side, -1), weights.reshape(side, side)))
        return maps
