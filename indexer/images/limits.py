"""What a picture may cost before it is refused."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bounds for one picture.

    Attributes:
        max_bytes: of the file.
        max_pixels: width times height as decoded. A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that still
            covers what the model needs, so larger JPEGs pass. 50 million pixels take about 400 MB at the worst
            (RGBA and its RGB copy, four bytes a pixel each).
        timeout_s: from the first byte read to the last pixel.
        max_frames: of an animation, or pages of a document; only the first one is decoded, but all may be walked.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    timeout_s: float = 5.0
    max_frames: int = 1000

    @property
    def max_megabytes(self) -> str:
        """``max_bytes`` as people read it."""
        return f"{self.max_bytes / 1e6:g} MB"
