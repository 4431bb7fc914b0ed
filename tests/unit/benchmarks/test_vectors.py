"""The vectors benchmark: its catalog is as described, its truth is exact, and the store applies its filters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.vectors_collection import build, point_of, product_id_of, shard_of
from benchmarks.vectors_data import BLOCK, Block, MadeUpCatalog, Products
from benchmarks.vectors_exam import Exam, make
from benchmarks.vectors_memory import resident
from benchmarks.vectors_search import Request, search
from benchmarks.vectors_selections import SELECTIONS
from benchmarks.vectors_truth import Truth, exact
from indexer.points import Vectors
from indexer.store.tuning import IndexTuning

SMALL = MadeUpCatalog(3000, dim=32, seed=7)


@pytest.fixture(scope="module")
def block() -> Block:
    return MadeUpCatalog(BLOCK).block(0)


def test_the_same_seed_draws_the_same_catalog() -> None:
    first, again = MadeUpCatalog(100, dim=16).block(0), MadeUpCatalog(100, dim=16).block(0)
    assert np.array_equal(first.vectors, again.vectors)
    assert np.array_equal(first.products.price_minor, again.products.price_minor)
    assert not np.array_equal(first.vectors, MadeUpCatalog(100, dim=16, seed=2).block(0).vectors)
    queries = MadeUpCatalog(100, dim=16).photo_queries(5)
    assert np.array_equal(queries, MadeUpCatalog(100, dim=16).photo_queries(5))


def test_a_catalog_is_the_beginning_of_every_larger_one() -> None:
    small = list(MadeUpCatalog(BLOCK + 10, dim=16).blocks())
    large = list(MadeUpCatalog(2 * BLOCK + 10, dim=16).blocks())
    assert [len(item.vectors) for item in small] == [BLOCK, 10]
    assert [len(item.vectors) for item in large] == [BLOCK, BLOCK, 10]
    assert np.array_equal(small[0].vectors, large[0].vectors)
    # some processors round the last bit of ten rows in another way than that of thousands
    assert np.allclose(small[1].vectors, large[1].vectors[:10], rtol=0, atol=1e-6)
    (resumed,) = MadeUpCatalog(BLOCK + 10, dim=16).blocks(BLOCK)
    assert np.array_equal(resumed.vectors, small[1].vectors)


def test_vectors_are_unit_and_as_near_each_other_as_described(block: Block) -> None:
    vectors, products = block.vectors[:3000], block.products
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cosines = vectors @ vectors.T
    upper = np.triu(np.ones_like(cosines, dtype=bool), 1)
    product = block.of[:3000]
    group, category = products.group[product], products.category[product]
    department = category % 20
    levels = {
        0.90: np.equal.outer(product, product),
        0.84: np.equal.outer(group, group) & np.not_equal.outer(product, product),
        0.78: np.equal.outer(category, category) & np.not_equal.outer(group, group),
        0.70: np.equal.outer(department, department) & np.not_equal.outer(category, category),
        0.66: np.not_equal.outer(department, department),
    }
    for wanted, pairs in levels.items():
        assert cosines[pairs & upper].mean() == pytest.approx(wanted, abs=0.015)
    # a narrow band, and not many directions that matter: isotropic noise would spread a quarter as far
    assert 0.03 < cosines[levels[0.66] & upper].std() < 0.06


def test_products_are_as_described(block: Block) -> None:
    products = block.products
    assert products.pictures.sum() == BLOCK
    assert products.pictures[:-1].min() >= 1 and products.pictures.max() <= 8
    assert products.pictures.mean() == pytest.approx(2.5, abs=0.1)
    assert len(np.unique(products.category)) > 500
    many = [MadeUpCatalog(20 * BLOCK, dim=2).products(number) for number in range(20)]
    for share, selection in ((0.001, "0.1 %"), (0.01, "1 %"), (0.1, "10 %"), (0.5, "50 %")):
        kept = np.concatenate([SELECTIONS[selection].mask(item) for item in many])
        assert kept.mean() == pytest.approx(share, rel=0.25)


def test_no_two_pictures_have_the_same_point_or_product_number() -> None:
    catalog = MadeUpCatalog(2 * BLOCK, dim=2)
    blocks = list(catalog.blocks())
    points = {point_of(item, index).id for item in blocks for index in range(0, BLOCK, 7)}
    assert len(points) == 2 * len(range(0, BLOCK, 7))
    numbers = [
        {product_id_of(item.products, number) for number in range(len(item.products.pictures))} for item in blocks
    ]
    assert not numbers[0] & numbers[1]


def test_queries_are_not_in_the_catalog_and_near_what_they_ask_for() -> None:
    catalog = MadeUpCatalog(BLOCK)
    vectors = catalog.block(0).vectors
    photos, texts = catalog.photo_queries(50) @ vectors.T, catalog.text_queries(50) @ vectors.T
    assert photos.max() < 0.97
    assert np.median(photos.max(axis=1)) == pytest.approx(0.87, abs=0.03)
    assert np.median(texts.max(axis=1)) == pytest.approx(0.2, abs=0.05)
    assert abs(np.median(texts)) < 0.05


def in_stock(products: Products) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return products.in_stock


def test_the_truth_is_that_of_a_loop_over_all_pictures() -> None:
    queries = SMALL.photo_queries(5)
    everything, some = exact(SMALL, queries, [SELECTIONS["all"].mask, in_stock], kept=20)
    (block,) = SMALL.blocks()
    for index, query in enumerate(queries):
        for truth, mask in ((everything, None), (some, block.products.in_stock)):
            best: dict[int, float] = {}
            for picture, vector in enumerate(block.vectors):
                product = int(block.of[picture])
                if mask is None or mask[product]:
                    best[product] = max(best.get(product, -1.0), float(query @ vector))
            ranked = sorted(best.items(), key=lambda item: -item[1])[:20]
            assert list(truth.products[index]) == [product for product, _ in ranked]
            assert truth.scores[index] == pytest.approx([score for _, score in ranked], abs=1e-5)
    assert everything.pictures == 3000
    assert some.pictures == int(block.products.in_stock[block.of].sum())


def truth_of(scores: list[float]) -> Truth:
    row: Vectors = np.asarray([scores], dtype=np.float32)
    return Truth(row, np.where(np.isfinite(row), np.arange(len(scores)), -1), 10)


def test_recall_is_the_share_of_the_best_that_was_found() -> None:
    truth = truth_of([0.9, 0.8, 0.7, 0.6])
    assert truth.recall(0, [0, 1], 2) == 1
    assert truth.recall(0, [1, 2], 2) == 0.5
    assert truth.recall(0, [3], 2) == 0
    assert truth.recall(0, [], 2) == 0


def test_what_is_as_good_as_the_last_one_wanted_counts_as_found() -> None:
    truth = truth_of([0.9, 0.8, 0.8, 0.1])
    assert truth.recall(0, [0, 2], 2) == 1
    assert truth.recall(0, [1, 2], 2) == 1
    assert truth.recall(0, [0, 3], 2) == 0.5


def test_recall_where_fewer_products_exist_than_are_wanted() -> None:
    truth = truth_of([0.9, -np.inf, -np.inf])
    assert truth.recall(0, [0], 2) == 1
    assert truth.recall(0, [], 2) == 0


@pytest.mark.parametrize("quantization", ["int8", "4bit"])
def test_a_collection_is_built_searched_and_filtered(tmp_path: Path, quantization: str) -> None:
    tuning = IndexTuning(exact_below=1000, quantization=quantization)  # type: ignore[arg-type]
    figures = build(tmp_path, SMALL, tuning)
    assert figures.disk_bytes > 3000 * 32 * 4
    assert build(tmp_path, SMALL, tuning) == figures  # which is there already
    path = tmp_path / "exam.npz"
    made = make(SMALL, path)
    assert np.array_equal(Exam.load(path).queries["text"], made.queries["text"])
    requests = [Request(selection=name, count=20) for name in SELECTIONS] + [Request(count=20, exact=True)]
    session = search(shard_of(tmp_path, SMALL), path, requests)
    assert [answer.recall for answer in session.answers] == pytest.approx([1] * len(requests), abs=0.1)
    assert session.answers[-1].recall == 1
    assert session.searched.anonymous > 0


def test_an_interrupted_build_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = MadeUpCatalog(BLOCK + 500, dim=8)
    drawn: list[int] = []
    original = MadeUpCatalog.block

    def block(self: MadeUpCatalog, number: int) -> Block:
        if number == 1 and not drawn.count(1):
            drawn.append(1)
            raise KeyboardInterrupt
        drawn.append(number)
        return original(self, number)

    monkeypatch.setattr(MadeUpCatalog, "block", block)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, catalog, IndexTuning())
    build(tmp_path, catalog, IndexTuning())
    assert drawn == [0, 1, 1]
    requests = [Request(count=5, exact=True)]
    make(catalog, tmp_path / "exam.npz")
    assert search(shard_of(tmp_path, catalog), tmp_path / "exam.npz", requests).answers[0].recall == 1


def test_resident_memory_is_told_by_its_kind() -> None:
    before = resident()
    taken = np.ones(64_000_000, dtype=np.uint8)
    grown = resident().grown(before)
    assert grown.anonymous > 60_000_000
    assert grown.mapped < 10_000_000
    del taken
