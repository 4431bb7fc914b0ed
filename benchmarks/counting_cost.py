"""What counting, timing and tracing cost a text query: the same server asked with and without, in turns.

Run as ``python -m benchmarks.counting_cost DATA_DIR``, a folder that ``make demo`` filled (``.demo/data``). The query's
embedding is in the cache, so this is the cheapest query there is, and the share the largest.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import httpx
from prometheus_client import Counter, Gauge, Histogram

from indexer.embedding.choice import DEMO_MODEL
from indexer.settings import load_settings
from search_api.app import create_app

PAIRS = 1000
_WARM = 200
_LEFT_OUT = ((Counter, "inc"), (Gauge, "inc"), (Gauge, "dec"), (Histogram, "observe"))


@contextmanager
def without_counting() -> Iterator[None]:
    """Every instrument is a call that does nothing."""
    kept = [(kind, name, getattr(kind, name)) for kind, name in _LEFT_OUT]
    labels = Counter.labels
    try:
        for kind, name, _ in kept:
            setattr(kind, name, lambda *_: None)
        for kind in (Counter, Gauge, Histogram):
            setattr(kind, "labels", lambda self, *_: self)  # noqa: B010 - a method of theirs, for a moment
        yield
    finally:
        for kind, name, method in kept:
            setattr(kind, name, method)
        for kind in (Counter, Gauge, Histogram):
            del kind.labels
    assert Counter.labels is labels


async def measure(data_dir: str) -> None:
    """Prints medians of both, and of the differences of pairs with a 95 % interval."""
    flags = {"data_dir": data_dir, "model": DEMO_MODEL, "address_requests_per_s": 0}
    app = create_app(load_settings(flags, environment={}).settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.1)

        async def query_s() -> float:
            start_s = perf_counter()
            response = await client.post("/v1/search/text", json={"text": "red guitar", "limit": 10})
            taken_s = perf_counter() - start_s
            assert response.status_code == 200, response.text
            return taken_s

        for _ in range(_WARM):
            await query_s()
        counted, plain = [], []
        for pair in range(PAIRS):
            for counts in (True, False) if pair % 2 else (False, True):
                if counts:
                    counted.append(await query_s())
                else:
                    with without_counting():
                        plain.append(await query_s())
    differences_us = [(one - other) * 1e6 for one, other in zip(counted, plain, strict=True)]
    medians_us = sorted(statistics.median(random.choices(differences_us, k=PAIRS)) for _ in range(1000))
    query_us = statistics.median(plain) * 1e6
    cost_us = statistics.median(differences_us)
    print(f"query {query_us:.0f} us; counting {cost_us:.1f} us ({medians_us[25]:.1f} to {medians_us[974]:.1f})")
    print(
        f"that is {cost_us / query_us:.2%} of it ({medians_us[25] / query_us:.2%} to {medians_us[974] / query_us:.2%})"
    )


if __name__ == "__main__":
    asyncio.run(measure(sys.argv[1]))
