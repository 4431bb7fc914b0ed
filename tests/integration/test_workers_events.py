"""Events and requested runs in a fleet: what the API hands over, workers carry out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from indexer import bootstrap
from indexer.embedding.port import Embedder
from indexer.errors import RunNotFound
from indexer.events.port import EventKind, EventLog, ProductEvent
from indexer.points import PointPayload
from indexer.requests.port import RequestState, RunOrder, RunRequest, WorkQueue
from tests.fleet import RunningFleet, running_fleet, wait_for
from tests.pictures import DrawnCatalog, draw_catalog, drawn_picture, encoded
from tests.processes import running_api
from tests.qdrant_server import remove_catalog
from tests.redis_server import RedisServer, require_redis
from workers.celery_app import create_celery
from workers.names import EVENTS_QUEUE


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> DrawnCatalog:
    return draw_catalog(tmp_path_factory.mktemp("shop") / "catalog", products=20)


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: str, qdrant_url: str, catalog: DrawnCatalog
) -> Iterator[RunningFleet]:
    """Two workers of one catalog, in which the feed is indexed."""
    require_redis()
    folder = tmp_path_factory.mktemp("fleet")
    redis = RedisServer(folder / "redis")
    redis.start()
    name = f"test_{secrets.token_hex(6)}"
    own = {"feeds_dir": str(catalog.folder), "batch_products": "4", "retry_limit": "2"}
    try:
        with running_fleet(
            folder / "fleet", tiny_model, name, redis_url=redis.url, qdrant_url=qdrant_url, **own
        ) as running:
            running.start_worker()
            running.start_worker()
            running.wait_for_workers(2)
            yield running
    finally:
        redis.stop()
        remove_catalog(qdrant_url, name)


@pytest.fixture
def queue(fleet: RunningFleet) -> Iterator[WorkQueue]:
    with closing(bootstrap.open_work_queue(fleet.loaded_settings())) as opened:
        yield opened


@pytest.fixture
def log(fleet: RunningFleet) -> Iterator[EventLog]:
    with closing(bootstrap.open_event_log(fleet.loaded_settings())) as opened:
        yield opened


def ended(queue: WorkQueue, request: RunRequest) -> RunRequest:
    wait_for(
        lambda: queue.request(request.request_id).state in {RequestState.FINISHED, RequestState.FAILED}, "the request"
    )
    return queue.request(request.request_id)


@pytest.fixture
def indexed(fleet: RunningFleet, queue: WorkQueue, catalog: DrawnCatalog) -> RunRequest:
    """The feed, indexed by request."""
    return ended(queue, queue.request_run(RunOrder(feed=str(catalog.feed), full=True)))


@pytest.fixture
def payload_of(fleet: RunningFleet, tiny_embedder: Embedder) -> Iterator[Callable[[str], PointPayload | None]]:
    with fleet.reader(tiny_embedder.space.space_id) as reader:

        def find(product_id: str) -> PointPayload | None:
            points = reader.product_points([product_id]).get(product_id, ())
            return points[0].payload if points else None

        yield find


@pytest.fixture
def send(fleet: RunningFleet) -> Iterator[Callable[[str, dict[str, Any]], None]]:
    app = create_celery(fleet.loaded_settings())
    yield lambda task, message: app.send_task(task, args=[message], queue=EVENTS_QUEUE)
    app.close()


def test_a_requested_feed_is_indexed_by_workers(
    fleet: RunningFleet, queue: WorkQueue, indexed: RunRequest, catalog: DrawnCatalog
) -> None:
    assert (indexed.state, indexed.fraction, indexed.reason) == (RequestState.FINISHED, 1.0, "")
    with fleet.opened() as opened:
        record = opened.ledger.run(indexed.run_id)
    assert (record.counts.products, record.counts.failed, record.expected_batches) == (20, 0, 5)
    assert indexed in queue.requests()
    assert queue.request(indexed.request_id).order == RunOrder(feed=str(catalog.feed), full=True)
    with pytest.raises(RunNotFound):
        queue.request("nonsense")


def test_requests_of_one_catalog_wait_for_each_other(
    queue: WorkQueue, catalog: DrawnCatalog, indexed: RunRequest
) -> None:
    asked = [queue.request_run(RunOrder(feed=str(catalog.feed), limit=limit)) for limit in (8, 12, 16)]
    done = [ended(queue, request) for request in asked]
    assert [item.state for item in done] == [RequestState.FINISHED] * 3, done
    assert len({item.run_id for item in done}) == 3


def test_a_request_that_cannot_be_done_says_why(queue: WorkQueue, tmp_path: Path) -> None:
    failed = ended(queue, queue.request_run(RunOrder(feed=str(tmp_path / "nope.xml"))))
    assert failed.state is RequestState.FAILED
    assert "nope.xml" in failed.reason
    nothing = ended(queue, queue.request_run(RunOrder(retry_of="nonsense")))
    assert "nonsense" in nothing.reason


def test_announced_events_become_searchable(
    fleet: RunningFleet,
    queue: WorkQueue,
    log: EventLog,
    indexed: RunRequest,
    payload_of: Callable[[str], PointPayload | None],
    tiny_embedder: Embedder,
) -> None:
    version = datetime.now(UTC)
    log.append([ProductEvent("p1", EventKind.UPDATE_FIELDS, version, fields={"price_minor": 4711})])
    queue.announce(["p1"])
    wait_for(lambda: (found := payload_of("p1")) is not None and found.price_minor == 4711, "the new price")
    # nobody is told of this one: it is found all the same
    log.append([ProductEvent("p2", EventKind.DELETE, version)])
    wait_for(lambda: payload_of("p2") is None, "the deletion")
    alias = f"{fleet.settings['catalog']}--{tiny_embedder.space.space_id}"
    wait_for(lambda: log.applied(alias).events >= 2, "the position")
    assert log.applied(alias).p95_s is not None


def test_events_come_as_messages_in_any_order(
    send: Callable[[str, dict[str, Any]], None],
    fleet: RunningFleet,
    indexed: RunRequest,
    catalog: DrawnCatalog,
    payload_of: Callable[[str], PointPayload | None],
) -> None:
    (catalog.folder / "images" / "new.jpg").write_bytes(encoded(drawn_picture(4242)))
    base = datetime.now(UTC)
    times = [(base + timedelta(seconds=second)).isoformat() for second in range(3)]
    product = {"product_id": "n1", "title": "New", "image_refs": ["images/new.jpg"]}
    # the newest first, then what is older than it
    send("products.update_fields", {"product_id": "n1", "brand": "Newest", "updated_at": times[2]})
    send("products.upsert", product | {"brand": "Old", "updated_at": times[1]})
    send("products.delete", {"product_id": "n1", "updated_at": times[0]})
    wait_for(lambda: (found := payload_of("n1")) is not None and found.brand == "Newest", "the product")
    send("products.delete", {"product_id": "n1", "updated_at": (base + timedelta(seconds=5)).isoformat()})
    wait_for(lambda: payload_of("n1") is None, "the deletion")
    with fleet.opened() as opened:
        before = opened.dead_letters.count()
        send("products.upsert", {"product_id": "n2"})
        wait_for(lambda: opened.dead_letters.count() == before + 1, "the dead letter")
        assert "title" in opened.dead_letters.latest(1)[0]["reason"]


def test_the_api_hands_events_and_runs_to_the_workers(
    fleet: RunningFleet, indexed: RunRequest, catalog: DrawnCatalog, tmp_path: Path
) -> None:
    settings = fleet.settings | {"admin_key": "secret", "data_dir": str(tmp_path)}
    flags = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)]
    data_dir = Path(settings.pop("data_dir"))
    with (
        running_api(data_dir, *flags) as api,
        httpx.Client(base_url=api.url, headers={"X-API-Key": "secret"}, timeout=60, trust_env=False) as client,
    ):
        changed = client.patch("/v1/products/p5", json={"price_minor": 123456})
        assert changed.status_code == 202, changed.text
        wait_for(lambda: client.get("/v1/products/p5").json().get("price_minor") == 123456, "the new price")
        picture = catalog.picture(7).read_bytes()
        found = client.post("/v1/search/image", content=picture, headers={"Content-Type": "image/jpeg"})
        assert found.json()["hits"][0]["product_id"] == "p7", found.text
        asked = client.post("/v1/index-runs", json={"feed": catalog.feed.name})
        assert asked.status_code == 202, asked.text
        path = f"/v1/index-runs/{asked.json()['id']}"
        wait_for(lambda: client.get(path).json()["state"] == "finished", "the run")
        run = client.get(path).json()
        assert run["counts"]["rows"] == 20
        # the feed is older than the event, which holds
        assert client.get("/v1/products/p5").json()["price_minor"] == 123456
        status = client.get("/v1/index-status").json()
        assert status
