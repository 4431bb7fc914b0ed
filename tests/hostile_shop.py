"""A small shop behind a real socket, for tests that send it what no shopper would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from indexer.embedding.port import Embedder
from indexer.settings import load_settings
from search_api.app import create_app
from tests.integration.installations import Site
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, write_feed
from tests.served import served, wait_for_status

ADMIN_KEY = "a key of this test"
MAX_BYTES = 300_000
COLOURS = ("red", "blue", "grün")
PRODUCTS = 12


@dataclass(frozen=True, slots=True)
class HostileShop:
    """A running API, and what is in it.

    Attributes:
        client: of the API; sends no key.
        catalog: what is indexed.
        folder: of all its files; no answer may name it.
    """

    client: httpx.Client
    catalog: DrawnCatalog
    folder: Path

    @property
    def product_ids(self) -> tuple[str, ...]:
        return self.catalog.product_ids


@contextmanager
def hostile_shop(folder: Path, embedder: Embedder, **flags: Any) -> Iterator[HostileShop]:
    """Indexes a drawn catalog with prices, dates, groups and attributes, and serves it."""
    catalog = draw_catalog(folder / "catalog", products=PRODUCTS, pictures=2)
    write_feed(catalog.feed, [_row(number) for number in range(PRODUCTS)])
    with Site(folder / "data", "products").opened(embedder) as installation:
        installation.index(catalog.feed)
    (folder / "feeds").mkdir()
    (folder / "feeds" / "feed.jsonl").write_bytes(catalog.feed.read_bytes())
    settings = load_settings(
        {
            "data_dir": folder / "data",
            "admin_key": ADMIN_KEY,
            "address_requests_per_s": 0,  # all that a test sends comes from one
            "feeds_dir": str(folder / "feeds"),
            "image_max_bytes": MAX_BYTES,
            "feed_max_bytes": MAX_BYTES,
            **flags,
        },
        environment={},
    ).settings
    with served(create_app(settings, load_embedder=lambda _: embedder)) as client:
        wait_for_status(client, "/readyz", 200)
        yield HostileShop(client, catalog, folder)


def _row(number: int) -> dict[str, object]:
    row = catalog_row(number, [f"images/p{number}-{position}.jpg" for position in range(2)])
    row |= {
        "color": COLOURS[number % 3],
        "warranty": "2 years",
        "updated_at": f"2026-01-{1 + number % 5:02d}T10:00:00Z",
        "mpn": f"AB-{number}",
    }
    if number % 3 == 0:
        row |= {"item_group_id": f"g{number // 6}", "price": ""}
    return row
