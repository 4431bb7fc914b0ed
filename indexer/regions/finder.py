"""Who finds objects in a photo: the model's own image tower, or a detector."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.embedding.patches import PatchMap, PatchTower
from indexer.embedding.port import Pixels
from indexer.regions.salience import Region, find_regions

_EVEN_STD = 3.0
"""Of bytes: a photo with less variation shows nothing, and what a tower makes of its borders is no object."""


class RegionFinder(Protocol):
    """Finds objects in three steps, of which only the second needs the model's turn."""

    @property
    def method(self) -> str:
        """``patches`` or ``detector``."""
        ...

    @property
    def side_px(self) -> int:
        """Of a photo that is large enough; more is made smaller."""
        ...

    def prepare(self, image: Image.Image) -> Pixels:
        """What is looked at, of an RGB photo: uint8 (S, S, 3), or (H, W, 3)."""
        ...

    def look(self, pixels: Pixels) -> NDArray[np.float32]:
        """One pass over a prepared photo; what it gives is for ``regions``.

        Raises:
            ModelFailed: the pass fails.
        """
        ...

    def regions(self, pixels: Pixels, seen: NDArray[np.float32]) -> tuple[Region, ...]:
        """Objects, the clearest first; none where nothing stands out."""
        ...


class PatchFinder:
    """Finds objects by the model's own patches; see ``salience``.

    Args:
        tower: of the model.
        most: objects in an answer.
    """

    method = "patches"

    def __init__(self, tower: PatchTower, *, most: int) -> None:
        self._tower = tower
        self._most = most

    @property
    def side_px(self) -> int:
        """See ``RegionFinder``."""
        return self._tower.side_px

    def prepare(self, image: Image.Image) -> Pixels:
        """See ``RegionFinder``."""
        return self._tower.prepare_image(image)

    def look(self, pixels: Pixels) -> NDArray[np.float32]:
        """See ``RegionFinder``: the rows of a ``PatchMap``."""
        return self._tower.embed_patches(pixels[None])[0].to_rows()

    def regions(self, pixels: Pixels, seen: NDArray[np.float32]) -> tuple[Region, ...]:
        """See ``RegionFinder``."""
        if float(pixels.std()) < _EVEN_STD:
            return ()
        return find_regions(PatchMap.from_rows(seen), most=self._most)
