"""Files behind which points stand are read where the batch is; whatever takes long is in other hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.images.decoder import InProcessDecoder
from indexer.images.limits import ImageLimits
from indexer.images.source import FetchedImage, LocalImages
from indexer.images.squares import Square
from indexer.indexing.batch import ImageOutcome, ProductBatch
from indexer.indexing.picture_preparing import PicturePreparer, PreparedPictures
from indexer.ledger.port import Stage
from indexer.points import ImageFacts, PointPayload, payload_of, point_id
from indexer.products import CatalogProduct
from tests.pictures import DrawnCatalog, draw_catalog, drawn_picture, encoded
from tests.points import made_up_product

PRODUCTS = 40


class CountedThreads(ThreadPoolExecutor):
    """Threads that count what they are given."""

    given = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given += 1
        return super().submit(fn, *args, **kwargs)


class Disk(LocalImages):
    """Real files, each of which takes so long by a clock of its own: how busy the machine is plays no part."""

    def __init__(self, takes_s: float) -> None:
        super().__init__(ImageLimits())
        self.now_s = 0.0
        self._takes_s = takes_s

    def fetch(self, image_ref: str, image_root: str) -> FetchedImage:
        self.now_s += self._takes_s
        return super().fetch(image_ref, image_root)


class Shop:
    """A feed's pictures, and the points that stand for them once they were indexed."""

    def __init__(self, catalog: DrawnCatalog, threads: CountedThreads) -> None:
        self.catalog = catalog
        self.threads = threads
        self.payloads: dict[Any, PointPayload] = {}
        self.products = tuple(
            replace(made_up_product(product_id), image_refs=(f"images/{product_id}-0.jpg",))
            for product_id in catalog.product_ids
        )

    def prepare(self, file_takes_s: float = 0.0001) -> PreparedPictures:
        disk = Disk(file_takes_s)
        square, decoder = Square(32, "squash", "bicubic"), InProcessDecoder(ImageLimits())
        preparer = PicturePreparer(square, disk, decoder, self.threads, downloads=4, clock=lambda: disk.now_s)
        self.threads.given = 0
        return preparer.prepare(ProductBatch(0, self.products, (), str(self.catalog.folder)), self.payloads)

    def index(self) -> None:
        prepared = self.prepare()
        for product, (outcome,) in zip(self.products, prepared.outcomes, strict=True):
            self.payloads[point_id(product.product_id, outcome.sha256, "")] = payload_at(product, outcome)


def payload_at(product: CatalogProduct, outcome: ImageOutcome) -> PointPayload:
    facts = ImageFacts(outcome.position, outcome.ref, outcome.root, outcome.sha256, *outcome.size_px)
    return payload_of(product, facts)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with CountedThreads(8) as threads:
        yield Shop(draw_catalog(tmp_path / "shop", products=PRODUCTS), threads)


def test_new_pictures_are_decoded_in_threads(shop: Shop) -> None:
    prepared = shop.prepare()
    assert shop.threads.given == PRODUCTS
    assert {outcome.sha256 for (outcome,) in prepared.outcomes} == set(prepared.pixels)
    assert all(pixels.shape == (32, 32, 3) for pixels in prepared.pixels.values())


def test_files_that_are_what_they_were_are_read_where_the_batch_is(shop: Shop) -> None:
    shop.index()
    prepared = shop.prepare()
    assert shop.threads.given == 0
    assert not prepared.pixels
    assert all(outcome.is_known and outcome.size_px == (96, 80) for (outcome,) in prepared.outcomes)


def test_a_file_with_other_bytes_and_one_that_is_gone_are_told_apart_from_the_rest(shop: Shop) -> None:
    shop.index()
    shop.catalog.picture(3).write_bytes(encoded(drawn_picture(4711)))
    shop.catalog.picture(5).unlink()
    prepared = shop.prepare()
    outcomes = [outcome for (outcome,) in prepared.outcomes]
    assert shop.threads.given == 1
    assert [outcome.is_known for outcome in outcomes] == [number not in {3, 5} for number in range(PRODUCTS)]
    assert list(prepared.pixels) == [outcomes[3].sha256]
    assert (outcomes[5].error is not None, outcomes[5].stage) == (True, Stage.FETCH)


def test_a_new_file_among_known_ones_is_in_other_hands(shop: Shop) -> None:
    shop.index()
    last = next(identity for identity, item in shop.payloads.items() if item.product_id == shop.products[-1].product_id)
    del shop.payloads[last]
    prepared = shop.prepare()
    assert (len(prepared.pixels), shop.threads.given) == (1, 1)
    assert [outcome.is_known for (outcome,) in prepared.outcomes] == [True] * (PRODUCTS - 1) + [False]


def test_files_of_a_slow_disk_are_read_several_at_once(shop: Shop) -> None:
    shop.index()
    prepared = shop.prepare(file_takes_s=0.005)
    assert shop.threads.given > PRODUCTS * 0.8  # the first few tell that it is slow
    assert all(outcome.is_known for (outcome,) in prepared.outcomes)
