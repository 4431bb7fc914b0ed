"""The embedder port: what every backend gives, whatever computes it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.images.squares import Square
from indexer.points import Vectors
from indexer.spaces import EmbeddingSpace

if TYPE_CHECKING:
    from indexer.embedding.patches import PatchTower

Pixels = NDArray[np.uint8]
"""Pictures ready for the image tower: uint8 (B, S, S, 3), RGB; a single one is (S, S, 3). Not yet normalised."""

TokenIds = NDArray[np.int64]
"""Texts ready for the text tower: int64 (B, L), padded to the context length L."""

PROBE_TEXT = "a photo"
"""What a model must always have a vector for; see also ``probe_pixels``."""


@dataclass(frozen=True, slots=True)
class LabelScale:
    """The learned numbers that make a cosine a probability: sigmoid(scale * cosine + bias), SigLIP eq. 1.

    Attributes:
        scale: positive, already exponentiated.
        bias: None for a model trained with softmax (CLIP), whose scores are no probabilities of a single label.
    """

    scale: float
    bias: float | None


class Embedder(Protocol):
    """Turns pictures and texts into comparable vectors; safe to call from several threads."""

    @property
    def space(self) -> EmbeddingSpace:
        """What its numbers may be compared with."""
        ...

    @property
    def label_scale(self) -> LabelScale:
        """For probabilities of labels; ranking needs the cosine alone."""
        ...

    @property
    def description(self) -> str:
        """Backend, device and precision in a few words, for people."""
        ...

    @property
    def square(self) -> Square:
        """What ``prepare_image`` does, as data: decoder processes do it right after they have decoded."""
        ...

    def prepare_image(self, image: Image.Image) -> Pixels:
        """Resizes an RGB picture as the checkpoint was trained: uint8 (S, S, 3)."""
        ...

    def embed_images(self, pixels: Pixels) -> Vectors:
        """Embeds pictures prepared by ``prepare_image``.

        Args:
            pixels: uint8 (B, S, S, 3), any B, also 0.

        Returns:
            float32 (B, D), rows of length 1.

        Raises:
            ModelFailed: the model raised, or gave numbers that are not finite.
        """
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Embeds texts in any language of the model; what exceeds its context length is cut off, as in training.

        Returns:
            float32 (B, D), rows of length 1.

        Raises:
            QueryTextEmpty: a text of which the tokenizer keeps nothing.
            ModelFailed: the model raised, or gave numbers that are not finite.
        """
        ...

    @property
    def shares(self) -> int:
        """How many passes at a time, each on its share of the cores, embed more than one after the other on all; 1:
        none do."""
        ...

    def on_share(self) -> AbstractContextManager[None]:
        """What the calling thread embeds in the block is computed on one share of the cores, beside others."""
        ...

    def open_patches(self) -> PatchTower:
        """Its image tower, opened up; may take as long as loading did the first time, so it belongs in a thread.

        Raises:
            PatchesUnavailable: the tower's kind gives no vectors of patches.
            EmbedderError, StoreUnavailable: it cannot be converted, or the converted one not be kept.
        """
        ...


def padded_size(items: int) -> int:
    """To how many a backend that needs fixed shapes fills a batch up: the next power of two; 0 stays 0."""
    return 1 << (items - 1).bit_length() if items else 0


def probe_pixels(embedder: Embedder) -> Pixels:
    """A grey picture, ready for a model that must always have a vector for it: uint8 (S, S, 3)."""
    return embedder.prepare_image(Image.new("RGB", (64, 64), (127, 127, 127)))


def normalise_rows(raw: NDArray[np.floating]) -> Vectors:
    """Rows divided by their length: the one place where vectors are normalised.

    Raises:
        FloatingPointError: a row is not finite or has length 0.
    """
    vectors = np.asarray(raw, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or np.any(lengths == 0):
        raise FloatingPointError("an embedding is not finite or has length 0")
    normalised: Vectors = vectors / lengths
    return normalised
