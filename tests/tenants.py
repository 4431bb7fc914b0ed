"""Two shops that share an installation, with the same ids and pictures, and texts that tell them apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from indexer import bootstrap
from indexer.embedding.port import Embedder
from indexer.events.overlay import EventOverlay
from indexer.images.decoder import InProcessDecoder
from indexer.images.source import LocalImages
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.run import IndexOptions, index_feed
from indexer.ledger.port import RunRecord
from indexer.settings import Settings
from search_api.access import ALL_SCOPES
from search_api.keys.file import KeyFile
from search_api.keys.records import KeyRecord, digest_of, key_id_of, new_key
from tests.pictures import drawn_picture, encoded, write_feed

NORTH, SOUTH = "north", "south"
SHARED = 8
"""Products that both have by the same ids, the first half of them with the same pictures."""
ONLY = {NORTH: "only-n", SOUTH: "only-s"}
"""A product of each that the other has not."""


def text_of(tenant: str) -> str:
    """What stands in every text of a tenant's products, and nowhere else."""
    return f"{tenant}ern"


def write_shop(folder: Path, tenant: str) -> Path:
    """A feed with its pictures: the shared products, and one of its own; one picture cannot be had."""
    (folder / "images").mkdir(parents=True)
    marker = text_of(tenant)
    rows = []
    for number, product_id in enumerate([*(f"p{index}" for index in range(SHARED)), ONLY[tenant]]):
        same = number < SHARED // 2
        seed = number if same else 100 * (1 + [NORTH, SOUTH].index(tenant)) + number
        (folder / "images" / f"{number}.jpg").write_bytes(encoded(drawn_picture(seed), quality=90))
        rows.append(_row(product_id, number, marker))
    rows.append(_row("missing", 99, marker))
    write_feed(folder / "feed.jsonl", rows)
    return folder / "feed.jsonl"


def _row(product_id: str, number: int, marker: str) -> dict[str, Any]:
    return {
        "id": product_id,
        "title": f"{marker} lamp {number}",
        "description": f"A {marker} thing",
        "image_link": f"images/{number}.jpg",
        "availability": "in_stock",
        "brand": f"{marker} brand",
        "product_type": f"{marker} home > lamps",
        "color": f"{marker} red",
        f"{marker}_feature": "yes",
        "price": f"{number + (1 if marker == text_of(NORTH) else 500)}.00 EUR",
        "item_group_id": f"g{number // 2}",
        "updated_at": "2026-01-01T10:00:00Z",
    }


@contextmanager
def index_parts(settings: Settings, embedder: Embedder) -> Iterator[IndexParts]:
    """What index runs of all tenants need."""
    store, ledger = bootstrap.open_store(settings), bootstrap.open_ledger(settings)
    logs, limits = bootstrap.open_event_logs(settings), settings.image_limits()
    try:
        with IndexPipeline(
            embedder,
            LocalImages(limits),
            InProcessDecoder(limits),
            image_threads=2,
            events=lambda tenant: EventOverlay(logs.of(tenant)),
        ) as pipeline:
            yield IndexParts(embedder, store, ledger, pipeline, settings.alias_catalog)
    finally:
        for part in (logs, ledger, store):
            part.close()


def index(parts: IndexParts, feed: Path, tenant: str, *, full: bool = False) -> RunRecord:
    """One index run."""
    return index_feed(feed, IndexOptions(full=full, batch_products=4, tenant=tenant), InlineDispatcher(parts))


def key_of(settings: Settings, tenant: str) -> str:
    """A new key of a tenant, good for everything."""
    key = new_key()
    with_file = KeyFile(settings.keys_path)
    with_file.add(KeyRecord(key_id_of(key), tenant, ALL_SCOPES, tenant, digest_of(key.encode()), int(time.time())))
    with_file.close()
    return key
