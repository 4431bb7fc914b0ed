"""Embedders that behave as a test wants, around one that really embeds."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from PIL import Image

from indexer.embedding.patches import PatchTower
from indexer.embedding.port import Embedder, LabelScale, Pixels
from indexer.images.squares import Square
from indexer.points import Vectors
from indexer.spaces import EmbeddingSpace


class Wrapped:
    """An embedder around another one."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    @property
    def space(self) -> EmbeddingSpace:
        return self.embedder.space

    @property
    def label_scale(self) -> LabelScale:
        return self.embedder.label_scale

    @property
    def description(self) -> str:
        return self.embedder.description

    @property
    def square(self) -> Square:
        return self.embedder.square

    def prepare_image(self, image: Image.Image) -> Pixels:
        return self.embedder.prepare_image(image)

    def embed_images(self, pixels: Pixels) -> Vectors:
        return self.embedder.embed_images(pixels)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self.embedder.embed_texts(texts)

    @property
    def shares(self) -> int:
        return self.embedder.shares

    def on_share(self) -> AbstractContextManager[None]:
        return self.embedder.on_share()

    def open_patches(self) -> PatchTower:
        return self.embedder.open_patches()


class Surrounded(Wrapped, ABC):
    """Does something around each pass of either tower."""

    @abstractmethod
    def around(self, lane: str, count: int) -> AbstractContextManager[None]:
        """What is done around a pass of so many ``images`` or ``texts``."""

    def embed_images(self, pixels: Pixels) -> Vectors:
        with self.around("images", len(pixels)):
            return super().embed_images(pixels)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        with self.around("texts", len(texts)):
            return super().embed_texts(texts)


class Slow(Surrounded):
    """Takes its time.

    Args:
        embedder: of the vectors.
        pass_s: more for each pass.
        query_s: more for each picture or text in it.
    """

    def __init__(self, embedder: Embedder, *, pass_s: float = 0.0, query_s: float = 0.0) -> None:
        super().__init__(embedder)
        self._pass_s = pass_s
        self._query_s = query_s

    @contextmanager
    def around(self, lane: str, count: int) -> Iterator[None]:  # noqa: ARG002
        time.sleep(self._pass_s + count * self._query_s)
        yield
