"""Labels and vectors for a shopper's photo or words; nothing in it knows of HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.points import Vectors
from indexer.prompts import SLOT
from indexer.zero_shot import averaged, score_labels
from search_api.model_gate import ModelGate
from search_api.query_embeddings import QueryEmbeddings
from search_api.query_text import check_query_text
from search_api.side_by_side import some_at_once

_TEXTS_AT_ONCE = 16
"""Of one request: enough to fill the model's batches, and few enough that other requests find places in its queue."""
_PHOTOS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class LabelScore:
    """A label for a photo; see ``LabelScores``."""

    label: str
    probability: float | None
    softmax: float


@dataclass(frozen=True, slots=True)
class Classification:
    """Labels, likeliest first, and the space in which they were compared."""

    labels: tuple[LabelScore, ...]
    space_id: str


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors, float32 (B, D), rows of length 1, in the order of what was sent, and their space."""

    vectors: Vectors
    space_id: str


class ZeroShotService:
    """Classifies photos by any words, and hands out embeddings.

    Args:
        gate: to the model.
        queries: embeds photos and texts, and remembers both.
        max_text_chars: of a text, label and template together.
    """

    def __init__(self, gate: ModelGate, queries: QueryEmbeddings, *, max_text_chars: int) -> None:
        self._gate = gate
        self._queries = queries
        self._max_text_chars = max_text_chars

    async def classify(self, photo: bytes, labels: Sequence[str], templates: Sequence[str]) -> Classification:
        """What a photo shows, of some labels.

        Args:
            photo: a whole file.
            labels: at least one, in any language of the model.
            templates: at least one, each with a place for the label.

        Raises:
            ImageError, QueryError, EmbedderError, Overloaded
        """
        prompts = [template.replace(SLOT, label) for label in labels for template in templates]
        for prompt in prompts:
            check_query_text(prompt, self._max_text_chars)
        # the photo first: what cannot be decoded needs no labels
        picture = (await self._queries.of_image(photo)).vector
        vectors = await self._of_texts(prompts)
        by_label = np.stack(vectors).reshape(len(labels), len(templates), -1)
        scores = score_labels(
            picture[None, :], np.stack([averaged(own) for own in by_label]), self._gate.embedder.label_scale
        )
        found = [
            LabelScore(
                label,
                None if scores.probabilities is None else float(scores.probabilities[0, number]),
                float(scores.softmax[0, number]),
            )
            for number, label in enumerate(labels)
        ]
        found.sort(key=lambda item: -item.softmax)
        return Classification(tuple(found), self._gate.space_id)

    async def embed_photos(self, photos: Sequence[bytes]) -> Embeddings:
        """Vectors of photos.

        Raises:
            ImageError, EmbedderError, Overloaded
        """
        with self._queries.places() as places:
            found = await some_at_once(photos, lambda photo: self._queries.of_image(photo, places), _PHOTOS_AT_ONCE)
        return self._embeddings([item.vector for item in found])

    async def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Vectors of texts.

        Raises:
            QueryError, EmbedderError, Overloaded
        """
        for text in texts:
            check_query_text(text, self._max_text_chars)
        return self._embeddings(await self._of_texts(texts))

    def _embeddings(self, vectors: Sequence[Vectors]) -> Embeddings:
        return Embeddings(np.stack(vectors), self._gate.space_id)

    async def _of_texts(self, texts: Sequence[str]) -> list[Vectors]:
        with self._queries.places() as places:
            found = await some_at_once(texts, lambda text: self._queries.of_text(text, places), _TEXTS_AT_ONCE)
        return [item.vector for item in found]
