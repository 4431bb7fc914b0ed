"""The checks by search, on shards with a real graph: a bad one is found out, a good one is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.embedding.port import Embedder
from indexer.images.decoder import InProcessDecoder
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.limits import ImageLimits
from indexer.images.source import ImagesByReference, LocalImages
from indexer.indexing.pipeline import IndexPipeline
from indexer.ledger.port import Counts
from indexer.ledger.reindexes import ReindexCheck
from indexer.reindex.limits import VerifyLimits
from indexer.reindex.verify import Filled, Verification, sampled
from indexer.store.edge_store import EdgeStore
from indexer.store.port import Alias, BatchChange
from indexer.store.tuning import IndexTuning
from tests.points import made_up_point, made_up_space

SPACE = made_up_space()
ALIAS = Alias("products", SPACE.space_id)
POINTS = 3000
LIMITS = ImageLimits()


def checked(folder: Path, tuning: IndexTuning, embedder: Embedder) -> dict[str, ReindexCheck]:
    """Checks of a collection whose pictures cannot be had any more."""
    store = EdgeStore(folder, tuning, follow_s=0)
    target = store.target(ALIAS, SPACE)
    points = [made_up_point(f"p{number}", 0, seed=number) for number in range(POINTS)]
    target.write(BatchChange(points=tuple(points)))
    ids = sampled(target.product_ids(), 50)
    target.publish()
    target.close()
    reader = store.collection_reader(target.collection)
    assert reader.status().indexed_points == POINTS
    reader.close()
    remote = RemoteImages(LIMITS, DownloadLimits(timeout_s=2))
    source = ImagesByReference(LocalImages(LIMITS), remote)
    with IndexPipeline(embedder, source, InProcessDecoder(LIMITS), image_threads=2) as pipeline:
        verification = Verification(store, pipeline, embedder, VerifyLimits())
        counts = Counts(rows=POINTS, products=POINTS, images=POINTS, embedded=POINTS)
        checks = verification.run(Filled(target.collection, ids, counts, 0))
    remote.close()
    store.close()
    return {check.name: check for check in checks}


def test_a_good_graph_passes(tmp_path: Path, tiny_embedder: Embedder) -> None:
    checks = checked(tmp_path / "store", IndexTuning(exact_below=100), tiny_embedder)
    assert all(check.passed for check in checks.values()), checks
    assert "50 of 50 sampled pictures find themselves, 0 of them embedded anew" in checks["self-match@1"].detail


def test_a_bad_graph_is_found_out(tmp_path: Path, tiny_embedder: Embedder) -> None:
    bad = IndexTuning(exact_below=100, hnsw_m=4, hnsw_ef_construct=4, hnsw_ef=1, oversampling=1.0)
    checks = checked(tmp_path / "store", bad, tiny_embedder)
    assert checks["recall@10"].value < 0.95
    assert not checks["recall@10"].passed
    assert checks["points"].passed


@pytest.mark.parametrize(("size", "ids"), [(2, ["a", "b"]), (9, ["a", "b", "c"]), (0, [])])
def test_samples_are_different_products(size: int, ids: list[str]) -> None:
    assert sampled(iter(["a", "a", "b", "a", "c"]), size) == ids
