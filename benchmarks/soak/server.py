"""The server that is asked: a real process over the sample catalog, reindexed while it answers, its memory watched."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.vectors_memory import resident
from indexer.demo.catalog import FEED, write_sample_catalog
from indexer.embedding.choice import DEMO_MODEL
from indexer.processors import available_cores
from tests.processes import REPOSITORY, RunningApi, program_environment, running_api

_REINDEX_S = 280.0
_PAUSE_S = 2.0
_SAMPLE_S = 1.0
_LOAD_OF_ALL = (
    # all clients are of one address here, which in a shop they are not
    *("--address-requests-per-s", "0", "--address-concurrency", "0", "--address-connections", "500"),
    # no question is asked twice: the cache of embeddings is to be full before its growth could be taken for a leak
    *("--query-cache-bytes", "2000000"),
)


@dataclass(slots=True)
class Reindexes:
    """What became of them."""

    done: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MemoryTrend:
    """Private memory of the server and its own processes.

    Attributes:
        slope_mb_per_min: the median of the slopes between all pairs of samples (Theil and Sen), which single jumps do
            not move; of the second half of the time, as caches and pools fill in the first.
        first_mb, last_mb: medians of the first and the last tenth of these samples.
    """

    slope_mb_per_min: float
    first_mb: float
    last_mb: float


def prepare(folder: Path) -> Path:
    """Draws the sample catalog and indexes it, if that was not done before; returns its folder."""
    catalog = folder / "catalog"
    write_sample_catalog(catalog, progress=lambda _done, _all: None)
    _run_indexer(folder, "index", str(catalog / FEED))
    return catalog


def running_server(folder: Path) -> AbstractContextManager[RunningApi]:
    """From ready until the end of the block; its log stays in the folder."""
    return running_api(folder / "data", *_model_flags(), *_LOAD_OF_ALL, log=folder / "server.log")


@contextmanager
def reindexing(folder: Path, catalog: Path) -> Iterator[Reindexes]:
    """Reindexes the catalog again and again, pruning what is left, until the block ends."""
    seen, stop = Reindexes(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                _run_indexer(folder, "reindex", str(catalog / FEED))
                _run_indexer(folder, "prune")
                seen.done += 1
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                seen.failures.append(str(error)[-500:])
            stop.wait(_PAUSE_S)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


@contextmanager
def watched_memory(server: RunningApi) -> Iterator[list[tuple[float, float]]]:
    """Samples of seconds and MB, until the block ends."""
    samples: list[tuple[float, float]] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(_SAMPLE_S):
            with suppress(psutil.Error, OSError):
                samples.append((time.monotonic(), private_mb(server.process.pid)))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def private_mb(pid: int) -> float:
    """Memory of a process and its children that is theirs alone; files that they map are not counted."""
    root = psutil.Process(pid)
    return sum(_private_bytes(process.pid) for process in [root, *root.children(recursive=True)]) / 1e6


def trend(samples: Sequence[tuple[float, float]]) -> MemoryTrend:
    """Of the second half of the samples; at least four."""
    later = np.array(samples[len(samples) // 2 :])
    seconds, megabytes = later[:, 0], later[:, 1]
    first, second = np.triu_indices(len(later), k=1)
    slopes = (megabytes[second] - megabytes[first]) / (seconds[second] - seconds[first])
    tenth = max(1, len(later) // 10)
    ends = float(np.median(megabytes[:tenth])), float(np.median(megabytes[-tenth:]))
    return MemoryTrend(float(np.median(slopes)) * 60, *ends)


def _private_bytes(pid: int) -> int:
    if sys.platform == "linux":
        return resident(pid).anonymous
    return int(psutil.Process(pid).memory_info().rss)


def _model_flags() -> list[str]:
    # half of the cores: a pass in as many threads as there are cores waits for each of them, and clients have them, too
    threads = max(1, available_cores() // 2)
    return ["--model", DEMO_MODEL, "--embed-threads", str(threads)]


def _run_indexer(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "indexer", *arguments, "--data-dir", str(folder / "data"), *_model_flags()]
    environment = program_environment() | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=_REINDEX_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{arguments[0]} ended with {done.returncode}: {done.stderr[-1000:]}")
