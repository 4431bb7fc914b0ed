"""The embedding space: what makes two embeddings comparable."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """Everything that decides which numbers a picture or a text becomes.

    Two embeddings may be compared only if they come from the same space. Every collection records its space; a query
    embedded in another one is refused.

    Attributes:
        model: what the model was asked for by: an open_clip name or ``demo``; for a folder, the folder's own name.
            (Not part of ``space_id``: a checkpoint that moved to another folder is the same space.)
        pretrained: tag of the weights (``webli``), empty for a checkpoint folder.
        dim: length of an embedding.
        image_size_px: side of the square picture the image tower takes.
        preprocess_fingerprint: hash of resize mode, interpolation, mean and standard deviation.
        tokenizer_fingerprint: hash of what the tokenizer makes of a fixed set of texts, padding included.
        weights_fingerprint: hash of every parameter and buffer of both towers.
    """

    model: str
    pretrained: str
    dim: int
    image_size_px: int
    preprocess_fingerprint: str
    tokenizer_fingerprint: str
    weights_fingerprint: str

    @property
    def space_id(self) -> str:
        """12 hexadecimal digits: SHA-256 over all that decides the numbers, names excluded."""
        deciding = {key: value for key, value in asdict(self).items() if key not in {"model", "pretrained"}}
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, str | int]:
        """The attributes as plain JSON values; ``from_json`` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, str | int]) -> EmbeddingSpace:
        """Reads what ``to_json`` wrote.

        Raises:
            TypeError: a field is missing or unknown.
        """
        return cls(**value)  # type: ignore[arg-type]
