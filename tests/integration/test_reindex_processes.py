"""Reindexes as processes: killed anywhere they are gone on with; an API that is searched meanwhile notices nothing."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from indexer.events.sqlite import SqliteEventLog
from indexer.store.edge_store import EdgeStore
from indexer.store.port import Alias
from indexer.store.tuning import IndexTuning
from tests.events import patch
from tests.forked import ForkedProgram
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, write_feed
from tests.processes import program_environment, run_indexer, run_program, running_api

PRODUCTS = 60
_TIMEOUT_S = 120
LATER_S = 3600.0


@pytest.fixture
def catalog(tmp_path: Path) -> DrawnCatalog:
    return draw_catalog(tmp_path / "catalog", products=PRODUCTS)


@pytest.fixture
def flags(tmp_path: Path, tiny_model: str) -> list[str]:
    return ["--model", tiny_model, "--batch-products", "4", "--data-dir", str(tmp_path / "data")]


@pytest.fixture
def indexed(catalog: DrawnCatalog, flags: list[str]) -> DrawnCatalog:
    """The catalog, indexed, and then offered at another price."""
    done = run_indexer("index", catalog.feed, *flags)
    assert done.returncode == 0, done.stderr
    rows = [catalog_row(number, [f"images/p{number}-0.jpg"]) | {"price": "77.00 EUR"} for number in range(PRODUCTS)]
    write_feed(catalog.feed, rows)
    return catalog


def serving(data_dir: Path) -> tuple[str, str, set[int | None]]:
    """Collection behind the alias, the one before it, and the prices of all products that are served."""
    (name,) = [path.stem for path in (data_dir / "store" / "aliases").glob("*.json")]
    store = EdgeStore(data_dir / "store", IndexTuning(), follow_s=0)
    alias = Alias(*name.split("--"))
    reader = store.reader(alias)
    points = reader.product_points([f"p{number}" for number in range(PRODUCTS)])
    assert len(points) == PRODUCTS == reader.status().points
    reader.close()
    prices = {point.payload.price_minor for of_product in points.values() for point in of_product}
    return store.current(alias), store.previous(alias), prices


def reindexes(flags: list[str]) -> list[dict[str, Any]]:
    done = run_indexer("status", "--json", *flags)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["reindexes"]
    return found


def finished_batches(data_dir: Path) -> int:
    """Batches of unfinished runs, read from the ledger while its process writes."""
    try:
        with sqlite3.connect(f"file:{data_dir / 'ledger.sqlite3'}?mode=ro", uri=True) as db:
            query = "SELECT COUNT(*) FROM batches JOIN runs USING (run_id) WHERE state = 'running'"
            count: int = db.execute(query).fetchone()[0]
        db.close()
    except sqlite3.OperationalError:
        return 0
    return count


def test_killed_in_the_filling_it_goes_on(tmp_path: Path, indexed: DrawnCatalog, flags: list[str]) -> None:
    old, _, before = serving(tmp_path / "data")
    for batches in (1, 6, 11):
        process = ForkedProgram("indexer", ["reindex", indexed.feed, *flags], program_environment())
        deadline_s = time.monotonic() + _TIMEOUT_S
        while process.poll() is None and finished_batches(tmp_path / "data") < batches:
            assert time.monotonic() < deadline_s
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert serving(tmp_path / "data") == (old, "", before)
    (begun,) = reindexes(flags)
    final = run_indexer("reindex", indexed.feed, *flags)
    assert final.returncode == 0, final.stderr
    assert "serves now" in final.stdout
    (done,) = reindexes(flags)
    assert (done["reindex_id"], done["target"], done["state"]) == (begun["reindex_id"], begun["target"], "promoted")
    assert serving(tmp_path / "data") == (done["target"], old, {7700})
    assert "0 embedded" in final.stdout  # it was copied all along


@pytest.mark.parametrize(
    ("module", "name", "moment", "switched"),
    [
        ("indexer.reindex.verify", "Verification.run", "before", False),
        ("indexer.reindex.verify", "Verification.run", "after", False),
        ("indexer.store.generations", "GenerationFolders.promote", "before", False),
        ("indexer.store.generations", "GenerationFolders.mark_published", "before", True),
        ("indexer.store.generations", "GenerationFolders.promote", "after", True),
    ],
)
def test_killed_around_the_promotion_it_is_whole_and_goes_on(
    tmp_path: Path, indexed: DrawnCatalog, flags: list[str], module: str, name: str, moment: str, switched: bool
) -> None:
    old, _, before = serving(tmp_path / "data")
    killed = run_program("tests.killed_at", [module, name, moment, "reindex", indexed.feed, *flags])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    now, previous, prices = serving(tmp_path / "data")
    (begun,) = reindexes(flags)
    assert (now, previous, prices) == ((begun["target"], old, {7700}) if switched else (old, "", before))
    final = run_indexer("reindex", indexed.feed, *flags)
    assert final.returncode == 0, final.stderr
    (done,) = reindexes(flags)
    assert (done["reindex_id"], done["state"]) == (begun["reindex_id"], "promoted")
    assert serving(tmp_path / "data") == (begun["target"], old, {7700})
    # and nothing of it stands in the way of what comes next
    back = run_indexer("rollback", *flags)
    assert back.returncode == 0, back.stderr
    assert serving(tmp_path / "data") == (old, begun["target"], before)
    assert run_indexer("index", indexed.feed, *flags).returncode == 0
    assert serving(tmp_path / "data")[2] == {7700}


@pytest.mark.parametrize(
    ("module", "name", "moment", "switched"),
    [
        ("indexer.store.generations", "GenerationFolders.promote", "before", False),
        ("indexer.store.generations", "GenerationFolders.promote", "after", True),
        ("indexer.reindex.catch_up", "EventCatchUp.settle", "before", True),
    ],
)
def test_a_rollback_killed_anywhere_is_finished_by_the_next_one(
    tmp_path: Path, indexed: DrawnCatalog, flags: list[str], module: str, name: str, moment: str, switched: bool
) -> None:
    old, _, _ = serving(tmp_path / "data")
    done = run_indexer("reindex", indexed.feed, *flags)
    assert done.returncode == 0, done.stderr
    new, _, _ = serving(tmp_path / "data")
    log = SqliteEventLog(tmp_path / "data" / "events.sqlite3")
    log.append([patch(f"p{number}", LATER_S, price_minor=42) for number in range(PRODUCTS)])
    log.close()
    killed = run_program("tests.killed_at", [module, name, moment, "rollback", *flags])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (begun,) = reindexes(flags)
    assert f"A rollback to {old} began" in begun["reason"]
    assert serving(tmp_path / "data")[1] == (new if switched else old)
    back = run_indexer("rollback", *flags)
    assert back.returncode == 0, back.stderr
    assert f"instead of {new}" in back.stdout
    now, previous, prices = serving(tmp_path / "data")
    assert (now > new, previous, prices) == (True, new, {42})  # a generation with the events, on top of the old one
    (ended,) = reindexes(flags)
    assert (ended["state"], ended["reason"]) == ("rolled back", "")
    forward = run_indexer("rollback", *flags)
    assert forward.returncode == 0, forward.stderr
    assert serving(tmp_path / "data")[2] == {42}
    assert reindexes(flags)[0]["state"] == "promoted"


def test_an_api_that_is_searched_notices_nothing(tmp_path: Path, indexed: DrawnCatalog, flags: list[str]) -> None:
    answers: list[tuple[int, int, str, frozenset[int]]] = []
    stop = threading.Event()

    def search(url: str) -> None:
        body = json.dumps({"text": "a red mug", "limit": 5}).encode()
        headers = {"Content-Type": "application/json"}
        while not stop.is_set():
            request = urllib.request.Request(f"{url}/v1/search/text", body, headers)  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                    value = json.load(answer)
                hits = value["hits"]
                prices = frozenset(hit["price_minor"] for hit in hits)
                answers.append((answer.status, len(hits), value["collection"], prices))
            except OSError as error:
                answers.append((0, 0, str(error), frozenset()))

    api_flags = [flag for flag in flags if flag not in {"--data-dir", str(tmp_path / "data")}]
    api_flags += ["--address-requests-per-s", "0"]  # one who asks without a break is more than one shopper
    with running_api(tmp_path / "data", *api_flags) as api:
        searcher = threading.Thread(target=search, args=(api.url,))
        searcher.start()
        try:
            for command in (["reindex", indexed.feed], ["rollback"], ["rollback"], ["prune"]):
                done = run_indexer(*command, *flags)
                assert done.returncode == 0, done.stderr
                time.sleep(1.0)
        finally:
            stop.set()
            searcher.join()
    assert [answer for answer in answers if answer[:2] != (200, 5)] == []
    by_collection: dict[str, set[int]] = {}
    for _, _, collection, prices in answers:
        by_collection.setdefault(collection, set()).update(prices)
    assert len(by_collection) == 2
    # no answer was mixed
    assert by_collection[max(by_collection)] == {7700}
    assert 7700 not in by_collection[min(by_collection)]


def test_the_commands_say_what_they_did(tmp_path: Path, indexed: DrawnCatalog, flags: list[str]) -> None:
    old, _, _ = serving(tmp_path / "data")
    waiting = run_indexer("reindex", indexed.feed, "--promote", "manual", *flags)
    assert waiting.returncode == 0, waiting.stderr
    assert "is verified and waits: python -m indexer promote" in waiting.stdout
    assert "recall@10" in waiting.stdout
    assert "0 embedded" in waiting.stdout
    assert serving(tmp_path / "data")[0] == old
    promoted = run_indexer("promote", *flags)
    assert (promoted.returncode, "serves now" in promoted.stdout) == (0, True), promoted.stderr
    again = run_indexer("promote", *flags)
    assert (again.returncode, "No verified reindex" in again.stderr) == (2, True)
    assert "There is nothing to delete" in run_indexer("prune", *flags).stdout
    write_feed(indexed.feed, [catalog_row(number, [f"images/p{number}-0.jpg"]) for number in range(5)])
    refused = run_indexer("reindex", indexed.feed, *flags)
    assert refused.returncode == 1
    assert "Not promoted, and nothing else changed: Not fit to serve: size is 0.083" in refused.stdout
    status = run_indexer("status", *flags).stdout
    assert [word for word in ("promoted", "failed", "Not fit to serve") if word not in status] == []
    back = run_indexer("rollback", *flags)
    assert f"{old} serves again" in back.stdout
    named = run_indexer("promote", old, *flags)
    assert (named.returncode, f"{old} serves as" in named.stdout) == (0, True), named.stderr
    missing = run_indexer("promote", f"{old}9", *flags)
    assert (missing.returncode, "There is no collection" in missing.stderr) == (2, True)
    golden = tmp_path / "catalog" / "golden.jsonl"
    write_feed(golden, [{"image": "images/p1-0.jpg", "relevant": ["p1"]}])
    write_feed(indexed.feed, [catalog_row(number, [f"images/p{number}-0.jpg"]) for number in range(PRODUCTS)])
    compared = run_indexer("reindex", indexed.feed, "--golden", golden, *flags)
    assert compared.returncode == 0, compared.stderr
    assert "nDCG@10 1.000 over 1 queries, 1.000 now" in compared.stdout
