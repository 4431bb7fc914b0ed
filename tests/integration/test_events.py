"""Events from HTTP to search, with the API and its indexer process as a shop runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from indexer.events.sqlite import SqliteEventLog
from indexer.settings import load_settings
from search_api.indexer_process import IndexerProcess
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, drawn_picture, encoded, write_feed
from tests.processes import (
    REPOSITORY,
    free_port,
    has_ended,
    indexer_processes,
    program_environment,
    run_ids,
    run_indexer,
)

KEY = "test-key"
_TIMEOUT_S = 240.0


@dataclass(frozen=True, slots=True)
class EventShop:
    """A running API with its indexer process, and the catalog in its folder of feeds."""

    client: httpx.Client
    api: subprocess.Popen[bytes]
    data_dir: Path
    catalog: DrawnCatalog

    def indexer_pid(self) -> int:
        """Of the indexer process that is alive now; waits for one."""
        found: list[int] = []

        def look() -> bool:
            found[:] = [process.pid for process in indexer_processes(self.api.pid)]
            return bool(found)

        wait_until(look)
        return found[0]

    def settled(self) -> dict[str, Any]:
        """The state once every event is applied."""
        status: dict[str, Any] = {}

        def look() -> bool:
            response = self.client.get("/v1/index-status")
            if response.status_code == 200:
                status.update(response.json())
            return bool(status.get("is_current"))

        wait_until(look)
        return status

    def product(self, product_id: str) -> dict[str, Any] | None:
        response = self.client.get(f"/v1/products/{product_id}")
        if response.status_code in {404, 503}:
            return None
        found: dict[str, Any] = response.json()
        return found

    def wait_for(self, product_id: str, **fields: Any) -> dict[str, Any]:
        """The product once it has these values."""
        found: dict[str, Any] = {}

        def look() -> bool:
            found.clear()
            found.update(self.product(product_id) or {})
            return all(name in found and found[name] == value for name, value in fields.items()) and bool(found)

        wait_until(look)
        return found

    def wait_until_gone(self, product_id: str) -> None:
        wait_until(lambda: self.client.get(f"/v1/products/{product_id}").status_code == 404)

    def put(self, number: int, seed: int | None = None, **fields: Any) -> dict[str, Any]:
        """A product with a picture of its own, e-numbered."""
        name = f"event-{number if seed is None else seed}.jpg"
        path = self.catalog.folder / name
        if not path.exists():
            path.write_bytes(encoded(drawn_picture(5000 + (number if seed is None else seed))))
        body = {"title": f"Event {number}", "image_refs": [name], "price_minor": number, "currency": "EUR"} | fields
        return answered(self.client.put(f"/v1/products/e{number}", json=body))

    def patch(self, product_id: str, **fields: Any) -> dict[str, Any]:
        return answered(self.client.patch(f"/v1/products/{product_id}", json=fields))

    def delete(self, product_id: str, **query: Any) -> dict[str, Any]:
        return answered(self.client.delete(f"/v1/products/{product_id}", params=query))

    def run_done(self, run_id: str) -> dict[str, Any]:
        run: dict[str, Any] = {}

        def look() -> bool:
            run.update(self.client.get(f"/v1/index-runs/{run_id}").json())
            return run["state"] in {"finished", "failed"}

        wait_until(look)
        return run

    def embedded(self) -> int:
        """Pictures that events have put through the model."""
        runs = self.client.get("/v1/index-runs").json()["runs"]
        return sum(run["counts"]["embedded"] for run in runs if run["kind"] == "events")


def answered(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    return answer


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@contextmanager
def running_shop(folder: Path, model: str, products: int = 12, follow_s: float = 0.1) -> Iterator[EventShop]:
    catalog = draw_catalog(folder / "feeds", products=products)
    port = free_port()
    flags = ["--data-dir", folder / "data", "--feeds-dir", catalog.folder, "--model", model, "--port", port]
    flags += ["--follow-s", follow_s, "--event-gather-s", 0.1, "--batch-products", 4, "--image-threads", 4]
    command = [sys.executable, "-m", "search_api", *map(str, flags)]
    environment = program_environment() | {"VITRINE_ADMIN_KEY": KEY}
    with (folder / "api.log").open("wb") as log:
        api = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log)
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False, headers={"X-API-Key": KEY}
        )
        children: list[psutil.Process] = []
        try:
            wait_until(lambda: is_up(client, api))
            yield EventShop(client, api, folder / "data", catalog)
            children = psutil.Process(api.pid).children(recursive=True) if api.poll() is None else []
        finally:
            client.close()
            api.terminate()
            api.wait(60)
        # the indexer process ends with the API
        wait_until(lambda: all(has_ended(child) for child in children))


def is_up(client: httpx.Client, api: subprocess.Popen[bytes]) -> bool:
    assert api.poll() is None
    try:
        return client.get("/v1/index-status").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Iterator[EventShop]:
    with running_shop(tmp_path_factory.mktemp("events"), tiny_model) as opened:
        run = answered(opened.client.post("/v1/index-runs", json={"feed": "feed.jsonl"}))
        done = opened.run_done(run["id"])
        assert (done["state"], done["fraction"], done["counts"]["products"]) == ("finished", 1.0, 12)
        yield opened


def test_the_access_log_names_the_request(shop: EventShop) -> None:
    shop.client.get("/v1/products/logged", headers={"X-Request-ID": "r-19"})
    log = (shop.data_dir.parent / "api.log").read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]  # JSON, as nobody reads along
    (line,) = [line for line in lines if line.get("request_id") == "r-19"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/products/logged", 404), line


def test_a_product_that_is_put_can_be_found_by_its_photo(shop: EventShop) -> None:
    shop.put(1, in_stock=True, category=["Home"])
    found = shop.wait_for("e1", price_minor=1, in_stock=True, category=["Home"])
    photo = (shop.catalog.folder / "event-1.jpg").read_bytes()
    headers = {"content-type": "image/jpeg"}
    hits = shop.client.post("/v1/search/image", content=photo, headers=headers, params={"limit": 1}).json()["hits"]
    assert (hits[0]["product_id"], hits[0]["score"]) == ("e1", pytest.approx(1, abs=1e-3))
    assert shop.client.get(found["images"][0]["url"]).headers["content-type"] == "image/jpeg"


def test_a_changed_price_is_shown_and_nothing_embedded(shop: EventShop) -> None:
    shop.put(2)
    shop.wait_for("e2")
    before = shop.embedded()
    for product_id, price in (("e2", 77), ("p3", 88)):
        shop.patch(product_id, price_minor=price, in_stock=None)
    assert shop.wait_for("e2", price_minor=77, in_stock=None)["currency"] == "EUR"
    shop.wait_for("p3", price_minor=88)
    shop.settled()
    assert shop.embedded() == before


def test_a_deleted_product_is_gone_and_a_feed_does_not_bring_it_back(shop: EventShop) -> None:
    shop.delete("p4")
    shop.patch("p5", price_minor=4321)
    shop.put(6)
    shop.wait_until_gone("p4")
    shop.wait_for("p5", price_minor=4321)
    shop.wait_for("e6")
    for full in (False, True):
        run = answered(shop.client.post("/v1/index-runs", json={"feed": "feed.jsonl", "full": full}))
        assert shop.run_done(run["id"])["state"] == "finished"
    assert shop.product("p4") is None
    assert (shop.product("p5") or {})["price_minor"] == 4321
    assert shop.product("e6") is not None
    body = {"title": "Back", "image_refs": ["images/p4-0.jpg"]}
    answered(shop.client.put("/v1/products/p4", json=body))
    shop.wait_for("p4", title="Back")


def test_an_old_event_after_a_new_one_changes_nothing(shop: EventShop) -> None:
    new, old = "2026-05-01T00:00:00Z", "2026-04-01T00:00:00Z"
    shop.put(7, price_minor=100, updated_at=new)
    shop.wait_for("e7", price_minor=100)
    assert shop.put(7, seed=8, price_minor=50, updated_at=old)["stale"]
    assert shop.delete("e7", updated_at=old)["stale"]
    assert shop.patch("e7", price_minor=60, updated_at=old)["stale"]
    shop.put(9)
    shop.wait_for("e9")  # it was behind them, so they are through as well
    after = shop.product("e7") or {}
    assert (after["price_minor"], after["updated_at"]) == (100, new)


def test_failures_are_listed_and_can_be_retried(shop: EventShop) -> None:
    bad = shop.catalog.folder / "event-31.jpg"
    bad.write_bytes(b"no picture")
    shop.put(31)
    shop.settled()
    (run,) = [item for item in shop.client.get("/v1/index-runs").json()["runs"] if item["kind"] == "events"]

    def failed() -> list[tuple[str, str, str]]:
        page = shop.client.get(f"/v1/index-runs/{run['id']}/failures").json()
        return [(item["product_id"], item["stage"], item["code"]) for item in page["failures"]]

    assert ("e31", "decode", "image_not_an_image") in failed()
    assert shop.product("e31") is None
    bad.write_bytes(encoded(drawn_picture(31)))
    retry = answered(shop.client.post(f"/v1/index-runs/{run['id']}/retry"))
    assert shop.run_done(retry["id"])["state"] == "finished"
    shop.wait_for("e31")
    shop.settled()
    assert failed() == []
    nothing = answered(shop.client.post(f"/v1/index-runs/{run['id']}/retry"))
    done = shop.run_done(nothing["id"])
    assert (done["state"], "Nothing" in done["reason"]) == ("failed", True)


def test_events_wait_for_an_index_run_of_another_process_and_hold_after_it(
    shop: EventShop, tmp_path: Path, tiny_model: str
) -> None:
    """``python -m indexer index`` of a feed that is older than the events, with events sent all the while."""
    feed = shop.catalog.folder / "other.jsonl"
    pictures = [f"images/p{number % 12}-0.jpg" for number in range(120)]
    write_feed(feed, [catalog_row(200 + number, [ref]) for number, ref in enumerate(pictures)])
    os.utime(feed, (1_700_000_000, 1_700_000_000))
    done: list[subprocess.CompletedProcess[str]] = []
    flags: list[str | Path] = ["--data-dir", shop.data_dir, "--model", tiny_model, "--batch-products", "4"]
    index = threading.Thread(target=lambda: done.append(run_indexer("index", feed, *flags)))
    index.start()
    sent = 0
    while index.is_alive():
        shop.patch(f"p{200 + sent % 120}", price_minor=1_000_000 + sent)
        shop.put(40 + sent % 5, seed=40, price_minor=2_000_000 + sent)
        sent += 1
        time.sleep(0.05)
    index.join()
    assert done[0].returncode == 0, done[0].stderr
    shop.settled()
    last = {200 + number % 120: 1_000_000 + number for number in range(sent)}
    for number in range(200, 320):
        expected = last.get(number, (number + 1) * 100 + 50)
        assert shop.wait_for(f"p{number}")["price_minor"] == expected, number
    lasts = {40 + number % 5: 2_000_000 + number for number in range(sent)}
    for number, price in lasts.items():
        assert shop.wait_for(f"e{number}")["price_minor"] == price


def test_whoever_waits_for_a_run_or_for_events_finds_what_they_brought(tmp_path: Path, tiny_model: str) -> None:
    """However rarely the API looks for new generations by itself."""
    with running_shop(tmp_path, tiny_model, products=2, follow_s=3600) as shop:
        for price in (11, 12):
            run = answered(shop.client.post("/v1/index-runs", json={"feed": "feed.jsonl"}))
            assert shop.run_done(run["id"])["state"] == "finished"
            assert shop.product("p1") is not None
            shop.patch("p1", price_minor=price)
            shop.settled()
            product = shop.product("p1")
            assert product is not None
            assert product["price_minor"] == price


def test_the_delay_is_measured(shop: EventShop) -> None:
    shop.put(50)
    shop.wait_for("e50")
    delay = shop.settled()["event_to_searchable_s"]
    assert delay["count"] > 0
    assert 0 < delay["p50"] <= delay["p95"]
    status = json.loads(run_indexer("status", "--json", "--data-dir", shop.data_dir).stdout)
    (events,) = status["events"]
    assert events["applied"] <= events["position"]
    assert events["event_to_searchable_s"]["count"] >= delay["count"]


def test_an_indexer_process_that_is_killed_loses_nothing(tmp_path: Path, tiny_model: str) -> None:
    with running_shop(tmp_path, tiny_model, products=4) as shop:
        killed: list[int] = []
        for round_number in range(3):
            for number in range(20):
                shop.put(100 * round_number + number)
            if round_number:
                shop.delete(f"e{100 * (round_number - 1)}")
                shop.patch(f"e{100 * (round_number - 1) + 1}", title=f"Patched {round_number}")
            pid = shop.indexer_pid()
            # not before it has begun, so that it dies in the middle
            wait_until(lambda: applied_or_begun(shop))
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            wait_until(lambda: shop.indexer_pid() not in killed)
        shop.settled()
        assert len(set(killed)) == 3
        for round_number in range(3):
            for number in range(20):
                product = shop.product(f"e{100 * round_number + number}")
                if number == 0 and round_number < 2:
                    assert product is None
                    continue
                assert product is not None
                patched = number == 1 and round_number < 2
                assert product["title"] == (
                    f"Patched {round_number + 1}" if patched else f"Event {100 * round_number + number}"
                )
                assert len(product["images"]) == 1
        runs = run_ids(shop.data_dir)
        assert sum(run["counts"]["failed"] for run in runs) == 0


def applied_or_begun(shop: EventShop) -> bool:
    """Whether the indexer process works on events: something unpublished lies in the store, or all is done."""
    log = SqliteEventLog(shop.data_dir / "events.sqlite3")
    try:
        behind = any(log.applied(alias).sequence >= log.position() for alias in aliases(shop.data_dir))
    finally:
        log.close()
    records = (shop.data_dir / "store" / "collections").glob("*/collection.json")
    return behind or any(not published(path) for path in records)


def aliases(data_dir: Path) -> list[str]:
    return [path.stem for path in (data_dir / "store" / "aliases").glob("*.json")]


def published(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text("utf-8")).get("published", False))
    except (OSError, ValueError):
        return True


def test_without_an_admin_key_there_is_no_indexer_process(tmp_path: Path, tiny_model: str) -> None:
    port = free_port()
    flags = ["--data-dir", tmp_path / "data", "--model", tiny_model, "--port", port]
    command = [sys.executable, "-m", "search_api", *map(str, flags)]
    api = subprocess.Popen(command, cwd=REPOSITORY, env=program_environment(), stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

            def answers() -> bool:
                try:
                    return client.get("/healthz").status_code == 200
                except httpx.TransportError:
                    return False

            wait_until(answers)
            assert client.get("/v1/index-status").status_code == 403
        assert indexer_processes(api.pid) == []
    finally:
        api.terminate()
        api.wait(60)


def test_the_indexer_process_ends_with_an_api_that_is_killed(tmp_path: Path, tiny_model: str) -> None:
    with running_shop(tmp_path, tiny_model, products=1) as shop:
        indexer = psutil.Process(shop.indexer_pid())
        shop.api.kill()
        shop.api.wait(60)
        wait_until(lambda: has_ended(indexer))


def test_an_indexer_process_that_cannot_work_is_started_again_more_and_more_rarely(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder", "utf-8")
    settings = load_settings({"data_dir": tmp_path / "file", "admin_key": "s3cret"}, environment={}).settings
    indexer = IndexerProcess(settings, first_pause_s=0.01)
    indexer.start()
    try:
        wait_until(lambda: len(caplog.messages) >= 3)
    finally:
        indexer.stop()
    assert indexer.pid is None
    pauses = [message.split(" in ")[-1] for message in caplog.messages[:3]]
    assert pauses == ["0.01 s", "0.02 s", "0.04 s"]
    assert all("ended with 2" in message for message in caplog.messages)
    assert "s3cret" not in caplog.text + capfd.readouterr().err


def test_a_second_indexer_process_waits_for_the_first(tmp_path: Path, tiny_model: str) -> None:
    with running_shop(tmp_path, tiny_model, products=1) as shop:
        shop.indexer_pid()
        wait_until((shop.data_dir / "follower" / "writer.lock").exists)
        command = [sys.executable, "-m", "indexer", "follow", "--data-dir", str(shop.data_dir), "--model", tiny_model]
        second = subprocess.Popen(command, cwd=REPOSITORY, env=program_environment(), stderr=subprocess.PIPE)
        assert second.stderr is not None
        with second:
            line = second.stderr.readline().decode()
            assert "another indexer process follows" in line
            assert "indexer follow" in line or "process" in line
            second.terminate()
            assert second.wait(60) == 0
        shop.put(1)
        shop.wait_for("e1")


def test_the_command_retries_failed_events(shop: EventShop, tiny_model: str) -> None:
    bad = shop.catalog.folder / "event-61.jpg"
    bad.write_bytes(b"no picture")
    shop.put(61)
    shop.settled()
    (run,) = [item for item in shop.client.get("/v1/index-runs").json()["runs"] if item["kind"] == "events"]
    bad.write_bytes(encoded(drawn_picture(61)))
    flags = ["--data-dir", str(shop.data_dir), "--model", tiny_model]
    done = run_indexer("retry", run["run_id"], *flags)
    assert (done.returncode, "1 product" in done.stdout) == (0, True), done.stderr
    shop.wait_for("e61")
    shop.settled()
    assert run_indexer("retry", run["run_id"], *flags).returncode == 2
    text = run_indexer("status", *flags).stdout
    assert "events" in text
    assert "all applied, searchable within" in text
