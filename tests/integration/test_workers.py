"""Index runs by real worker processes: the same points as embedded, and nothing bad stops the rest."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.embedding.port import Embedder
from indexer.ledger.port import Counts, RunPlan, RunState, Stage
from indexer.store.port import CollectionReader
from tests.fleet import RunningFleet, running_fleet, wait_for
from tests.image_host import ImageHost
from tests.integration.conftest import Shop
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, write_feed
from tests.redis_server import RedisServer, require_redis
from workers.celery_app import create_celery
from workers.messages import BatchMessage
from workers.names import index_queue

PRODUCTS = 2000


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, tiny_model: str, qdrant_url: str) -> Iterator[RunningFleet]:
    """Two workers that give up soon."""
    require_redis()
    folder = tmp_path_factory.mktemp("fleet")
    redis = RedisServer(folder / "redis")
    redis.start()
    limits = {"retry_limit": "2", "download_timeout_s": "3", "image_allowed_hosts": "localhost", "worker_lease_s": "8"}
    try:
        with running_fleet(
            folder / "fleet", tiny_model, "unused", redis_url=redis.url, qdrant_url=qdrant_url, **limits
        ) as running:
            running.start_worker()
            running.start_worker()
            running.wait_for_workers(2)
            yield running
    finally:
        redis.stop()


def points_of(reader: CollectionReader, product_ids: Sequence[str]) -> dict[Any, Any]:
    """Payloads by point id."""
    found: dict[Any, Any] = {}
    for start in range(0, len(product_ids), 200):
        for points in reader.product_points(product_ids[start : start + 200]).values():
            found |= {point.id: point.payload for point in points}
    return found


def linked_rows(links: Sequence[str]) -> list[dict[str, Any]]:
    return [catalog_row(number, [link]) for number, link in enumerate(links)]


def test_two_workers_make_the_points_that_the_embedded_index_has(
    fleet: RunningFleet, catalog_name: str, tmp_path: Path, shop: Shop, tiny_embedder: Embedder
) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=PRODUCTS)
    done = fleet.run_indexer("index", catalog.feed, "--full", "--batch-products", "64")
    assert done.returncode == 0, done.stderr + fleet.logs()
    assert "2,000 products" in done.stdout
    assert "100%" in done.stderr
    assert shop.index(catalog.feed, full=True, batch=64).counts == Counts(
        rows=PRODUCTS, products=PRODUCTS, images=PRODUCTS, embedded=PRODUCTS
    )
    record = fleet.latest_run()
    assert record is not None
    assert (record.state, record.batches) == (RunState.FINISHED, record.expected_batches)
    assert record.counts == shop.parts.ledger.runs(1)[0].counts
    with fleet.reader(tiny_embedder.space.space_id) as reader:
        assert reader.status().points == PRODUCTS
        theirs, ours = points_of(reader, catalog.product_ids), points_of(shop.reader(), catalog.product_ids)
        assert theirs == ours
        ids = list(ours)
        their_vectors, our_vectors = reader.vectors(ids), shop.reader().vectors(ids)
    difference = max(float(np.abs(their_vectors[item] - our_vectors[item]).max()) for item in ids)
    assert difference < 1e-3  # a batch of another size adds up in another order
    # the same again changes nothing, and a full run removes what left the feed
    write_feed(catalog.feed, [catalog_row(number, [f"images/p{number}-0.jpg"]) for number in range(PRODUCTS - 5)])
    again = fleet.run_indexer("index", catalog.feed, "--full", "--batch-products", "64")
    assert again.returncode == 0, again.stderr
    record = fleet.latest_run()
    assert record is not None
    left = PRODUCTS - 5
    assert record.counts == Counts(rows=left, products=left, images=left, reused=left, unchanged=left, removed=5)


def test_hosts_that_fail_cost_only_their_own_products(
    fleet: RunningFleet, catalog_name: str, tmp_path: Path, host: ImageHost, tiny_embedder: Embedder
) -> None:
    links = [f"{host.url}/picture/{number}" for number in range(40)]
    links[3] = f"{host.url}/silent/3"
    links[7] = f"{host.url}/to/{host.forbidden_url}/picture/7"
    links[11] = f"{host.url}/to/http://169.254.169.254/latest/meta-data/"
    links[13] = "http://169.254.169.254/latest/meta-data/"
    links[17] = f"{host.url}/down/17"
    feed = tmp_path / "feed.jsonl"
    write_feed(feed, linked_rows(links))
    done = fleet.run_indexer("index", feed)
    assert done.returncode == 3, done.stderr + fleet.logs()
    record = fleet.latest_run()
    assert record is not None
    assert (record.state, record.counts.products, record.counts.embedded) == (RunState.FINISHED, 40, 35)
    with fleet.opened() as opened:
        failures = {failure.product_id: failure for failure in opened.ledger.failures(record.run_id)}
    assert {product_id: failure.code for product_id, failure in failures.items()} == {
        "p3": "image_fetch_failed",
        "p7": "image_ref_forbidden",
        "p11": "image_ref_forbidden",
        "p13": "image_ref_forbidden",
        "p17": "image_fetch_failed",
    }
    assert all(failure.stage is Stage.FETCH for failure in failures.values())
    assert host.requests["silent"] == host.requests["down"] == 3  # the first try and two more
    assert host.requests["picture"] == 35  # nobody fetched what was forbidden, nor anything twice
    with fleet.reader(tiny_embedder.space.space_id) as reader:
        assert reader.status().points == 35
    # the host is repaired: only what failed is sent again
    host.repaired.set()
    retried = fleet.run_indexer("retry", record.run_id)
    assert retried.returncode == 3, retried.stderr
    with fleet.opened() as opened:
        left = {failure.product_id for failure in opened.ledger.failures(record.run_id)}
    assert left == {"p3", "p7", "p11", "p13"}
    assert host.requests["picture"] == 35
    with fleet.reader(tiny_embedder.space.space_id) as reader:
        assert reader.status().points == 36


def test_a_feed_that_breaks_off_fails_its_run_and_keeps_what_was_read(
    fleet: RunningFleet, catalog_name: str, tmp_path: Path, tiny_embedder: Embedder
) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=40)
    assert fleet.run_indexer("index", catalog.feed, "--full").returncode == 0
    items = "".join(
        f"<item><g:id>p{number}</g:id><g:title>T</g:title><g:image_link>images/p{number}-0.jpg</g:image_link></item>"
        for number in range(30)
    )
    feed = catalog.folder / "feed.xml"
    feed.write_text(f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{items}<item><g:id>', "utf-8")
    done = fleet.run_indexer("index", feed, "--full")
    assert done.returncode == 3, done.stderr
    assert "ended early" in done.stdout
    record = fleet.latest_run()
    assert record is not None
    assert (record.state, record.counts.products, record.counts.removed) == (RunState.FAILED, 30, 0)
    with fleet.reader(tiny_embedder.space.space_id) as reader:
        assert reader.status().points == 40


def message_for(run_id: str, space_id: str, catalog: DrawnCatalog, **changes: Any) -> dict[str, Any]:
    message = BatchMessage(
        run_id=run_id,
        space_id=space_id,
        number=0,
        catalog="products",
        collection="none",
        image_root=str(catalog.folder),
        products=(),
    )
    return message.to_json() | changes


@pytest.fixture
def send(fleet: RunningFleet, tiny_embedder: Embedder) -> Iterator[Callable[..., None]]:
    """Sends anything to the workers' queue."""
    app = create_celery(fleet.loaded_settings())
    queue = index_queue(tiny_embedder.space.space_id)

    def send_it(value: object, task: str = "vitrine.index_batch") -> None:
        app.send_task(task, args=[value], queue=queue)

    yield send_it
    app.close()


def test_a_message_that_cannot_be_read_is_kept_with_its_reason_and_ends_its_run(
    fleet: RunningFleet, send: Callable[..., None], tmp_path: Path, tiny_embedder: Embedder
) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=1)
    space_id = tiny_embedder.space.space_id
    with fleet.opened() as opened:
        before = opened.dead_letters.count()
        plan = RunPlan(alias=f"products--{space_id}", feed=str(catalog.feed), feed_version=secrets.token_hex(4))
        run_id = opened.ledger.begin(plan).record.run_id
        send(message_for(run_id, space_id, catalog, v=99))
        send(message_for("nonsense", space_id, catalog, products=[{"product_id": 5}]))
        send("no object")
        send({}, "vitrine.unheard_of")
        wait_for(lambda: opened.dead_letters.count() == before + 4, "the dead letters")
        reasons = " ".join(letter["reason"] for letter in opened.dead_letters.latest(4))
        for part in ("version 99", "products.0.product_id", "Invalid JSON", "vitrine.unheard_of"):
            assert part in reasons
        wait_for(lambda: bool(opened.ledger.failures(run_id)), "the failure")
        (failure,) = opened.ledger.failures(run_id)
        assert (failure.code, failure.stage) == ("message_invalid", Stage.READ)
        opened.ledger.finish(run_id, RunState.FAILED)


def test_a_batch_of_another_space_goes_to_the_queue_of_its_own(
    fleet: RunningFleet, send: Callable[..., None], tmp_path: Path
) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=1)
    other = secrets.token_hex(6)
    with fleet.opened() as opened:
        send(message_for("some-run", other, catalog))
        wait_for(lambda: opened.attendance.depth(index_queue(other)) == 1, "the message in its own queue")
        (status,) = [item for item in opened.attendance.queues([other]) if item.name == index_queue(other)]
        assert (status.depth, status.workers) == (1, 0)
        assert status.oldest_age_s >= 0
    assert f"is of the embedding space {other}" in fleet.logs()


def test_status_shows_queues_and_workers(fleet: RunningFleet, catalog_name: str, tiny_embedder: Embedder) -> None:
    status = json.loads(fleet.run_indexer("status", "--json").stdout)
    queues = {item["name"]: item for item in status["queues"]}
    assert queues[index_queue(tiny_embedder.space.space_id)]["workers"] == 2


def test_without_workers_a_dispatcher_says_that_nobody_is_there_and_lets_no_second_one_in(
    tmp_path: Path, tiny_model: str, redis_url: str, qdrant_url: str, qdrant_catalog: str
) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=4)
    with running_fleet(
        tmp_path / "fleet", tiny_model, qdrant_catalog, redis_url=redis_url, qdrant_url=qdrant_url
    ) as alone:
        indexing = alone.start_indexer("index", catalog.feed)
        wait_for(lambda: "No worker of the space" in alone.logs(), "the warning")
        second = alone.run_indexer("index", catalog.feed)
        assert second.returncode == 2
        assert f"process {indexing.pid}" in second.stderr
        alone.start_worker()
        assert indexing.wait(120) == 0, alone.logs()


def test_a_check_tells_whether_a_worker_is_at_work(fleet: RunningFleet) -> None:
    there = fleet.run_workers("--check")
    assert there.returncode == 0, there.stderr
    address, _, database = fleet.settings["redis_url"].rpartition("/")
    elsewhere = fleet.run_workers("--check", "--redis-url", f"{address}/{int(database) + 1}")
    assert elsewhere.returncode == 2
    assert "shows signs of life" in elsewhere.stderr


def test_settings_that_are_not_those_of_a_fleet_are_refused(fleet: RunningFleet, tmp_path: Path) -> None:
    refused = fleet.run_indexer("index", tmp_path / "feed.jsonl", "--store", "edge")
    assert refused.returncode == 2
    assert "Set store to qdrant" in refused.stderr
    nowhere = fleet.run_indexer("status", "--redis-url", "redis://127.0.0.1:1/0")
    assert nowhere.returncode == 2
    assert "redis_url" in nowhere.stderr
    worker = fleet.run_workers("--store", "edge")
    assert worker.returncode == 2
    assert "--profile production" in worker.stderr
