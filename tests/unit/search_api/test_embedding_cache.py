"""The cache of queries' embeddings: bounded, least lately asked for first, safe with threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from indexer.points import Vectors
from search_api.embedding_cache import EmbeddingCache

DIM = 100
ENTRY_BYTES = DIM * 4 + 500


def vector(value: float) -> Vectors:
    return np.full(DIM, value, dtype=np.float32)


def test_what_is_kept_is_found_and_counted() -> None:
    cache = EmbeddingCache(10 * ENTRY_BYTES)
    assert cache.get("a") is None
    cache.put("a", vector(1), key_bytes=0)
    found = cache.get("a")
    assert found is not None
    assert found[0] == 1
    figures = cache.figures()
    assert (figures.entries, figures.held_bytes) == (1, ENTRY_BYTES)
    assert (figures.hits, figures.misses, figures.evicted, figures.hit_rate) == (1, 1, 0, 0.5)


def test_the_one_asked_for_least_lately_makes_room() -> None:
    cache = EmbeddingCache(3 * ENTRY_BYTES)
    for number in range(3):
        cache.put(number, vector(number), key_bytes=0)
    assert cache.get(0) is not None
    cache.put(3, vector(3), key_bytes=0)
    assert cache.get(1) is None
    assert all(cache.get(number) is not None for number in (0, 2, 3))
    assert cache.figures().evicted == 1


def test_long_keys_count() -> None:
    cache = EmbeddingCache(3 * ENTRY_BYTES)
    cache.put("a", vector(0), key_bytes=0)
    cache.put("b", vector(1), key_bytes=ENTRY_BYTES)
    assert cache.figures().held_bytes == 3 * ENTRY_BYTES
    cache.put("c", vector(2), key_bytes=0)
    assert (cache.get("a"), cache.figures().entries) == (None, 2)


def test_the_same_key_again_takes_no_more_room() -> None:
    cache = EmbeddingCache(3 * ENTRY_BYTES)
    for number in range(10):
        cache.put("a", vector(number), key_bytes=0)
    figures = cache.figures()
    assert (figures.entries, figures.held_bytes, figures.evicted) == (1, ENTRY_BYTES, 0)


@pytest.mark.parametrize("max_bytes", [0, ENTRY_BYTES - 1])
def test_what_does_not_fit_is_not_kept(max_bytes: int) -> None:
    cache = EmbeddingCache(max_bytes)
    cache.put("a", vector(0), key_bytes=0)
    assert cache.get("a") is None
    assert cache.figures().held_bytes == 0


def test_nobody_can_change_what_others_get() -> None:
    cache = EmbeddingCache(10 * ENTRY_BYTES)
    cache.put("a", vector(1), key_bytes=0)
    found = cache.get("a")
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 2


def test_threads_see_whole_entries_and_the_bound_holds() -> None:
    cache = EmbeddingCache(20 * ENTRY_BYTES)
    wrong: list[object] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for number in map(int, rng.integers(0, 60, 3000)):
            found = cache.get(number)
            if found is not None and found[0] != number:
                wrong.append((number, found[0]))
            cache.put(number, vector(number), key_bytes=0)
            if cache.figures().held_bytes > 20 * ENTRY_BYTES:
                wrong.append("too large")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    figures = cache.figures()
    assert not wrong
    assert (figures.entries, figures.held_bytes) == (20, 20 * ENTRY_BYTES)
    assert figures.hits + figures.misses == 12_000
