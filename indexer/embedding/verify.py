"""Whether a loaded checkpoint gives the numbers that its makers published.

The tables are those of ``big_vision``'s SigLIP and SigLIP 2 notebooks: for a few pictures and texts the "tempered
logits", scale * cosine, before the bias. A correct implementation on pictures of the model's own input size
agrees within 0.1; a wrong resize, mean, case, padding or tokenizer is off by whole units.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.embedding.port import Embedder
from indexer.errors import ConfigurationError
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits
from indexer.points import Vectors

TOLERANCE = 0.1
"""Largest difference of a logit that bf16 training and JPEG pictures explain."""


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table of published scores.

    Attributes:
        stem: file name without ``.json``; its pictures are ``STEM_imgNN.jpg``.
        model: open_clip's name of the checkpoint.
        at_model_size: whether the pictures are as large as the model's input; else only rankings can be compared.
    """

    stem: str
    model: str
    at_model_size: bool


PUBLISHED = (
    PublishedTable("SigLIP_demo_table1", "ViT-L-16-SigLIP-384", at_model_size=True),
    PublishedTable("SigLIP_demo_table2", "ViT-B-16-SigLIP-i18n-256", at_model_size=True),
    PublishedTable("SigLIP2_demo_table1", "ViT-SO400M-16-SigLIP2-256", at_model_size=False),
    PublishedTable("SigLIP2_demo_table2", "ViT-SO400M-16-SigLIP2-256", at_model_size=False),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Published against computed.

    Attributes:
        table: which.
        pictures, texts: how many.
        largest, mean: absolute difference of the logits.
        same_best: share of texts whose best picture is the published one.
        worst: picture number and text of the largest difference.
        agrees: whether the table's criterion holds: the tolerance, or for thumbnails the same best picture in 80 %.
    """

    table: PublishedTable
    pictures: int
    texts: int
    largest: float
    mean: float
    same_best: float
    worst: tuple[int, str]
    agrees: bool


_THUMBNAIL_AGREEMENT = 0.8


def tables_for(model: str) -> list[PublishedTable]:
    """The published tables of a model; empty if it has none."""
    return [table for table in PUBLISHED if table.model == model]


def compare(embedder: Embedder, table: PublishedTable, folder: Path) -> Comparison:
    """Computes a published table anew.

    Args:
        embedder: with the checkpoint of ``table.model``.
        table: which.
        folder: that holds the JSON file and the pictures.

    Raises:
        ConfigurationError: a file is missing.
    """
    try:
        published = json.loads((folder / f"{table.stem}.json").read_text("utf-8"))
        texts: list[str] = published["texts"]
        expected = np.asarray(published["tempered_logits_image_x_text"], dtype=np.float32)
        pixels = _pictures(embedder, folder, table.stem, len(expected))
    except (OSError, KeyError, ValueError) as error:
        raise ConfigurationError(
            f"The published scores {table.stem} in {folder} cannot be read: {error}.", "Name their folder."
        ) from error
    cosines: Vectors = embedder.embed_images(pixels) @ embedder.embed_texts(texts).T
    computed = np.float32(embedder.label_scale.scale) * cosines
    return _judged(table, texts, expected, computed)


def _pictures(embedder: Embedder, folder: Path, stem: str, count: int) -> NDArray[np.uint8]:
    # at full size: these pictures are compared to the digit, so none is decoded at a fraction of its size
    files = [folder / f"{stem}_img{number:02d}.jpg" for number in range(count)]
    decoded = [decode_image(file.read_bytes(), ImageLimits()).image for file in files]
    return np.stack([embedder.prepare_image(image) for image in decoded])


def _judged(
    table: PublishedTable, texts: Sequence[str], expected: NDArray[np.float32], computed: NDArray[np.float32]
) -> Comparison:
    difference = np.abs(expected - computed)
    picture, text = np.unravel_index(int(difference.argmax()), difference.shape)
    same_best = float((expected.argmax(axis=0) == computed.argmax(axis=0)).mean())
    largest = float(difference.max())
    agrees = largest <= TOLERANCE if table.at_model_size else same_best >= _THUMBNAIL_AGREEMENT
    return Comparison(
        table=table,
        pictures=expected.shape[0],
        texts=expected.shape[1],
        largest=largest,
        mean=float(difference.mean()),
        same_best=same_best,
        worst=(int(picture), texts[int(text)]),
        agrees=agrees,
    )
