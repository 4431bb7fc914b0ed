"""The API while its Qdrant server is away, silent or answers errors: told at once, told truly, and back soon after."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from indexer import bootstrap
from indexer.embedding.port import Embedder
from indexer.errors import StoreUnavailable
from indexer.indexing.inline import InlineDispatcher
from indexer.indexing.run import IndexOptions, index_feed
from indexer.settings import load_settings
from indexer.telemetry.metrics import REGISTRY
from search_api.app import create_app
from tests.pictures import draw_catalog
from tests.qdrant_server import control, running_stand_in
from tests.refusing_proxy import RefusingProxy, running_proxy
from tests.served import served, wait_for_status

PRODUCTS = 4
PAUSE_S = 0.4
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Shop:
    """An API whose store is reached through a proxy."""

    client: httpx.Client
    proxy: RefusingProxy
    server_url: str

    def search(self) -> httpx.Response:
        return self.client.post("/v1/search/text", json={"text": "a red mug"})

    def calls(self) -> int:
        """That reached the server, or were refused before it."""
        reached: int = sum(control(self.server_url)["calls"].values())
        return reached + self.proxy.refused


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tiny_model: str, tiny_embedder: Embedder) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    catalog = draw_catalog(folder / "catalog", products=PRODUCTS)
    values = {"store": "qdrant", "qdrant_prefer_grpc": "false", "catalog": f"test_{secrets.token_hex(6)}"}
    values |= {"data_dir": str(folder / "data"), "model": tiny_model, "qdrant_timeout_s": "1"}
    values |= {"qdrant_search_retry_s": "0.5", "breaker_failures": "3", "breaker_pause_s": str(PAUSE_S)}
    with running_stand_in() as url, running_proxy(url) as proxy:
        writing = load_settings(values | {"qdrant_url": url}, environment={}).settings
        with bootstrap.indexing(writing) as parts:
            index_feed(catalog.feed, IndexOptions(), InlineDispatcher(parts))
        settings = load_settings(values | {"qdrant_url": proxy.url}, environment={}).settings
        with served(create_app(settings, load_embedder=lambda _: tiny_embedder)) as client:
            wait_for_status(client, "/readyz", 200)
            yield Shop(client, proxy, url)


def state() -> float | None:
    return REGISTRY.get_sample_value("vitrine_breaker_state", {"part": "store"})


def away(shop: Shop) -> Callable[[], object]:
    shop.proxy.refuse()
    return shop.proxy.refusing.clear


def silent(shop: Shop) -> Callable[[], object]:
    control(shop.server_url, pause_s=_TIMEOUT_S)
    return lambda: control(shop.server_url, pause_s=0)


def answering_errors(shop: Shop) -> Callable[[], object]:
    control(shop.server_url, refuse_s=_TIMEOUT_S)
    return lambda: control(shop.server_url, refuse_s=0)


@pytest.mark.parametrize("fault", [away, silent, answering_errors])
def test_a_store_that_fails_is_left_alone_until_it_is_back(
    shop: Shop, fault: Callable[[Shop], Callable[[], object]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "indexer.breaker")
    assert shop.search().status_code == 200
    mend = fault(shop)
    try:
        deadline_s = time.monotonic() + _TIMEOUT_S
        while state() == 0:
            answer = shop.search()
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable"), answer.text
            assert time.monotonic() < deadline_s
        ready = shop.client.get("/readyz")
        assert (ready.status_code, ready.json()["code"]) == (503, "store_unavailable")
        assert shop.client.get("/healthz").status_code == 200
        before, start_s = shop.calls(), time.monotonic()
        answers = [shop.search() for _ in range(40)]
        tries = 1 + (time.monotonic() - start_s) / PAUSE_S
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.headers["retry-after"] for answer in answers} == {"1"}
        assert shop.calls() - before <= tries + 1  # one call tries after each pause; the others never leave the process
    finally:
        mend()
    wait_for_status(shop.client, "/readyz", 200)
    assert state() == 0
    answer = shop.search()
    assert (answer.status_code, len(answer.json()["hits"])) == (200, PRODUCTS)
    told = [record.getMessage() for record in caplog.records if record.name == "indexer.breaker"]
    assert ["circuit breaker open" in told[0], "circuit breaker closed" in told[-1]] == [True, True]


def test_a_store_that_drops_its_connections_once_is_asked_again(shop: Shop) -> None:
    for _ in range(3):
        shop.proxy.refuse()
        shop.proxy.refusing.clear()
        assert shop.search().status_code == 200
    assert state() == 0


def test_what_needs_no_store_is_answered_meanwhile(shop: Shop) -> None:
    shop.proxy.refuse()
    try:
        answer = shop.client.post("/v1/embed", json={"texts": ["a red mug"]})
        assert answer.status_code == 200
        assert shop.client.get("/").status_code == 200
    finally:
        shop.proxy.refusing.clear()
    wait_for_status(shop.client, "/readyz", 200)


def test_an_api_that_starts_without_its_store_says_what_is_wrong(tmp_path: Path, shop: Shop) -> None:
    values = {"store": "qdrant", "qdrant_prefer_grpc": "false", "data_dir": str(tmp_path / "data")}
    settings = load_settings(values | {"qdrant_url": "http://127.0.0.1:1"}, environment={}).settings
    with pytest.raises(StoreUnavailable, match="qdrant_url"):
        create_app(settings)
