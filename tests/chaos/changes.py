"""Threads that change products over HTTP as fast as they are answered, and note what was acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from tests.chaos.expected import Expected, Offer
from tests.pictures import drawn_picture, encoded

KEY = "chaos"
_PICTURES = 6
_PRODUCTS_OF_EACH = 6
_PAUSE_S = 0.03


def draw_pictures(folder: Path) -> list[str]:
    """Files that changed products may have; their names."""
    names = [f"changed-{number}.jpg" for number in range(_PICTURES)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(encoded(drawn_picture(9000 + number)))
    return names


@contextmanager
def changing(url: str, expected: Expected, pictures: list[str], seed: int, threads: int = 2) -> Iterator[None]:
    """Changes go on until the block ends; those under way then are waited for."""
    stop = threading.Event()
    writers = [
        threading.Thread(target=_write, args=(url, expected, pictures, seed * 100 + number, number, stop))
        for number in range(threads)
    ]
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def _write(url: str, expected: Expected, pictures: list[str], seed: int, number: int, stop: threading.Event) -> None:
    rng = random.Random(seed)
    with httpx.Client(base_url=url, timeout=30, trust_env=False, headers={"X-API-Key": KEY}) as client:
        while not stop.is_set():
            _change(client, expected, f"w{number}-{rng.randrange(_PRODUCTS_OF_EACH)}", pictures, rng)
            time.sleep(_PAUSE_S)


def _change(client: httpx.Client, expected: Expected, product_id: str, pictures: list[str], rng: random.Random) -> None:
    path, price = f"/v1/products/{product_id}", rng.randrange(1, 10**9)
    before = expected.of(product_id)
    method = rng.choice(["PUT", "PATCH", "DELETE"])
    if None in before and method == "PATCH":
        method = "PUT"  # single fields of a product that may not be there say nothing of it
    body: dict[str, object] | None = None
    if method == "PUT":
        picture = rng.choice(pictures)
        after: frozenset[Offer | None] = frozenset({Offer(price, picture)})
        body = {"title": f"Changed {product_id}", "image_refs": [picture], "price_minor": price, "currency": "EUR"}
        body["description"] = picture  # so that answers tell which one it is
    elif method == "PATCH":
        after = frozenset(replace(offer, price_minor=price) for offer in before if offer is not None)
        body = {"price_minor": price}
    else:
        after = frozenset({None})
    expected.begun(product_id, after)
    try:
        response = client.request(method, path, json=body)
    except httpx.ConnectError:
        expected.unsent(product_id, before)
        return
    except httpx.TransportError:
        return
    if response.status_code == 202 and not response.json()["stale"]:
        expected.done(product_id, after)
    elif response.status_code != 503:
        expected.surprise(f"{method} {path}: {response.status_code} {response.text}")
