"""From vectors to tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from indexer.calibration.probes import embed_texts
from indexer.embedding.port import Embedder, LabelScale
from indexer.errors import ConfigurationError
from indexer.points import Vectors
from indexer.tagging.taxonomy import Taxonomy
from indexer.zero_shot import averaged, score_labels

_DIGITS = 4
"""Of a probability: so that the same picture gets the same one from vectors that differ in their last bits."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What a picture was told to be.

    Attributes:
        values: by attribute.
        probabilities: of each value, against the other values of its attribute.
    """

    values: Mapping[str, str]
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Values:
    names: tuple[str, ...]
    vectors: Vectors
    min_probability: float


class Tagger:
    """Holds a taxonomy's values against vectors of one space.

    Args:
        taxonomy: its prompts are embedded here, once.
        embedder: of the space.

    Raises:
        ConfigurationError: of a prompt the tokenizer keeps nothing.
        ModelFailed: the model fails.
    """

    def __init__(self, taxonomy: Taxonomy, embedder: Embedder) -> None:
        self._scale: LabelScale = embedder.label_scale
        self._attributes: dict[str, _Values] = {}
        for name, attribute in taxonomy.attributes.items():
            prompts = taxonomy.prompts(name)
            vectors = np.stack([_averaged(own, embedder) for own in prompts.values()])
            self._attributes[name] = _Values(tuple(prompts), vectors, attribute.min_probability)

    @property
    def possible(self) -> Mapping[str, frozenset[str]]:
        """Values of each attribute, casefolded."""
        return {
            name: frozenset(value.casefold() for value in values.names) for name, values in self._attributes.items()
        }

    def tags(self, vectors: Vectors) -> list[Tags]:
        """What pictures are.

        Args:
            vectors: float32 (B, D), rows of length 1.

        Returns:
            B of them, in order; an attribute of which no value is likely enough is left out.
        """
        found: list[tuple[dict[str, str], dict[str, float]]] = [({}, {}) for _ in vectors]
        if not len(vectors):
            return []
        for name, values in self._attributes.items():
            shares = score_labels(vectors, values.vectors, self._scale).softmax
            best = shares.argmax(axis=1)
            for row, (own, probabilities) in enumerate(found):
                probability = float(shares[row, best[row]])
                if probability >= values.min_probability:
                    own[name] = values.names[best[row]]
                    probabilities[name] = round(probability, _DIGITS)
        return [Tags(*item) for item in found]


def _averaged(prompts: list[str], embedder: Embedder) -> Vectors:
    vectors = embed_texts(prompts, embedder)
    for prompt, vector in zip(prompts, vectors, strict=True):
        if vector is None:
            raise ConfigurationError(f"The model's tokenizer keeps nothing of the prompt {prompt!r}.", "Word it anew.")
    return averaged(np.stack([vector for vector in vectors if vector is not None]))
