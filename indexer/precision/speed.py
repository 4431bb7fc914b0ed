"""How fast an embedder is: pictures in batches, one picture, one text."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from indexer.embedding.port import Embedder, Pixels

_ROUNDS = 3
_SINGLES = 9


@dataclass(frozen=True, slots=True)
class Speed:
    """Medians.

    Attributes:
        images_per_s: pictures a second, in full batches of ready pixels.
        image_ms: one picture alone.
        text_ms: one text alone.
    """

    images_per_s: float
    image_ms: float
    text_ms: float


def measured_speed(embedder: Embedder, pixels: Pixels, text: str) -> Speed:
    """Measures on this machine as it is loaded now.

    Args:
        embedder: warm or not.
        pixels: a batch, uint8 (B, S, S, 3).
        text: not empty.
    """
    batch_s = _median_s(lambda: embedder.embed_images(pixels), _ROUNDS)
    image_s = _median_s(lambda: embedder.embed_images(pixels[:1]), _SINGLES)
    text_s = _median_s(lambda: embedder.embed_texts([text]), _SINGLES)
    return Speed(len(pixels) / batch_s, 1000 * image_s, 1000 * text_s)


def _median_s(work: Callable[[], object], rounds: int) -> float:
    work()
    took_s = []
    for _ in range(rounds):
        start_s = time.perf_counter()
        work()
        took_s.append(time.perf_counter() - start_s)
    return statistics.median(took_s)
