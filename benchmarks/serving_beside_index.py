"""Latency of searches while an index run writes.

An index run takes its share of the cores, so searches beside it are slower whatever they search. What the index run
itself costs is seen against a control: the same run into another data folder, which takes the same share of the cores
but publishes nothing that the server follows. The rows alternate, so that a noisy machine is noisy to both.
"""

from __future__ import annotations

import functools
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.http_load import UNLIMITED
from benchmarks.rows import Claim, Row
from tests.pictures import catalog_row, draw_catalog, write_feed
from tests.processes import REPOSITORY, RunningApi, program_environment, running_api

_IDLE, _CONTROL, _SERVED = "idle", "index run, control", "index run, served"


@dataclass(frozen=True, slots=True)
class Period:
    """Latencies of one period, ms."""

    name: str
    queries: int
    p50: float
    p99: float
    failed: int
    collections: int


def measure_beside_index(model: str, products: int, rounds: int) -> list[Row]:
    """The rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalog = draw_catalog(folder / "catalog", products=products)
        flags = ["--model", model, "--exact-below", "500"]
        for data_dir in ("served", "control"):
            index(folder, data_dir, catalog.feed, flags)
        periods: list[Period] = []
        with running_api(folder / "served", *flags, *UNLIMITED) as api:
            measure(api, "warm-up", products, lambda: time.sleep(3))
            for number in range(rounds):
                periods.append(measure(api, _IDLE, products, lambda: time.sleep(10)))
                for data_dir, period in (("control", _CONTROL), ("served", _SERVED)):
                    feed = changed_feed(catalog.folder, products, number, data_dir)
                    work = functools.partial(index, folder, data_dir, feed, flags)
                    periods.append(measure(api, period, products, work))
    return rows_of(model, periods)


def index(folder: Path, data_dir: str, feed: Path, flags: list[str]) -> None:
    """An index run in a process of its own."""
    command = [sys.executable, "-m", "indexer", "index", str(feed), "--data-dir", str(folder / data_dir), *flags]
    subprocess.run(command, cwd=REPOSITORY, env=program_environment(), check=True, capture_output=True)


def changed_feed(folder: Path, products: int, number: int, name: str) -> Path:
    """The feed with every third picture and every price changed."""
    rows = []
    for product in range(products):
        other = (product + number + 1) % products if product % 3 == 0 else product
        row = catalog_row(product, [f"images/p{other}-0.jpg"])
        rows.append(row | {"price": f"{product + number + 2}.00 EUR"})
    feed = folder / f"feed-{name}-{number}.jsonl"
    write_feed(feed, rows)
    return feed


def measure(api: RunningApi, name: str, products: int, period: Callable[[], None]) -> Period:
    """Searches in a loop, by text and for similar products in turn, until ``period()`` returns."""
    latencies: list[float] = []
    collections: set[str] = set()
    failed = 0
    stop = threading.Event()
    rng = random.Random(1)

    def search() -> None:
        nonlocal failed
        while not stop.is_set():
            start_s = time.perf_counter()
            try:
                collections.add(ask(api, rng, products))
            except OSError:
                failed += 1
            latencies.append((time.perf_counter() - start_s) * 1000)

    client = threading.Thread(target=search)
    client.start()
    try:
        period()
    finally:  # else a period that fails would leave this process searching for ever
        stop.set()
        client.join()
    p50, p99 = np.percentile(latencies, [50, 99])
    return Period(name, len(latencies), float(p50), float(p99), failed, len(collections))


def ask(api: RunningApi, rng: random.Random, products: int) -> str:
    """One search; the collection that answered."""
    request: str | urllib.request.Request = f"{api.url}/v1/products/p{rng.randrange(products)}/similar"
    if rng.random() < 0.5:
        body = json.dumps({"text": f"red mug {rng.random()}"}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{api.url}/v1/search/text", body, headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return str(json.load(response)["collection"])


def rows_of(model: str, periods: list[Period]) -> list[Row]:
    """What an index run costs searches, against idleness and against the same run into another folder."""
    by_name = {name: [period for period in periods if period.name == name] for name in (_IDLE, _CONTROL, _SERVED)}
    p99 = {name: float(np.median([period.p99 for period in found])) for name, found in by_name.items()}
    p50 = {name: float(np.median([period.p50 for period in found])) for name, found in by_name.items()}
    failed = sum(period.failed for period in periods)
    collections = max(period.collections for period in by_name[_SERVED])
    note = f"{failed} searches failed; up to {collections} collections answered in one run"
    return [
        Row.of(Claim(f"{model}: search beside an index run, p99", "ms", "idle", better="lower", note=note),
               p99[_SERVED], p99[_IDLE]),
        Row.of(Claim(f"{model}: search beside an index run, p50", "ms", "idle", better="lower"),
               p50[_SERVED], p50[_IDLE]),
        Row.of(Claim(f"{model}: what following the index run costs, p99", "ms", "beside a run into another folder",
                     better="lower"), p99[_SERVED], p99[_CONTROL]),
    ]  # fmt: skip
