"""A real browser, a real API process over a drawn catalog, and a watch over what the page does meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from indexer.cli.exit_codes import DONE_WITH_FAILURES
from tests.chromium import running_chromium
from tests.e2e.browsing import (
    ADMIN_KEY,
    BRANDS,
    CATEGORIES,
    COLOURS,
    HOSTILE_ID,
    HOSTILE_LINK,
    PRODUCTS,
    PageOpener,
    Watch,
)
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, drawn_picture, encoded, write_feed
from tests.processes import RunningApi, run_indexer, running_api


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DrawnCatalog:
    """Products with two pictures each and attributes to filter by; one without anything else, one whose id and link are
    hostile, and one whose picture is missing."""
    catalog = draw_catalog(tmp_path_factory.mktemp("shop") / "catalog", products=PRODUCTS, pictures=2)
    (catalog.folder / "images" / "hostile.png").write_bytes(encoded(drawn_picture(987_654), "PNG"))
    rows: list[dict[str, object]] = [json.loads(line) for line in catalog.feed.read_text("utf-8").splitlines()]
    for number, row in enumerate(rows):
        row["brand"] = BRANDS[number % len(BRANDS)]
        row["product_type"] = CATEGORIES[number % len(CATEGORIES)]
        row["color"] = COLOURS[number % len(COLOURS)]
        row["item_group_id"] = f"g{number // 2}"
    hostile = catalog_row(0, ["images/hostile.png"]) | {"id": HOSTILE_ID, "link": HOSTILE_LINK}
    plain = catalog_row(1, ["images/p1-0.jpg"]) | {
        "id": "plain",
        "description": "A thing for daily use.",
        "link": "https://shop.example/plain",
        "color": "green",
    }
    broken = catalog_row(2, ["images/nothing.jpg"]) | {"id": "broken"}
    write_feed(catalog.feed, [*rows, hostile, plain, broken])
    return catalog


@pytest.fixture(scope="session")
def data_dir(shop: DrawnCatalog, tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn catalog, indexed."""
    folder = tmp_path_factory.mktemp("data")
    indexed = run_indexer("index", shop.feed, "--model", tiny_model, "--data-dir", folder)
    assert indexed.returncode == DONE_WITH_FAILURES, indexed.stderr
    return folder


@pytest.fixture(scope="session")
def api(data_dir: Path, tiny_model: str) -> Iterator[RunningApi]:
    """The API over the drawn catalog, in a process of its own."""
    with running_api(data_dir, "--model", tiny_model, "--admin-key", ADMIN_KEY) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Of a module only: while it lives, no other test of this process can run an event loop."""
    expect.set_options(timeout=15_000)
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture
def watch(api: RunningApi) -> Watch:
    """The watch over the pages of a test."""
    return Watch(api.url)


@pytest.fixture
def open_page(browser: Browser, api: RunningApi, watch: Watch) -> Iterator[PageOpener]:
    """Opens pages that are watched; fails at the end of the test if they did what they should not have."""
    opener = PageOpener(browser, api.url, watch)
    yield opener
    opener.close()
    assert watch.complaints == []
