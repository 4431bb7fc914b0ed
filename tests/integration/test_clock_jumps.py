"""The clock jumps while a server serves: nothing acknowledged is lost, nobody is locked out, and nothing hangs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.fleet import wait_for
from tests.pictures import DrawnCatalog, draw_catalog
from tests.processes import program_environment, run_indexer, running_api

ADMIN = {"X-API-Key": "clock-admin"}
JUMPS = {"-2h": timedelta(hours=-2), "+3d": timedelta(days=3), "-400d": timedelta(days=-400), "+0": timedelta()}


def _library() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


@dataclass
class ClockedShop:
    """An API and its indexer process, whose clock is set by a file."""

    client: httpx.Client
    catalog: DrawnCatalog
    clock: Path
    flags: tuple[str | Path, ...]

    def jump(self, offset: str) -> None:
        """From now on the clock differs by so much from the true one."""
        part = self.clock.with_suffix(".part")
        part.write_text(offset)
        part.replace(self.clock)
        wait_for(
            lambda: abs(self._clock_now() - datetime.now(UTC) - JUMPS[offset]) < timedelta(seconds=5),
            f"the server's clock does not follow {offset}",
            every_s=0.1,
        )

    def _clock_now(self) -> datetime:
        return parsedate_to_datetime(self.client.get("/healthz").headers["date"])

    def set_price(self, product_id: str, price_minor: int) -> None:
        """Acknowledged when this returns."""
        answer = self.client.patch(f"/v1/products/{product_id}", json={"price_minor": price_minor}, headers=ADMIN)
        assert answer.status_code == 202, answer.text
        assert answer.json()["stale"] is False

    def price_of(self, product_id: str) -> int | None:
        """None if there is no such product."""
        answer = self.client.get(f"/v1/products/{product_id}")
        return None if answer.status_code == 404 else int(answer.json()["price_minor"])

    def wait(self, product_id: str, price_minor: int | None) -> None:
        """Returns when it costs so much."""
        wait_for(lambda: self.price_of(product_id) == price_minor, f"{product_id} costs {price_minor}", every_s=0.05)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Iterator[ClockedShop]:
    library = _library()
    if library is None:
        pytest.skip("libfaketime is not installed")
    folder = tmp_path_factory.mktemp("clock")
    catalog = draw_catalog(folder / "catalog", products=8)
    flags = ("--model", tiny_model, "--device", "cpu")
    done = run_indexer("index", catalog.feed, "--data-dir", folder / "data", *flags)
    assert done.returncode == 0, done.stderr
    clock = folder / "clock"
    clock.write_text("+0")
    environment = program_environment() | {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "VITRINE_ADMIN_KEY": ADMIN["X-API-Key"],
        "VITRINE_ADDRESS_REQUESTS_PER_S": "1000",
        "VITRINE_ADDRESS_BURST_REQUESTS": "20",
        "VITRINE_FOLLOW_S": "0.1",
        "VITRINE_EVENT_GATHER_S": "0.1",
    }
    with (
        running_api(folder / "data", *flags, environment=environment) as api,
        httpx.Client(base_url=api.url, timeout=30, trust_env=False) as client,
    ):
        yield ClockedShop(client, catalog, clock, ("--data-dir", folder / "data", *flags))


def test_changes_hold_in_the_order_in_which_they_came(shop: ClockedShop) -> None:
    price_minor = 1000
    for jump in JUMPS:
        shop.jump(jump)
        price_minor += 1
        shop.set_price("p0", price_minor)
        shop.wait("p0", price_minor)
    assert shop.client.delete("/v1/products/p1", headers=ADMIN).status_code == 202
    shop.wait("p1", None)
    shop.jump("-2h")
    shop.set_price("p2", 77)
    shop.wait("p2", 77)
    assert shop.price_of("p1") is None


def test_searches_status_and_readiness_go_on(shop: ClockedShop) -> None:
    photo = shop.catalog.picture(3).read_bytes()
    for jump in JUMPS:
        shop.jump(jump)
        for _ in range(30):  # more than a bucket that had stopped filling would let through
            answer = shop.client.post("/v1/search/image", content=photo, headers={"content-type": "image/jpeg"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["hits"][0]["product_id"] == "p3"
        assert shop.client.get("/readyz").status_code == 200
        status = shop.client.get("/v1/index-status", headers=ADMIN)
        assert status.status_code == 200, status.text
        assert status.json()["is_current"] is True


def test_a_feed_that_is_newer_than_a_change_holds_once_the_clock_is_right(shop: ClockedShop) -> None:
    shop.jump("-2h")
    shop.set_price("p4", 444)
    shop.wait("p4", 444)
    shop.jump("+0")
    shop.catalog.feed.touch()
    done = run_indexer("index", shop.catalog.feed, *shop.flags, "--writer-wait-s", "60")
    assert done.returncode == 0, done.stderr
    shop.wait("p4", 550)
