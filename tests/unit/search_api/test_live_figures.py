"""Figures that are looked up when somebody asks, whatever is away then."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from starlette.requests import Request

from indexer.errors import EventsUnavailable, StoreUnavailable
from indexer.indexing.dispatcher import QueueStatus
from indexer.settings import load_settings
from search_api import access, live_figures
from search_api.access import Access, Scope
from search_api.backlog import Backlog, EventBacklog, Waiting
from search_api.embedding_cache import EmbeddingCache
from search_api.lanes import LaneBacklog
from search_api.live_figures import LiveFigures
from search_api.routes.metrics import may_see


class Redis(Backlog):
    """A backlog that is as the test wants it."""

    def __init__(self) -> None:
        super().__init__(load_settings({"dispatcher": "celery"}, environment={}).settings, str)
        self.failure: EventsUnavailable | None = None
        self.hangs = threading.Event()
        self.hangs.set()
        self.reads = 0

    def read(self) -> Waiting:
        self.reads += 1
        self.hangs.wait()
        if self.failure is not None:
            raise self.failure
        queues = [QueueStatus("vitrine.events", 3, 7.0, 2), QueueStatus("requests", 1, 2.0, 0, has_workers=False)]
        return Waiting(queues, EventBacklog(4, 9.0))


async def works() -> None:
    """A part that does."""


async def is_away() -> None:
    raise StoreUnavailable("It is away.")


def values(families: list[Metric]) -> dict[tuple[str, ...], float]:
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def figures(redis: Redis) -> LiveFigures:
    lanes = {"texts": LaneBacklog(5, 1.5)}
    return LiveFigures(lambda: lanes, EmbeddingCache(0).figures, {"model": works, "store": is_away}, redis)


def test_what_waits_and_what_works_is_told() -> None:
    found = values(asyncio.run(figures(Redis()).families()))
    assert [found["vitrine_up", part] for part in ("model", "store", "broker")] == [1, 0, 1]
    assert (found["vitrine_model_queue_depth", "texts"], found["vitrine_queue_depth", "vitrine.events"]) == (5, 3)
    assert found["vitrine_model_queue_oldest_age_seconds", "texts"] == 1.5
    assert (found["vitrine_queue_workers", "vitrine.events"], found["vitrine_events_behind",]) == (2, 4)
    assert ("vitrine_queue_workers", "requests") not in found


def test_a_broker_that_is_away_is_told_and_nothing_made_up() -> None:
    redis = Redis()
    redis.failure = EventsUnavailable("It is away.")
    found = values(asyncio.run(figures(redis).families()))
    assert found["vitrine_up", "broker"] == 0
    assert not any(name.startswith(("vitrine_queue", "vitrine_events")) for name, *_ in found)


def test_a_broker_that_hangs_is_asked_by_one_thread_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_figures, "_PATIENCE_S", 0.01)
    redis = Redis()
    redis.hangs.clear()

    async def ask() -> None:
        asked = figures(redis)
        for _ in range(3):
            assert values(await asked.families())["vitrine_up", "broker"] == 0
        assert redis.reads == 1
        redis.hangs.set()
        monkeypatch.setattr(live_figures, "_PATIENCE_S", 60)
        assert values(await asked.families())["vitrine_up", "broker"] == 1

    asyncio.run(ask())


def test_an_embedded_installation_without_events_opens_nothing(tmp_path: Path) -> None:
    backlog = Backlog(load_settings({"data_dir": tmp_path / "data"}, environment={}).settings, str)
    assert backlog.read() == Waiting((), None)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("client", "headers", "key", "scopes", "tenant", "opens"),
    [
        ("127.0.0.1", {}, "", (), "", True),
        ("::1", {}, "", (), "", True),
        ("10.0.0.9", {}, "", (), "", False),
        ("127.0.0.1", {"x-forwarded-for": "10.0.0.9"}, "", (), "", False),
        ("127.0.0.1", {"x-api-key": "wrong"}, "", (), "", False),
        ("127.0.0.1", {}, "k" * 20, (), "", False),
        ("10.0.0.9", {"authorization": f"Bearer {'k' * 20}"}, "k" * 20, (), "", True),
        ("10.0.0.9", {"x-api-key": "k" * 19}, "k" * 20, (), "", False),
        ("10.0.0.9", {"x-api-key": "other"}, "", (Scope.ADMIN,), "", True),
        ("10.0.0.9", {"x-api-key": "other"}, "", (Scope.ADMIN,), "shop-a", False),
        ("10.0.0.9", {"x-api-key": "other"}, "", (Scope.SEARCH,), "", False),
        ("unix", {}, "", (), "", False),
    ],
)
def test_who_may_see_figures(
    client: str, headers: dict[str, str], key: str, scopes: tuple[Scope, ...], tenant: str, opens: bool
) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "headers": encoded, "client": (client, 1)})
    token = access.current.set(Access("", "", frozenset(scopes), tenant))
    try:
        assert may_see(request, key) is opens
    finally:
        access.current.reset(token)
