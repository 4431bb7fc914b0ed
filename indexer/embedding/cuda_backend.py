"""The torch embedder on an NVIDIA GPU: forward passes captured as CUDA graphs, and copies beside the computing."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from indexer.embedding.openclip import LoadedModel
from indexer.embedding.port import Pixels, TokenIds, normalise_rows
from indexer.embedding.torch_backend import TorchEmbedder
from indexer.embedding.towers import RawVectors

_log = logging.getLogger(__name__)
_WARM_UPS = 3
"""Passes before a capture, as PyTorch's documentation of CUDA graphs has it: kernels are chosen and memory is taken."""
_SLOTS = 2
"""Batches on their way: one is computed while the next is copied there and the one before is copied back."""
_MIN_COSINE = 0.9999
"""Between a replayed pass and the same pass without a graph: the same kernels on the same numbers."""


class CudaEmbedder(TorchEmbedder):
    """Runs both towers on a GPU as captured graphs, one for each batch size; without them where they cannot be had.

    A graph starts the kernels of a whole pass at once, which matters for small batches, whose kernels take less time
    than starting them one by one.

    Args:
        model: from ``load_open_clip``; its module is moved and converted in place.
        precision: ``float32`` or ``bf16``, of both towers.
        batch_size: the largest batch, a power of two.
    """

    def __init__(
        self, model: LoadedModel, *, precision: Literal["float32", "bf16"] = "bf16", batch_size: int = 256
    ) -> None:
        super().__init__(model, device="cuda", precision=precision, batch_size=batch_size)
        side = model.space.image_size_px
        grey = np.full((batch_size, side, side, 3), 127, dtype=np.uint8)
        words = np.repeat(model.tokenize(["a photo"]), batch_size, axis=0)
        self._image_graphs = self._captured("image", self._encode_images, grey)
        self._text_graphs = self._captured("text", self._encode_texts, words)

    def _image_passes(self, batches: Iterable[Pixels]) -> Iterator[RawVectors]:
        if self._image_graphs is None:
            yield from super()._image_passes(batches)
            return
        with self._image_turns:
            yield from self._image_graphs.run(batches)

    def _text_passes(self, batches: Iterable[TokenIds]) -> Iterator[RawVectors]:
        if self._text_graphs is None:
            yield from super()._text_passes(batches)
            return
        with self._text_turns:
            yield from self._text_graphs.run(batches)

    def _captured(
        self, tower: str, encode: Callable[[torch.Tensor], torch.Tensor], rows: Pixels | TokenIds
    ) -> GraphedTower | None:
        """The tower's graphs, if they can be made and compute what the tower does."""
        try:
            graphs = GraphedTower(encode, rows, self._device)
            expected = self._eagerly(encode, rows[:1])
            replayed = np.concatenate(list(graphs.run([rows[:1]] * (_SLOTS + 1))))
        except RuntimeError as error:
            _log.warning("the %s tower runs without CUDA graphs: %s", tower, str(error).splitlines()[0])
            return None
        cosines = normalise_rows(replayed) @ normalise_rows(expected)[0]
        if not cosines.min() >= _MIN_COSINE:  # not a number is not enough either
            _log.warning("the %s tower runs without CUDA graphs, as theirs came out otherwise: %s", tower, cosines)
            return None
        return graphs


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where one batch is on its way: pinned memory of the host, memory of the card, and back.

    Attributes:
        staged, given: inputs, as many rows as the largest batch has; pinned, and on the card.
        found, taken: outputs, float32 (B, D); on the card, and pinned.
        done: reached when ``taken`` is filled.
    """

    staged: torch.Tensor
    given: torch.Tensor
    found: torch.Tensor
    taken: torch.Tensor
    done: torch.cuda.Event


class GraphedTower:
    """One tower's forward passes, captured once for each batch size and slot; used by one thread at a time.

    Args:
        encode: the pass: rows on the card to float32 (B, D) on the card.
        rows: example of the largest batch.
        device: the card.

    Raises:
        RuntimeError: the pass cannot be captured.
    """

    def __init__(
        self, encode: Callable[[torch.Tensor], torch.Tensor], rows: Pixels | TokenIds, device: torch.device
    ) -> None:
        self._encode = encode
        self._computing = _stream(device)
        self._arriving, self._leaving = _stream(device), _stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        with torch.inference_mode():
            example = torch.from_numpy(rows)
            dim = encode(example[:1].to(device)).shape[1]
            self._slots = tuple(_slot(example, dim, device) for _ in range(_SLOTS))
            # the largest first: the smaller ones fit into the memory that it takes
            sizes = [1 << power for power in reversed(range(len(rows).bit_length()))]
            self._graphs = [{size: self._capture(slot, size) for size in sizes} for slot in self._slots]

    def run(self, batches: Iterable[Pixels | TokenIds]) -> Iterator[RawVectors]:
        """The vectors of batches in their order, float32 (B, D), not normalised.

        Args:
            batches: each of as many rows as a power of two, at most those of the largest batch.
        """
        under_way: deque[tuple[_Slot, int]] = deque()
        for number, batch in enumerate(batches):
            if len(under_way) == _SLOTS:
                yield _result(*under_way.popleft())
            slot = self._slots[number % _SLOTS]
            self._start(slot, self._graphs[number % _SLOTS][len(batch)], batch)
            under_way.append((slot, len(batch)))
        while under_way:
            yield _result(*under_way.popleft())

    def _start(self, slot: _Slot, graph: torch.cuda.CUDAGraph, batch: Pixels | TokenIds) -> None:
        rows = len(batch)
        with torch.inference_mode():
            slot.staged[:rows].numpy()[...] = batch
            with torch.cuda.stream(self._arriving):
                slot.given[:rows].copy_(slot.staged[:rows], non_blocking=True)
            self._computing.wait_stream(self._arriving)
            with torch.cuda.stream(self._computing):
                graph.replay()
            self._leaving.wait_stream(self._computing)
            with torch.cuda.stream(self._leaving):
                slot.taken[:rows].copy_(slot.found[:rows], non_blocking=True)
                slot.done.record()

    def _capture(self, slot: _Slot, size: int) -> torch.cuda.CUDAGraph:
        given, found = slot.given[:size], slot.found[:size]
        with torch.cuda.stream(self._computing):
            for _ in range(_WARM_UPS):
                found.copy_(self._encode(given))
        self._computing.synchronize()
        graph = torch.cuda.CUDAGraph()
        # the outputs lie outside the pool: graphs that share one may overwrite what lies inside, as they run in turn.
        # thread_local: the other tower's thread may take memory meanwhile
        with torch.cuda.graph(graph, pool=self._pool, stream=self._computing, capture_error_mode="thread_local"):
            found.copy_(self._encode(given))
        return graph


def _slot(example: torch.Tensor, dim: int, device: torch.device) -> _Slot:
    staged = example.clone().pin_memory()
    found = torch.zeros((len(example), dim), dtype=torch.float32, device=device)
    taken = torch.zeros((len(example), dim), dtype=torch.float32).pin_memory()
    return _Slot(staged, staged.to(device), found, taken, _event())


def _result(slot: _Slot, rows: int) -> RawVectors:
    slot.done.synchronize()
    return slot.taken[:rows].numpy().copy()


def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _event() -> torch.cuda.Event:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]
