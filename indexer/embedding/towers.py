"""What every backend shares: batches, one forward pass of a tower at a time, and failures by name."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.embedding.numerics import Numerics
from indexer.embedding.openclip import LoadedModel, tokenize_with
from indexer.embedding.patches import PatchTower
from indexer.embedding.port import LabelScale, Pixels, TokenIds, normalise_rows, padded_size
from indexer.errors import ModelFailed, QueryTextEmpty
from indexer.images.squares import Square
from indexer.points import Vectors
from indexer.spaces import EmbeddingSpace

RawVectors: TypeAlias = NDArray[np.floating[Any]]
"""What a tower gives: (B, D), not normalised."""


class TowersEmbedder(ABC):
    """An ``Embedder`` of two towers; a backend adds how a batch goes through each.

    A tower runs one batch at a time, or one on each share of the cores: more would fight for them and for memory. The
    towers have their own turns, so that a text need not wait for a batch of pictures.

    Args:
        model: from ``load_open_clip``; its module is not kept here.
        numerics: what the backend computes with.
        batch_size: the largest batch.
        shares: see ``Embedder``.
    """

    _fixed_sizes: ClassVar[bool] = False
    """Whether batches are filled up to powers of two: the kernels chosen for a shape are then chosen once."""

    def __init__(self, model: LoadedModel, numerics: Numerics, batch_size: int, *, shares: int = 1) -> None:
        self._space = model.space
        self._label_scale = model.label_scale
        self._recipe = model.preprocess
        self._tokenizer = model.tokenizer
        self._numerics = numerics
        self._batch_size = batch_size
        self._blank = model.tokenize([""])[0]
        self._shares = shares
        self._image_turns, self._text_turns = threading.Semaphore(shares), threading.Semaphore(shares)

    @property
    def space(self) -> EmbeddingSpace:
        """See ``Embedder``."""
        return self._space

    @property
    def label_scale(self) -> LabelScale:
        """See ``Embedder``."""
        return self._label_scale

    @property
    def description(self) -> str:
        """See ``Embedder``."""
        return str(self._numerics)

    @property
    def numerics(self) -> Numerics:
        """What it computes with."""
        return self._numerics

    @property
    def square(self) -> Square:
        """See ``Embedder``."""
        return self._recipe.square

    def prepare_image(self, image: Image.Image) -> Pixels:
        """See ``Embedder``."""
        return self._recipe.apply(image)

    def embed_images(self, pixels: Pixels) -> Vectors:
        """See ``Embedder``."""
        return self._in_batches(pixels, self._image_passes)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """See ``Embedder``."""
        ids = tokenize_with(self._tokenizer, texts) if texts else np.zeros((0, self._blank.size), dtype=np.int64)
        for text, row in zip(texts, ids, strict=True):
            if np.array_equal(row, self._blank):
                raise QueryTextEmpty(f"Nothing is left to search for in the text {text!r}.", "Type a word.")
        return self._in_batches(ids, self._text_passes)

    @property
    def shares(self) -> int:
        """See ``Embedder``."""
        return self._shares

    def on_share(self) -> AbstractContextManager[None]:
        """See ``Embedder``."""
        return nullcontext()

    @abstractmethod
    def open_patches(self) -> PatchTower:
        """See ``Embedder``."""

    @abstractmethod
    def _run_images(self, pixels: Pixels) -> RawVectors:
        """The image tower on uint8 (B, S, S, 3), B at least 1 and at most the batch size."""

    @abstractmethod
    def _run_texts(self, ids: TokenIds) -> RawVectors:
        """The text tower on int64 (B, L)."""

    def _image_passes(self, batches: Iterable[Pixels]) -> Iterator[RawVectors]:
        """Batches through the image tower, one after the other."""
        for pixels in batches:
            with self._image_turns:
                raw = self._run_images(pixels)
            yield raw

    def _text_passes(self, batches: Iterable[TokenIds]) -> Iterator[RawVectors]:
        """Batches through the text tower, one after the other."""
        for ids in batches:
            with self._text_turns:
                raw = self._run_texts(ids)
            yield raw

    def _in_batches(self, rows: Pixels | TokenIds, passes: Callable[[Any], Iterator[RawVectors]]) -> Vectors:
        if not len(rows):
            return np.zeros((0, self._space.dim), dtype=np.float32)
        parts = [rows[start : start + self._batch_size] for start in range(0, len(rows), self._batch_size)]
        try:
            raws = passes(self._filled(part) for part in parts)
            return np.concatenate([normalise_rows(raw[: len(part)]) for part, raw in zip(parts, raws, strict=True)])
        except (RuntimeError, FloatingPointError, ValueError, IndexError) as error:
            raise ModelFailed(
                f"The model {self._space.model} failed: {str(error).splitlines()[0][:200]}.",
                "Restart; if it stays, run: python -m indexer verify-model.",
            ) from error

    def _filled(self, part: Pixels | TokenIds) -> Pixels | TokenIds:
        size = padded_size(len(part)) if self._fixed_sizes else len(part)
        if size != len(part):
            return cast("Pixels | TokenIds", np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)]))
        return part
