"""How soon an event can be found: ``python -m benchmarks.events``.

An API with its indexer process over a catalog; events are sent one after the other while nothing else happens. What is
measured begins before the request and ends when the API answers with the change, polled every few milliseconds:
gathering, embedding, publishing and the searching process's following are all in it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np

from indexer.embedding.choice import DEMO_MODEL
from tests.pictures import draw_catalog, drawn_picture, encoded
from tests.processes import REPOSITORY, free_port, program_environment

_KEY = "benchmark"
_POLL_S = 0.005
_TIMEOUT_S = 300.0


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=2000)
    parser.add_argument("--events", type=int, default=40, help="Of each kind.")
    parser.add_argument("--model", default=DEMO_MODEL)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalog = draw_catalog(folder / "feeds", products=arguments.products)
        for number in range(arguments.events):
            (catalog.folder / f"new-{number}.jpg").write_bytes(encoded(drawn_picture(90_000 + number, size=(800, 600))))
        port = free_port()
        flags = ["--data-dir", folder / "data", "--feeds-dir", catalog.folder, "--model", arguments.model]
        command = [sys.executable, "-m", "search_api", *map(str, flags), "--port", str(port)]
        environment = program_environment() | {"VITRINE_ADMIN_KEY": _KEY}
        with (folder / "log").open("wb") as log:
            api = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log)
            try:
                headers = {"X-API-Key": _KEY}
                with httpx.Client(
                    base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False, headers=headers
                ) as client:
                    measure(client, arguments.products, arguments.events)
            finally:
                api.terminate()
                api.wait(60)


def measure(client: httpx.Client, products: int, events: int) -> None:
    """Indexes the catalog, sends the events, prints what they took."""
    wait_until(lambda: is_up(client))
    run = client.post("/v1/index-runs", json={"feed": "feed.jsonl"}).json()
    wait_until(lambda: client.get(f"/v1/index-runs/{run['id']}").json()["state"] == "finished")
    wait_until(lambda: client.get("/readyz").status_code == 200)
    rows = {
        "new product, one picture": [put(client, number) for number in range(events)],
        "changed price": [patch(client, number) for number in range(events)],
        "deleted product": [delete(client, number) for number in range(events)],
    }
    print(f"{products} products, {events} events of each kind, one at a time; load average {os.getloadavg()[0]:.1f}")
    print(f"{'seconds from request to answer with it':40} {'p50':>6} {'p95':>6} {'worst':>6}")
    for name, values in rows.items():
        p50, p95 = np.percentile(values, [50, 95])
        print(f"{name:40} {p50:6.2f} {p95:6.2f} {max(values):6.2f}")
    delay = client.get("/v1/index-status").json()["event_to_searchable_s"]
    print(f"event_to_searchable_s as the program measures it: {delay}")


def put(client: httpx.Client, number: int) -> float:
    """A new product, until it is found."""
    body = {"title": f"New {number}", "image_refs": [f"new-{number}.jpg"]}
    path = f"/v1/products/new-{number}"
    return timed(lambda: client.put(path, json=body), lambda: client.get(path).status_code == 200)


def patch(client: httpx.Client, number: int) -> float:
    """A changed price, until it is shown."""
    path, price = f"/v1/products/p{number}", 10_000_000 + number
    return timed(
        lambda: client.patch(path, json={"price_minor": price}),
        lambda: client.get(path).json()["price_minor"] == price,
    )


def delete(client: httpx.Client, number: int) -> float:
    """A deleted product, until it is gone."""
    path = f"/v1/products/new-{number}"
    return timed(lambda: client.delete(path), lambda: client.get(path).status_code == 404)


def timed(send: Callable[[], httpx.Response], is_there: Callable[[], bool]) -> float:
    """Seconds from sending to being there."""
    start_s = time.perf_counter()
    assert send().status_code == 202
    wait_until(is_there)
    return time.perf_counter() - start_s


def wait_until(condition: Callable[[], bool]) -> None:
    """Returns when it holds."""
    deadline_s = time.monotonic() + _TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(_POLL_S)


def is_up(client: httpx.Client) -> bool:
    """Whether the API answers and its model is loaded."""
    try:
        return client.get("/v1/index-status").status_code == 200
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    main()
