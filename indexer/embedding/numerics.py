"""What computes embeddings: the library, the device, and the number formats of the two towers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BackendName = Literal["torch", "openvino"]
NumberFormat = Literal["float32", "bf16", "int8"]
Tower = Literal["images", "texts"]
ConvertedTower = Literal["images", "texts", "patches"]
"""What is converted and kept; ``patches`` is the image tower opened up, see ``PatchModule``."""

DeviceName = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Numerics:
    """One way to compute the embeddings of a space.

    Two ways give slightly different numbers for the same picture; how different is measured, see ``Agreement``.

    Attributes:
        backend: the library that runs the towers.
        images, texts: number format of each tower.
        device: what it runs on.
    """

    backend: BackendName = "torch"
    images: NumberFormat = "float32"
    texts: NumberFormat = "float32"
    device: DeviceName = "cpu"

    def format_of(self, tower: Tower) -> NumberFormat:
        """The number format of a tower."""
        return self.images if tower == "images" else self.texts

    def has_engine_of(self, other: Numerics) -> bool:
        """Whether both run on the same library and device, in whatever formats."""
        return (self.backend, self.device) == (other.backend, other.device)

    def has_images_of(self, other: Numerics) -> bool:
        """Whether both compute pictures alike; their text towers may differ."""
        return self.has_engine_of(other) and self.images == other.images

    @property
    def is_reference(self) -> bool:
        """Whether all others are measured against it: open_clip's own modules, as they were trained, in float32."""
        return self.backend == "torch" and self.images == self.texts == "float32"

    def __str__(self) -> str:
        """E.g. ``openvino int8 on cpu, texts bf16``."""
        texts = "" if self.texts == self.images else f", texts {self.texts}"
        return f"{self.backend} {self.images} on {self.device}{texts}"
