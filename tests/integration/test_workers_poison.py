"""A picture that kills every worker that decodes it: found, put aside, and its neighbours are indexed."""

from __future__ import annotations

from pathlib import Path

from indexer.embedding.port import Embedder
from indexer.ledger.port import RunState, Stage
from tests.fleet import running_fleet
from tests.pictures import draw_catalog
from tests.poisoned_worker import POISON


def test_poison_is_isolated_and_its_neighbours_are_indexed(
    tmp_path: Path, tiny_model: str, tiny_embedder: Embedder, redis_url: str, qdrant_url: str, qdrant_catalog: str
) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=40)
    poison = catalog.picture(21)
    poison.write_bytes(poison.read_bytes() + POISON)
    with running_fleet(
        tmp_path / "fleet", tiny_model, qdrant_catalog, redis_url=redis_url, qdrant_url=qdrant_url, batch_products="4"
    ) as fleet:
        for _ in range(2):
            fleet.start_worker(module="tests.poisoned_worker")
        done = fleet.run_indexer("index", catalog.feed)
        assert done.returncode == 3, done.stderr + fleet.logs()
        # once beside others, twice alone, then its half and at last the one product, again twice; a worker that seems
        # lost because the machine is busy may add to it
        assert 6 <= fleet.logs().count("died of poison") <= 9
        record = fleet.latest_run()
        assert record is not None
        assert (record.state, record.counts.products, record.counts.failed) == (RunState.FINISHED, 40, 1)
        # a neighbour may have been written and not yet recorded when the process died
        assert record.counts.embedded + record.counts.reused == 39
        with fleet.opened() as opened:
            (failure,) = opened.ledger.failures(record.run_id)
        assert (failure.product_id, failure.code, failure.stage) == ("p21", "worker_lost", Stage.WORK)
        with fleet.reader(tiny_embedder.space.space_id) as reader:
            assert reader.status().points == 39
            points = reader.product_points(list(catalog.product_ids))
        assert set(catalog.product_ids) - set(points) == {"p21"}
