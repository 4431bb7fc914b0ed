"""Two shops over one fleet: runs, batches and events find their own products, whatever ids the other has."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexer import bootstrap
from indexer.embedding.port import Embedder
from indexer.points import StoredPoint
from indexer.requests.port import RequestState, RunOrder
from indexer.requests.tenants import TenantRequests
from indexer.store.port import Alias
from indexer.store.tenant_store import of_tenant
from tests.fleet import RunningFleet, running_fleet, wait_for
from tests.qdrant_server import remove_catalog
from tests.tenants import NORTH, ONLY, SHARED, SOUTH, text_of, write_shop
from workers.celery_app import create_celery
from workers.names import EVENTS_QUEUE

IDS = [*(f"p{number}" for number in range(SHARED)), *ONLY.values()]


@pytest.fixture
def fleet(tmp_path: Path, tiny_model: str, qdrant_url: str, redis_url: str) -> Iterator[RunningFleet]:
    """One worker, and a feed of each shop in its folder."""
    name = f"test_{secrets.token_hex(6)}"
    for tenant in (NORTH, SOUTH):
        write_shop(tmp_path / "feeds" / tenant, tenant)
    own = {"feeds_dir": str(tmp_path / "feeds"), "batch_products": "4", "retry_limit": "1", "tenants": "true"}
    try:
        with running_fleet(
            tmp_path / "fleet", tiny_model, name, redis_url=redis_url, qdrant_url=qdrant_url, **own
        ) as running:
            running.start_worker()
            running.wait_for_workers(1)
            yield running
    finally:
        remove_catalog(qdrant_url, f"{name}_tenants")


def test_runs_and_events_of_one_leave_the_other_s_products(fleet: RunningFleet, tiny_embedder: Embedder) -> None:
    settings = fleet.loaded_settings()
    alias = Alias(settings.alias_catalog, tiny_embedder.space.space_id)

    def points(tenant: str) -> dict[str, StoredPoint]:
        with (
            closing(bootstrap.open_store(settings)) as store,
            closing(of_tenant(store, tenant).reader(alias)) as reader,
        ):
            return {product_id: found[0] for product_id, found in reader.product_points(IDS).items()}

    with closing(bootstrap.open_work_queue(settings)) as queue:
        asked = {}
        for tenant in (NORTH, SOUTH):
            feed = Path(settings.feeds_dir) / tenant / "feed.jsonl"
            asked[tenant] = TenantRequests(queue, tenant).request_run(RunOrder(feed=str(feed), full=True))
        for request in asked.values():
            wait_for(lambda: queue.request(request.request_id).state is RequestState.FINISHED, "the run")  # noqa: B023
    found = {tenant: points(tenant) for tenant in (NORTH, SOUTH)}
    for tenant, own in found.items():
        assert own.keys() == {*IDS} - {ONLY[SOUTH if tenant == NORTH else NORTH]}
        assert all(point.payload.title.startswith(text_of(tenant)) for point in own.values())
    with closing(bootstrap.open_ledger(settings)) as ledger:
        assert [len(ledger.runs(tenant=tenant)) for tenant in (NORTH, SOUTH, "")] == [1, 1, 0]

    app = create_celery(settings)
    now = datetime.now(UTC).isoformat()
    for message in (
        {"product_id": "p1", "updated_at": now, "tenant": NORTH},
        {"product_id": "p2", "updated_at": now},
        {"product_id": "p2", "updated_at": now, "tenant": "No Name"},
    ):
        app.send_task("products.delete", args=[message], queue=EVENTS_QUEUE)
    app.close()
    wait_for(lambda: "p1" not in points(NORTH), "the deletion")
    with fleet.opened() as opened:
        wait_for(lambda: opened.dead_letters.count() == 2, "the messages that name no tenant")
        assert all("tenant" in letter["reason"] for letter in opened.dead_letters.latest(2))
    assert points(SOUTH) == found[SOUTH]
    assert points(NORTH).keys() == found[NORTH].keys() - {"p1"}
