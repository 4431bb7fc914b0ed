"""kill -9 in the middle of ``python -m indexer index``: what was acknowledged is there, what serves is whole."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from indexer.store.edge_store import EdgeStore
from indexer.store.port import Alias, CollectionReader
from indexer.store.tuning import IndexTuning
from tests.forked import ForkedProgram
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, drawn_picture, encoded, write_feed
from tests.processes import program_environment, run_ids, run_indexer

PRODUCTS = 150
_TIMEOUT_S = 120


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> DrawnCatalog:
    return draw_catalog(tmp_path_factory.mktemp("shop") / "catalog", products=PRODUCTS, pictures=2)


def finished_batches(data_dir: Path) -> int:
    """Batches of the unfinished run, read from the ledger while its process writes."""
    path = data_dir / "ledger.sqlite3"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            query = "SELECT COUNT(*) FROM batches JOIN runs USING (run_id) WHERE state = 'running'"
            count: int = db.execute(query).fetchone()[0]
        db.close()
    except sqlite3.OperationalError:
        return 0
    return count


def kill_after(batches: int, data_dir: Path, catalog: DrawnCatalog, flags: list[str]) -> int:
    """Starts an index run and kills it when that many batches are done; returns how many were."""
    process = ForkedProgram("indexer", ["index", catalog.feed, "--data-dir", data_dir, *flags], program_environment())
    deadline_s = time.monotonic() + _TIMEOUT_S
    while process.poll() is None and finished_batches(data_dir) < batches:
        assert time.monotonic() < deadline_s
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return finished_batches(data_dir)


def reader_of(data_dir: Path) -> CollectionReader:
    store = EdgeStore(data_dir / "store", IndexTuning(), follow_s=0)
    (alias,) = GenerationAliases.of(data_dir)
    return store.reader(alias)


class GenerationAliases:
    """Aliases as they stand in the store's folder."""

    @staticmethod
    def of(data_dir: Path) -> list[Alias]:
        names = [path.stem for path in (data_dir / "store" / "aliases").glob("*.json")]
        return [Alias(*name.split("--")) for name in names]


def test_the_same_command_finishes_with_exact_counts(tmp_path: Path, catalog: DrawnCatalog, tiny_model: str) -> None:
    flags = ["--model", tiny_model, "--batch-products", "4"]
    done = [kill_after(batches, tmp_path, catalog, flags) for batches in (1, 20, 45)]
    assert 0 < done[0] <= done[1] <= done[2]
    assert GenerationAliases.of(tmp_path) == []  # nothing half done is served
    final = run_indexer("index", catalog.feed, "--data-dir", tmp_path, *flags)
    assert final.returncode == 0, final.stderr
    runs = run_ids(tmp_path)
    assert [run["state"] for run in runs] == ["finished"]  # it was one run all along
    counts = runs[0]["counts"]
    assert (counts["products"], counts["images"], counts["failed"]) == (PRODUCTS, 2 * PRODUCTS, 0)
    # a batch in flight at a kill may find points that it had written itself; none is there twice, none is missing
    assert counts["embedded"] + counts["reused"] == 2 * PRODUCTS
    reader = reader_of(tmp_path)
    assert reader.status().points == 2 * PRODUCTS
    points = reader.product_points(list(catalog.product_ids))
    assert {len(points[product_id]) for product_id in catalog.product_ids} == {2}


def test_what_serves_stays_whole_and_what_was_acknowledged_is_kept(
    tmp_path: Path, catalog: DrawnCatalog, tiny_model: str
) -> None:
    flags = ["--model", tiny_model, "--batch-products", "4"]
    assert run_indexer("index", catalog.feed, "--data-dir", tmp_path, *flags).returncode == 0
    before = dict(reader_of(tmp_path).product_points(list(catalog.product_ids)))
    for number in range(PRODUCTS):
        (catalog.folder / "images" / f"new-{number}.jpg").write_bytes(encoded(drawn_picture(70_000 + number)))
    write_feed(catalog.feed, [catalog_row(number, [f"images/new-{number}.jpg"]) for number in range(PRODUCTS)])
    done = kill_after(15, tmp_path, catalog, flags)
    assert done >= 15
    # the generation that serves is the old one, whole
    assert reader_of(tmp_path).product_points(list(catalog.product_ids)) == before
    # another feed takes up what the killed run had acknowledged: its batches are not embedded again
    other = catalog.folder / "other.jsonl"
    write_feed(other, [catalog_row(number, [f"images/new-{number}.jpg"]) for number in range(PRODUCTS)])
    final = run_indexer("index", other, "--data-dir", tmp_path, "--full", *flags)
    assert final.returncode == 0, final.stderr
    counts = run_ids(tmp_path)[0]["counts"]
    assert counts["reused"] >= 4 * done
    after = reader_of(tmp_path).product_points(list(catalog.product_ids))
    assert {product_id: len(points) for product_id, points in after.items()} == dict.fromkeys(catalog.product_ids, 1)
    assert reader_of(tmp_path).status().points == PRODUCTS
