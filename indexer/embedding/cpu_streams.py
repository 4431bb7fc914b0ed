"""A batch in parts, each of which one thread takes through the whole model, as OpenVINO's streams do.

Torch's own threads divide each step of a model among themselves and wait for each other at its end, some hundred times
a pass. Who decodes or answers on the same cores holds one of them up, and thereby all, each time; and small steps are
over before the threads have met. Threads that each compute some of the rows meet once, at the end of the pass.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch

from indexer.embedding.port import Pixels, TokenIds
from indexer.embedding.towers import RawVectors

_LEAST_ROWS = 8
"""Of a part: each thread goes through all the weights, and fewer rows gained nothing (docs/performance.md)."""


def _compute_on(cores: int) -> None:
    # a thread's first step gives it the number that torch has then, whatever it set before: this is that step
    torch.get_num_threads()
    torch.set_num_threads(cores)


@contextmanager
def on_cores(count: int, of: int) -> Iterator[None]:
    """What the calling thread computes in the block, torch divides among ``count`` threads, and afterwards ``of``."""
    _compute_on(count)
    try:
        yield
    finally:
        torch.set_num_threads(of)  # what the thread had before may be what another one had just set for itself


def streams_for(threads: int, batch_size: int) -> CpuStreams | None:
    """Streams for a model on so many cores; None if not even its largest batch is worth dividing."""
    return CpuStreams(threads) if threads > 1 and batch_size >= _LEAST_ROWS * threads else None


class CpuStreams:
    """Threads for parts of a batch.

    Args:
        count: of them, at least 2; the cores that the model may use.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        before = torch.get_num_threads()
        started = threading.Barrier(count)
        self._threads = ThreadPoolExecutor(count, "model-stream", initializer=_compute_on, initargs=(1,))
        try:
            wait([self._threads.submit(started.wait) for _ in range(count)])
        except RuntimeError:  # the system has no thread left: those that wait for it must not do so for ever
            started.abort()
            raise
        # what a thread sets is also what threads begin with that come later
        torch.set_num_threads(before)

    def worth(self, rows: int) -> bool:
        """Whether a batch of so many rows is computed sooner in parts."""
        return rows >= _LEAST_ROWS * self._count

    def run(self, compute: Callable[[Pixels | TokenIds], RawVectors], rows: Pixels | TokenIds) -> RawVectors:
        """What ``compute`` gives for a batch: (B, D).

        Args:
            compute: a pass for any number of rows, each by itself; called in several threads at once.
            rows: (B, ...), at least one for each thread.
        """
        divided = cast("list[Pixels | TokenIds]", np.array_split(rows, self._count))
        parts = [self._threads.submit(compute, part) for part in divided]
        wait(parts)  # also when one fails: the others still read the rows
        return np.concatenate([part.result() for part in parts])
