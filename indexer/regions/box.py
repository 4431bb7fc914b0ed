"""A box in a picture, and the crop of it that an image tower should see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from indexer.errors import BoxInvalid

MIN_SIDE_SHARE = 0.02
"""Of the picture's side; a smaller box shows nothing of which a tower could make anything."""
MIN_SIDE_PX = 12
"""Of the whole picture, or its shorter side where that is smaller."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture, as shares of its width and height: 0 is the left or upper edge, 1 the right or lower one.

    Attributes:
        left, top, right, bottom: left < right, top < bottom, each from 0 to 1.
    """

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def checked(cls, sides: Sequence[float]) -> Box:
        """A box as somebody drew it: left, top, right, bottom.

        Raises:
            BoxInvalid: it is none, is empty, lies outside the picture, or is tiny.
        """
        shown = "[" + ", ".join(f"{side:g}" for side in sides) + "]"
        if len(sides) != 4 or not all(math.isfinite(side) for side in sides):
            raise BoxInvalid(f"The box {shown} is not four numbers.", "Give left, top, right, bottom, each 0 to 1.")
        box = cls(*(float(side) for side in sides))
        if not all(0 <= side <= 1 for side in sides):
            raise BoxInvalid(f"The box {shown} lies outside the photo.", "Its sides are shares of the photo: 0 to 1.")
        if box.right <= box.left or box.bottom <= box.top:
            raise BoxInvalid(f"The box {shown} is empty.", "Its order is left, top, right, bottom.")
        if min(box.width, box.height) < MIN_SIDE_SHARE:
            raise BoxInvalid(
                f"The box {shown} is tiny.", f"Each side must be {MIN_SIDE_SHARE:.0%} of the photo's or more."
            )
        return box

    @property
    def width(self) -> float:
        """Share of the picture's width."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Share of the picture's height."""
        return self.bottom - self.top

    def holds_enough(self, width_px: int, height_px: int) -> bool:
        """Whether there are pixels enough inside, of a picture of that size."""
        least = min(MIN_SIDE_PX, width_px, height_px)
        return min(self.width * width_px, self.height * height_px) >= least

    def to_list(self) -> list[float]:
        """Left, top, right, bottom."""
        return [round(side, 4) for side in (self.left, self.top, self.right, self.bottom)]

    def overlap(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        if across <= 0 or down <= 0:
            return 0.0
        both = across * down
        return both / (self.width * self.height + other.width * other.height - both)


@dataclass(frozen=True, slots=True)
class Crop:
    """What a tower should see of a box: square like the pictures of a catalog, as far as the photo reaches.

    A tower squashes what it sees to a square, so a narrow crop would come out stretched, unlike the catalog's picture.

    Attributes:
        box: of the object.
        margin: added on each side, as a share of the box's longer side.
    """

    box: Box
    margin: float

    def of(self, image: Image.Image) -> Image.Image:
        """The crop of a photo.

        Raises:
            BoxInvalid: too few pixels are inside.
        """
        (width, height), box = image.size, self.box
        if not box.holds_enough(width, height):
            raise BoxInvalid(
                f"The box holds {box.width * width:.0f} x {box.height * height:.0f} pixels of the photo.",
                f"It needs {MIN_SIDE_PX} on each side.",
            )
        side = max(box.width * width, box.height * height) * (1 + 2 * self.margin)
        left, right = _around((box.left + box.right) / 2 * width, side, width)
        top, bottom = _around((box.top + box.bottom) / 2 * height, side, height)
        return image.crop((left, top, right, bottom))


def _around(middle: float, length: float, limit: int) -> tuple[int, int]:
    """Start and end of a stretch of whole pixels, moved into the picture rather than cut off by its edge."""
    length = min(max(1, round(length)), limit)
    start = min(max(0, round(middle - length / 2)), limit - length)
    return start, start + length
