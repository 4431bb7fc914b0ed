"""Requests of tenants are apart in every work queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.errors import RunNotFound
from indexer.requests.port import RunOrder, WorkQueue
from indexer.requests.sqlite import SqliteWorkQueue
from indexer.requests.tenants import TenantRequests
from indexer.settings import load_settings
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
