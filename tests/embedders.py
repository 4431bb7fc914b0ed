"""Embedders that behave as a test wants, around one that really embeds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

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
