"""The embedder that runs torch, in float32 or bf16, on a CPU or a GPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch

from indexer.embedding.cpu_streams import on_cores, streams_for
from indexer.embedding.numerics import DeviceName, Numerics
from indexer.embedding.openclip import LoadedModel
from indexer.embedding.opened_tower import OpenedTower, RawPatches
from indexer.embedding.patch_modules import PatchModule
from indexer.embedding.patches import PatchTower
from indexer.embedding.port import Pixels, TokenIds
from indexer.embedding.towers import RawVectors, TowersEmbedder

_SHARES = 2
"""Of the cores, see ``Embedder.shares``: with more, a query would wait the longer for its own pass."""


class TorchEmbedder(TowersEmbedder):
    """Runs a loaded model at fixed batch sizes.

    Batches are powers of two up to ``batch_size``, the last one padded: the kernels chosen for a shape are chosen once,
    and a picture's numbers do not depend on how many others happened to come with it by more than those few shapes.

    Args:
        model: from ``load_open_clip``; its module is moved and converted in place.
        device: ``cpu`` or ``cuda``.
        precision: ``float32`` or ``bf16``, of both towers.
        batch_size: the largest batch, a power of two.
        threads: on a CPU, cores that batches are divided among, row by row; 1: torch divides each step.
    """

    _fixed_sizes: ClassVar[bool] = True

    def __init__(
        self,
        model: LoadedModel,
        *,
        device: DeviceName = "cpu",
        precision: Literal["float32", "bf16"] = "float32",
        batch_size: int = 32,
        threads: int = 1,
    ) -> None:
        shares = _SHARES if device == "cpu" and threads >= _SHARES else 1
        super().__init__(model, Numerics("torch", precision, precision, device), batch_size, shares=shares)
        self._model = model
        self._device = torch.device(device)
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._module = cast("Any", model.module)
        self._module.to(device=self._device, dtype=self._dtype, memory_format=torch.channels_last)
        self._scale = torch.from_numpy(model.preprocess.byte_scale).to(self._device)
        self._shift = torch.from_numpy(model.preprocess.byte_shift).to(self._device)
        self._streams = streams_for(threads, batch_size) if device == "cpu" else None
        self._cores = threads
        self._here = threading.local()

    @contextmanager
    def on_share(self) -> Iterator[None]:
        """See ``Embedder``."""
        with on_cores(self._cores // self._shares, self._cores):
            self._here.on_share = True
            try:
                yield
            finally:
                self._here.on_share = False

    def open_patches(self) -> PatchTower:
        """See ``Embedder``: the same tower, so nothing is loaded."""
        module, device = PatchModule(self._model), self._device

        def run(pixels: Pixels) -> RawPatches:
            with torch.inference_mode():
                vectors, weights = module(torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(device))
                return vectors.cpu().numpy(), weights.cpu().numpy()

        return OpenedTower(str(self.numerics), self._recipe, module.side_px, run, self._image_turns)

    def _run_images(self, pixels: Pixels) -> RawVectors:
        return self._divided(self._encode_images, pixels)

    def _run_texts(self, ids: TokenIds) -> RawVectors:
        return self._divided(self._encode_texts, ids)

    def _divided(self, encode: Callable[[torch.Tensor], torch.Tensor], rows: Pixels | TokenIds) -> RawVectors:
        if self._streams is None or getattr(self._here, "on_share", False) or not self._streams.worth(len(rows)):
            return self._eagerly(encode, rows)
        return self._streams.run(partial(self._eagerly, encode), rows)

    def _eagerly(self, encode: Callable[[torch.Tensor], torch.Tensor], rows: Pixels | TokenIds) -> RawVectors:
        with torch.inference_mode():
            given = torch.from_numpy(np.require(rows, requirements=["C", "W"])).to(self._device)
            return cast("RawVectors", encode(given).cpu().numpy())

    def _encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 (B, S, S, 3) to float32 (B, D), both on the device."""
        values = pixels.permute(0, 3, 1, 2).to(torch.float32)
        values = torch.addcmul(self._shift, values, self._scale).to(self._dtype)
        raw = self._module.encode_image(values.contiguous(memory_format=torch.channels_last))
        return cast("torch.Tensor", raw.float())

    def _encode_texts(self, ids: torch.Tensor) -> torch.Tensor:
        """int64 (B, L) to float32 (B, D), both on the device."""
        return cast("torch.Tensor", self._module.encode_text(ids).float())
