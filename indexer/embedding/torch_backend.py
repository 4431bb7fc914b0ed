"""The embedder that runs torch, in float32 or bf16, on a CPU or a GPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import numpy as np
import torch
from PIL import Image

from indexer.embedding.openclip import LoadedModel
from indexer.embedding.port import LabelScale, Pixels, TokenIds, normalise_rows
from indexer.errors import ModelFailed, QueryTextEmpty
from indexer.points import Vectors
from indexer.spaces import EmbeddingSpace


class TorchEmbedder:
    """Runs a loaded model at fixed batch sizes.

    Batches are powers of two up to ``batch_size``, the last one padded: the kernels chosen for a shape are chosen once,
    and a picture's numbers do not depend on how many others happened to come with it by more than those few shapes.

    Args:
        model: from ``load_open_clip``.
        device: ``cpu`` or ``cuda``.
        precision: ``float32`` or ``bf16``.
        batch_size: the largest batch, a power of two.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        device: Literal["cpu", "cuda"] = "cpu",
        precision: Literal["float32", "bf16"] = "float32",
        batch_size: int = 32,
    ) -> None:
        self._model = model
        self._device = torch.device(device)
        self._precision = precision
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._batch_size = batch_size
        self._module = cast("Any", model.module)
        self._module.to(device=self._device, dtype=self._dtype, memory_format=torch.channels_last)
        recipe = model.preprocess
        # (v / 255 - mean) / std as one multiply and add
        self._scale = torch.tensor([1 / (255 * s) for s in recipe.std]).view(1, 3, 1, 1).to(self._device)
        self._shift = torch.tensor([-m / s for m, s in zip(recipe.mean, recipe.std, strict=True)])
        self._shift = self._shift.view(1, 3, 1, 1).to(self._device)
        self._blank = model.tokenize([""])[0]
        # one forward pass at a time: two would fight for the same cores and double the memory
        self._lock = threading.Lock()

    @property
    def space(self) -> EmbeddingSpace:
        """See ``Embedder``."""
        return self._model.space

    @property
    def label_scale(self) -> LabelScale:
        """See ``Embedder``."""
        return self._model.label_scale

    @property
    def description(self) -> str:
        """See ``Embedder``."""
        return f"torch {self._precision} on {self._device.type}"

    def prepare_image(self, image: Image.Image) -> Pixels:
        """See ``Embedder``."""
        return self._model.preprocess.apply(image)

    def embed_images(self, pixels: Pixels) -> Vectors:
        """See ``Embedder``."""
        return self._in_batches(pixels, self._encode_images)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """See ``Embedder``."""
        ids = self._model.tokenize(texts) if texts else np.zeros((0, self._blank.size), dtype=np.int64)
        for text, row in zip(texts, ids, strict=True):
            if np.array_equal(row, self._blank):
                raise QueryTextEmpty(f"Nothing is left to search for in the text {text!r}.", "Type a word.")
        return self._in_batches(ids, self._encode_texts)

    def _encode_images(self, batch: torch.Tensor) -> torch.Tensor:
        values = batch.to(self._device).permute(0, 3, 1, 2).to(torch.float32)
        values = torch.addcmul(self._shift, values, self._scale).to(self._dtype)
        return cast("torch.Tensor", self._module.encode_image(values.contiguous(memory_format=torch.channels_last)))

    def _encode_texts(self, batch: torch.Tensor) -> torch.Tensor:
        return cast("torch.Tensor", self._module.encode_text(batch.to(self._device)))

    def _in_batches(self, rows: Pixels | TokenIds, encode: Callable[[torch.Tensor], torch.Tensor]) -> Vectors:
        if not len(rows):
            return np.zeros((0, self.space.dim), dtype=np.float32)
        parts = []
        for start in range(0, len(rows), self._batch_size):
            part = rows[start : start + self._batch_size]
            size = 1 << (len(part) - 1).bit_length()
            filled = (
                part if size == len(part) else np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
            )
            try:
                with self._lock, torch.inference_mode():
                    raw = (
                        encode(torch.from_numpy(np.require(filled, requirements=["C", "W"])))[: len(part)]
                        .float()
                        .cpu()
                        .numpy()
                    )
                parts.append(normalise_rows(raw))
            except (RuntimeError, FloatingPointError, ValueError, IndexError) as error:
                raise ModelFailed(
                    f"The model {self.space.model} failed: {str(error).splitlines()[0][:200]}.",
                    "Restart; if it stays, run: python -m indexer verify-model.",
                ) from error
        return np.concatenate(parts)
