"""Requests of tenants are apart in every work queue, and what waits is told whoever is there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from indexer.errors import RunNotFound
from indexer.ledger.port import RunPlan, RunState
from indexer.requests.port import RunOrder, WorkQueue
from indexer.requests.sqlite import SqliteWorkQueue
from indexer.requests.tenants import TenantRequests
from indexer.settings import load_settings
from workers.names import index_queue
from workers.redis_connection import RedisConnection
from workers.redis_ledger import open_redis_ledger
from workers.work_queue import open_redis_work_queue


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_tenant_s_requests_are_unknown_to_others(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    queue: WorkQueue = SqliteWorkQueue(tmp_path / "requests.sqlite3")
    if kind == "redis":
        queue.close()
        flags = {"redis_url": request.getfixturevalue("redis_url")}
        queue = open_redis_work_queue(load_settings(flags, environment={}).settings)
    try:
        views = {tenant: TenantRequests(queue, tenant) for tenant in ("", "north", "south")}
        # whose an order is, is said by who asks, and not by the order
        asked = {tenant: view.request_run(RunOrder(feed="/f", tenant="other")) for tenant, view in views.items()}
        for tenant, view in views.items():
            assert asked[tenant].order.tenant == tenant
            assert [item.request_id for item in view.requests()] == [asked[tenant].request_id]
            assert view.request(asked[tenant].request_id).order == RunOrder(feed="/f", tenant=tenant)
            for other in asked.keys() - {tenant}:
                with pytest.raises(RunNotFound):
                    view.request(asked[other].request_id)
            view.announce(["p1"])
    finally:
        queue.close()


def test_what_waits_is_told_when_no_worker_is_left(redis_url: str) -> None:
    settings = load_settings({"redis_url": redis_url}, environment={}).settings
    space_id = "0123456789ab"
    with (
        closing(open_redis_ledger(settings)) as ledger,
        closing(open_redis_work_queue(settings)) as queue,
        closing(RedisConnection(redis_url)) as connection,
    ):
        run_id = ledger.begin(RunPlan(f"products--{space_id}", "/f", "1", tenant="north")).record.run_id
        connection.call("LPUSH", index_queue(space_id), "{}")
        waiting = {status.name: status for status in queue.waiting()}
        assert (waiting[index_queue(space_id)].depth, waiting[index_queue(space_id)].workers) == (1, 0)
        ledger.finish(run_id, RunState.FAILED)
