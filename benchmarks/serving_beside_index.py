"""Latency of searches while an index run writes: ``python -m benchmarks.serving``.

An index run takes its share of the cores, so searches beside it are slower whatever they search. What the index run
itself costs is seen against a control: the same run into another data folder, which takes the same share of the cores
but publishes nothing that the server follows. The rows alternate, so that a noisy machine is noisy to both.
"""

from __future__ import annotations

import argparse
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

from indexer.embedding.choice import DEMO_MODEL
from tests.pictures import catalog_row, draw_catalog, write_feed
from tests.processes import REPOSITORY, RunningApi, program_environment, running_api


@dataclass(frozen=True, slots=True)
class Row:
    """Latencies of one period, ms."""

    name: str
    queries: int
    p50: float
    p99: float
    worst: float
    failed: int
    collections: int


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default=DEMO_MODEL)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalog = draw_catalog(folder / "catalog", products=arguments.products)
        flags = ["--model", arguments.model, "--exact-below", "500"]
        for data_dir in ("served", "control"):
            index(folder, data_dir, catalog.feed, flags)
        rows: list[Row] = []
        with running_api(folder / "served", *flags) as api:
            measure(api, "warm-up", arguments.products, lambda: time.sleep(3))
            for number in range(arguments.rounds):
                rows.append(measure(api, "idle", arguments.products, lambda: time.sleep(10)))
                for data_dir in ("control", "served"):
                    feed = changed_feed(catalog.folder, arguments.products, number, data_dir)
                    work = functools.partial(index, folder, data_dir, feed, flags)
                    rows.append(measure(api, f"index run, {data_dir}", arguments.products, work))
    report(rows)


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


def measure(api: RunningApi, name: str, products: int, period: Callable[[], None]) -> Row:
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
    period()
    stop.set()
    client.join()
    p50, p99 = np.percentile(latencies, [50, 99])
    return Row(name, len(latencies), float(p50), float(p99), max(latencies), failed, len(collections))


def ask(api: RunningApi, rng: random.Random, products: int) -> str:
    """One search; the collection that answered."""
    request: str | urllib.request.Request = f"{api.url}/v1/products/p{rng.randrange(products)}/similar"
    if rng.random() < 0.5:
        body = json.dumps({"text": f"red mug {rng.random()}"}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{api.url}/v1/search/text", body, headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return str(json.load(response)["collection"])


def report(rows: list[Row]) -> None:
    """The rows, and the ratio of medians that the product promises."""
    print(f"{'period':24} {'queries':>8} {'p50 ms':>8} {'p99 ms':>8} {'worst':>8} {'failed':>7} {'collections':>12}")
    for row in rows:
        print(
            f"{row.name:24} {row.queries:8} {row.p50:8.1f} {row.p99:8.1f} {row.worst:8.1f} {row.failed:7} "
            f"{row.collections:12}"
        )
    p99 = {name: float(np.median([row.p99 for row in rows if row.name == name])) for name in {row.name for row in rows}}
    served, control = p99["index run, served"], p99["index run, control"]
    print(f"\np99 beside an index run: {served:.1f} ms; beside the same run into another folder: {control:.1f} ms;")
    print(f"idle: {p99['idle']:.1f} ms. The index run itself costs a factor of {served / control:.2f}.")


if __name__ == "__main__":
    main()
