"""Runs whose pictures come over the network: many downloads and few threads, and none outlives a run that failed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from indexer.embedding.port import Embedder
from indexer.errors import StoreUnavailable
from indexer.images.decoder import InProcessDecoder
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.source import ImagesByReference, LocalImages
from indexer.indexing.inline import IndexParts
from indexer.indexing.pipeline import IndexPipeline
from indexer.ledger.port import Counts, RunRecord
from indexer.ledger.sqlite import SqliteLedger
from indexer.points import PointPayload
from indexer.store.edge_shard import EdgeShard
from indexer.store.edge_store import EdgeStore
from indexer.store.port import BatchChange
from indexer.store.tuning import IndexTuning
from tests.fleet import wait_for
from tests.image_host import ImageHost
from tests.integration.conftest import LIMITS, Shop
from tests.pictures import catalog_row, write_feed

CONNECTIONS = 16
LONG_S = 3600.0
"""A download that nobody gives up would outlast the test."""


@pytest.fixture
def shop(tmp_path: Path, tiny_embedder: Embedder) -> Iterator[Shop]:
    """One thread for pictures, 16 connections to a host."""
    with ExitStack() as stack:
        ledger = SqliteLedger(tmp_path / "data" / "ledger.sqlite3")
        stack.callback(ledger.close)
        store = EdgeStore(tmp_path / "data" / "store", IndexTuning(), follow_s=0)
        stack.callback(store.close)
        limits = DownloadLimits(timeout_s=LONG_S, connections_per_host=CONNECTIONS, allowed_hosts=("localhost",))
        remote = RemoteImages(LIMITS, limits)
        stack.callback(remote.close)
        source = ImagesByReference(LocalImages(LIMITS), remote)
        pipeline = stack.enter_context(IndexPipeline(tiny_embedder, source, InProcessDecoder(LIMITS), image_threads=1))
        yield Shop(IndexParts(tiny_embedder, store, ledger, pipeline, "products"))


def test_downloads_do_not_wait_for_threads(shop: Shop, tmp_path: Path, host: ImageHost) -> None:
    feed = tmp_path / "feed.jsonl"
    write_feed(feed, [catalog_row(number, [f"{host.url}/held/{number}"]) for number in range(2 * CONNECTIONS)])
    records: list[RunRecord] = []
    run = threading.Thread(target=lambda: records.append(shop.index(feed, batch=CONNECTIONS)))
    run.start()
    wait_for(lambda: host.waiting == CONNECTIONS, "as many downloads as there may be connections")
    host.released.set()
    run.join()
    assert host.waiting == 2 * CONNECTIONS
    (record,) = records
    assert record.counts == Counts(
        rows=2 * CONNECTIONS, products=2 * CONNECTIONS, images=2 * CONNECTIONS, embedded=2 * CONNECTIONS
    )


def test_a_run_that_fails_gives_up_its_downloads_and_the_next_one_has_its_own(
    shop: Shop, tmp_path: Path, host: ImageHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = tmp_path / "feed.jsonl"
    kinds = ["picture"] * 4 + ["held"] * 36
    write_feed(feed, [catalog_row(number, [f"{host.url}/{kind}/{number}"]) for number, kind in enumerate(kinds)])
    apply = EdgeShard.apply

    def refuse(shard: EdgeShard, change: BatchChange) -> None:
        wait_for(lambda: host.waiting > 0, "downloads under way")
        raise StoreUnavailable("The disk is full, as the test wants it.")

    monkeypatch.setattr(EdgeShard, "apply", refuse)
    with pytest.raises(StoreUnavailable, match="as the test wants it"):
        shop.index(feed)
    monkeypatch.setattr(EdgeShard, "apply", apply)
    host.released.set()
    record = shop.index(feed)
    assert (record.counts.products, record.counts.failed) == (40, 0)
    points = shop.reader().product_points([f"p{number}" for number in range(40)])
    payloads: list[PointPayload] = [point.payload for group in points.values() for point in group]
    assert len(payloads) == 40
