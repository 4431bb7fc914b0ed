"""The decoder port: from a picture's bytes to pixels, wherever that is done; and the decoder of this very process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.images.decode import DecodedImage, decode_image
from indexer.images.limits import ImageLimits
from indexer.images.squares import Square
from indexer.images.tasks import JpegTask, Made, PictureTask, SquareTask, Task, carried_out

SquarePixels: TypeAlias = NDArray[np.uint8]
"""uint8 (S, S, 3), RGB."""


@dataclass(frozen=True, slots=True)
class DecodedSquare:
    """A picture ready for a model.

    Attributes:
        pixels: uint8 (S, S, 3), RGB.
        width_px, height_px: of the whole upright picture.
    """

    pixels: SquarePixels
    width_px: int
    height_px: int


class Decoder(ABC):
    """Decodes pictures that strangers made; safe to call from several threads, each of which waits for its picture.

    Args:
        limits: for one picture.
    """

    def __init__(self, limits: ImageLimits) -> None:
        self.limits = limits

    def picture(self, data: bytes, *, min_side_px: int | None = None) -> DecodedImage:
        """The first frame as an upright RGB picture.

        Args:
            data: a whole file.
            min_side_px: see ``decode_image``.

        Raises:
            ImageError: one of its leaves, whatever the bytes hold.
            DecoderUnavailable: there is no process to decode in.
        """
        made = self._made(PictureTask(min_side_px), data)
        return DecodedImage(Image.frombytes("RGB", made.size_px, made.payload), *made.whole_px)

    def square(self, data: bytes, square: Square) -> DecodedSquare:
        """The first frame as the square that a model takes.

        Raises:
            ImageError, DecoderUnavailable: see ``picture``.
        """
        made = self._made(SquareTask(square), data)
        side = square.size_px
        return DecodedSquare(np.frombuffer(made.payload, dtype=np.uint8).reshape(side, side, 3), *made.whole_px)

    def jpeg(self, data: bytes, *, max_side_px: int) -> bytes:
        """A JPEG file of the first frame, its longer side at most ``max_side_px``, upright, without metadata.

        Raises:
            ImageError, DecoderUnavailable: see ``picture``.
        """
        return bytes(self._made(JpegTask(max_side_px), data).payload)

    def start(self) -> None:  # noqa: B027 - most of what decodes has nothing to start
        """Begins to get ready; without it the first picture waits a tenth of a second.

        Raises:
            DecoderUnavailable: see ``picture``.
        """

    def close(self) -> None:  # noqa: B027 - most of what decodes holds nothing
        """Lets go of what it holds; nothing is decoded after that."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _made(self, task: Task, data: bytes) -> Made:
        """Carries out a task."""


class InProcessDecoder(Decoder):
    """Decodes in the thread that asks: a codec's crash is this process's."""

    def picture(self, data: bytes, *, min_side_px: int | None = None) -> DecodedImage:
        """See ``Decoder``; without the way over bytes."""
        return decode_image(data, self.limits, min_side_px=min_side_px)

    def _made(self, task: Task, data: bytes) -> Made:
        return carried_out(task, data, self.limits)
