"""kill -9 of a worker, of the dispatcher and of Redis, a store that refuses, a drain: nothing lost, nothing twice."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from indexer.embedding.port import Embedder
from indexer.ledger.port import Counts, RunRecord, RunState
from tests.fleet import RunningFleet, running_fleet, wait_for
from tests.image_host import ImageHost
from tests.pictures import catalog_row, write_feed
from tests.redis_server import RedisServer, require_redis
from tests.refusing_proxy import RefusingProxy, running_proxy

PRODUCTS = 120
BATCH = 4


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    require_redis()
    server = RedisServer(tmp_path_factory.mktemp("redis") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxy(qdrant_url: str) -> Iterator[RefusingProxy]:
    with running_proxy(qdrant_url) as running:
        yield running


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: str, redis: RedisServer, proxy: RefusingProxy
) -> Iterator[RunningFleet]:
    """Two patient workers, which reach the store through a proxy."""
    folder = tmp_path_factory.mktemp("fleet") / "fleet"
    patience = {"retry_limit": "60", "image_allowed_hosts": "localhost", "batch_products": str(BATCH)}
    patience |= {"qdrant_prefer_grpc": "false", "qdrant_retry_s": "0.2"}
    with running_fleet(folder, tiny_model, "unused", redis_url=redis.url, qdrant_url=proxy.url, **patience) as running:
        running.start_worker()
        running.start_worker()
        running.wait_for_workers(2)
        yield running


def write_links(path: Path, links: Sequence[str]) -> Path:
    write_feed(path, [catalog_row(number, [link]) for number, link in enumerate(links)])
    return path


def slow_feed(folder: Path, host: ImageHost) -> Path:
    return write_links(folder / "feed.jsonl", [f"{host.url}/slow/{number}" for number in range(PRODUCTS)])


def check_exact(fleet: RunningFleet, embedder: Embedder, products: int) -> RunRecord:
    """Every product is there once and counted once."""
    record = fleet.latest_run()
    assert record is not None
    counts = record.counts
    assert record.state is RunState.FINISHED, record.reason
    assert record.batches == record.expected_batches == -(-products // BATCH)
    assert (counts.rows, counts.products, counts.images, counts.failed) == (products, products, products, 0)
    # a batch that was in hand at a kill may find points that it had written itself
    assert counts.embedded + counts.reused == products
    with fleet.reader(embedder.space.space_id) as reader:
        assert reader.status().points == products
        points = reader.product_points([f"p{number}" for number in range(products)])
    assert [len(points[f"p{number}"]) for number in range(products)] == [1] * products
    with fleet.opened() as opened:
        assert opened.ledger.failures(record.run_id) == []
    return record


def test_a_worker_killed_in_mid_batch_costs_nothing(
    fleet: RunningFleet, catalog_name: str, tmp_path: Path, host: ImageHost, tiny_embedder: Embedder
) -> None:
    feed = write_links(tmp_path / "feed.jsonl", [f"{host.url}/held/{number}" for number in range(24)])
    indexing = fleet.start_indexer("index", feed)
    wait_for(lambda: host.requests["held"] >= 8, "both workers to be in mid batch")
    fleet.kill(fleet.processes[0])
    host.released.set()
    assert indexing.wait(120) == 0, fleet.logs()
    fleet.processes.remove(indexing)
    record = check_exact(fleet, tiny_embedder, 24)
    assert record.counts == Counts(rows=24, products=24, images=24, embedded=24)
    fleet.start_worker()
    fleet.wait_for_workers(2)


def test_a_dispatcher_killed_in_mid_dispatch_goes_on_where_it_was(
    fleet: RunningFleet, catalog_name: str, tmp_path: Path, host: ImageHost, tiny_embedder: Embedder
) -> None:
    feed = slow_feed(tmp_path, host)
    few = ("--dispatch-ahead", "8")
    seen: list[int] = []
    for batches in (2, 10):
        indexing = fleet.start_indexer("index", feed, *few)
        wanted = batches
        run = fleet.wait_for_run(
            lambda run: run.plan.feed == str(feed) and run.batches >= wanted,  # noqa: B023 - called at once
            "batches",
        )
        fleet.kill(indexing)
        assert run.expected_batches == 0, "the dispatcher was done before it was killed"
        seen.append(run.batches)
    done = fleet.run_indexer("index", feed, *few)
    assert done.returncode == 0, done.stderr + fleet.logs()
    record = check_exact(fleet, tiny_embedder, PRODUCTS)
    # no batch was sent twice, but for the one that each kill may have caught between its message and its mark; who has
    # it second may find the pictures of who had it first, and a picture that is slow under load is asked for again
    again = len(seen) * BATCH
    assert record.counts.embedded >= PRODUCTS - again
    assert PRODUCTS <= host.requests["slow"] <= PRODUCTS + 2 * again
    assert 2 * again < seen[-1] * BATCH, "a dispatcher that began anew would not be told"
    with fleet.opened() as opened:
        assert sum(run.plan.feed == str(feed) for run in opened.ledger.runs()) == 1


def test_redis_killed_in_mid_run_goes_on_with_its_append_only_file(
    fleet: RunningFleet, catalog_name: str, tmp_path: Path, host: ImageHost, tiny_embedder: Embedder, redis: RedisServer
) -> None:
    feed = slow_feed(tmp_path, host)
    indexing = fleet.start_indexer("index", feed, "--dispatch-ahead", "12")
    run = fleet.wait_for_run(lambda run: run.plan.feed == str(feed) and run.batches >= 5, "batches")
    redis.kill()
    time.sleep(1.5)
    redis.start()
    assert indexing.wait(150) == 0, fleet.logs()
    fleet.processes.remove(indexing)
    assert check_exact(fleet, tiny_embedder, PRODUCTS).run_id == run.run_id
    assert all(worker.poll() is None for worker in fleet.processes)


def put_off(fleet: RunningFleet) -> int:
    """How often a worker said that a batch waits."""
    return sum(path.read_text().count(" waits ") for path in fleet.folder.glob("worker-*.log"))


def test_a_store_that_refuses_for_a_while_only_delays(
    fleet: RunningFleet,
    catalog_name: str,
    tmp_path: Path,
    host: ImageHost,
    tiny_embedder: Embedder,
    proxy: RefusingProxy,
) -> None:
    feed = slow_feed(tmp_path, host)
    indexing = fleet.start_indexer("index", feed)
    fleet.wait_for_run(lambda run: run.plan.feed == str(feed) and run.batches >= 3, "batches")
    before = put_off(fleet)
    proxy.refuse()
    time.sleep(30)
    wait_for(lambda: put_off(fleet) > before, "batches to wait beyond what the store's adapter tries by itself")
    assert proxy.refused > 0
    proxy.refusing.clear()
    assert indexing.wait(150) == 0, fleet.logs()
    fleet.processes.remove(indexing)
    check_exact(fleet, tiny_embedder, PRODUCTS)


def test_a_worker_that_is_told_to_stop_finishes_what_it_has_in_hand(
    fleet: RunningFleet, catalog_name: str, tmp_path: Path, host: ImageHost, tiny_embedder: Embedder
) -> None:
    feed = tmp_path / "feed.jsonl"
    write_links(feed, [f"{host.url}/held/{number}" for number in range(8)])
    indexing = fleet.start_indexer("index", feed, "--batch-products", "2")
    wait_for(lambda: host.requests["held"] >= 4, "the workers to begin")
    leaving = fleet.processes[0]
    leaving.terminate()
    time.sleep(0.2)
    host.released.set()
    assert leaving.wait(60) == 0
    assert indexing.wait(120) == 0, fleet.logs()
    assert host.requests["held"] == 8  # nothing was begun twice
    fleet.processes.remove(leaving)
    with fleet.reader(tiny_embedder.space.space_id) as reader:
        assert reader.status().points == 8
