"""Reindexes that real worker processes fill: vectors are copied, events hold, whoever is killed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer import bootstrap
from indexer.embedding.port import Embedder
from indexer.ledger.port import RunState
from indexer.points import PointPayload
from indexer.store.port import Alias
from tests.events import delete, patch
from tests.fleet import RunningFleet, running_fleet, wait_for
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, write_feed
from tests.qdrant_server import remove_catalog
from tests.redis_server import RedisServer, require_redis

PRODUCTS = 120
LATER_S = 3600.0


@pytest.fixture
def fleet(tmp_path: Path, tiny_model: str, qdrant_url: str) -> Iterator[RunningFleet]:
    """Two workers, with a catalog of their own."""
    require_redis()
    redis = RedisServer(tmp_path / "redis")
    redis.start()
    catalog = f"test_{secrets.token_hex(6)}"
    try:
        with running_fleet(
            tmp_path / "fleet", tiny_model, catalog, redis_url=redis.url, qdrant_url=qdrant_url, batch_products="4"
        ) as running:
            running.start_worker()
            running.start_worker()
            running.wait_for_workers(2)
            yield running
    finally:
        redis.stop()
        remove_catalog(qdrant_url, catalog)


@pytest.fixture
def catalog(tmp_path: Path) -> DrawnCatalog:
    return draw_catalog(tmp_path / "catalog", products=PRODUCTS)


@pytest.fixture
def alias(fleet: RunningFleet, tiny_embedder: Embedder) -> Alias:
    return Alias(fleet.settings["catalog"], tiny_embedder.space.space_id)


def run(fleet: RunningFleet, *arguments: str | Path) -> str:
    done = fleet.run_indexer(*arguments)
    assert done.returncode == 0, f"{done.stderr}\n{fleet.logs()}"
    return done.stdout


def at_another_price(catalog: DrawnCatalog) -> None:
    rows = [catalog_row(number, [f"images/p{number}-0.jpg"]) | {"price": "77.00 EUR"} for number in range(PRODUCTS)]
    write_feed(catalog.feed, rows)


def served(fleet: RunningFleet, alias: Alias) -> tuple[str, dict[str, PointPayload]]:
    """Collection behind the alias, and the payloads of its products' main pictures."""
    with fleet.reader(alias.space_id) as reader:
        points = reader.product_points([f"p{number}" for number in range(PRODUCTS)])
        return reader.status().collection, {product_id: of[0].payload for product_id, of in points.items()}


def latest_reindex(fleet: RunningFleet) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(run(fleet, "status", "--json"))["reindexes"]
    return found[0]


def test_workers_fill_a_reindex_and_events_hold(fleet: RunningFleet, catalog: DrawnCatalog, alias: Alias) -> None:
    run(fleet, "index", catalog.feed)
    old, _ = served(fleet, alias)
    at_another_price(catalog)
    said = run(fleet, "reindex", catalog.feed, "--promote", "manual")
    assert f"{PRODUCTS} pictures: 0 embedded, {PRODUCTS} copied" in said
    assert served(fleet, alias)[0] == old
    log = bootstrap.open_event_log(fleet.loaded_settings())
    try:
        log.append([delete("p1", LATER_S), patch("p2", LATER_S, price_minor=5)])
    finally:
        log.close()
    run(fleet, "promote")
    reindex = latest_reindex(fleet)
    now, payloads = served(fleet, alias)
    assert (now, reindex["state"]) == (reindex["target"], "promoted")
    assert sorted({f"p{number}" for number in range(PRODUCTS)} - payloads.keys()) == ["p1"]
    assert payloads["p2"].price_minor == 5
    assert {payload.price_minor for payload in payloads.values()} == {5, 7700}
    assert f"{old} serves again" in run(fleet, "rollback")
    assert "p1" not in served(fleet, alias)[1]  # a deletion outlives the rollback


def test_a_worker_and_the_command_may_be_killed_in_the_filling(
    fleet: RunningFleet, catalog: DrawnCatalog, alias: Alias
) -> None:
    run(fleet, "index", catalog.feed)
    old, before = served(fleet, alias)
    at_another_price(catalog)
    worker = fleet.processes[0]
    command = fleet.start_indexer("reindex", catalog.feed)
    fleet.wait_for_run(lambda record: bool(record.plan.target) and record.batches >= 5, "it did not begin")
    fleet.kill(worker)
    fleet.kill(command)
    assert served(fleet, alias) == (old, before)
    run(fleet, "reindex", catalog.feed)
    reindex = latest_reindex(fleet)
    now, payloads = served(fleet, alias)
    assert (now, reindex["state"], len(payloads)) == (reindex["target"], "promoted", PRODUCTS)
    assert {payload.price_minor for payload in payloads.values()} == {7700}
    with fleet.opened() as opened:
        wait_for(lambda: opened.ledger.run(reindex["run_id"]).state is RunState.FINISHED, "the run did not end")
        counts = opened.ledger.run(reindex["run_id"]).counts
    assert (counts.products, counts.failed) == (PRODUCTS, 0)
