"""Pictures and texts that agreement is measured on, and that int8 takes its value ranges from."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from indexer.atomic_file import replacing
from indexer.catalog import open_feed
from indexer.embedding.port import Pixels
from indexer.errors import FeedError, ImageError
from indexer.images.decoder import Decoder
from indexer.images.source import ImageSource
from indexer.images.squares import Square
from indexer.products import CatalogProduct

MEASURED = 300
CALIBRATED = 128
MIN_MEASURED = 50
MIN_CALIBRATED = 32
_MAX_TEXTS = 150
_DRAWN = 64
_DRAWN_PX = 128
_DRAWN_SEED = 7
_FETCHED_AT_ONCE = 32

QUERY_TEXTS = (
    "red mug",
    "a photo of a black teapot with white dots",
    "blue leather bag",
    "wooden chair",
    "running shoes for men",
    "summer dress with flowers",
    "toy car",
    "warm winter jacket",
    "красная кружка",
    "хочу купить чёрный чайник с точками",
    "синяя кожаная сумка",
    "деревянный стул",
    "зимняя куртка",
    "платье в цветочек",
    "红色的马克杯",
    "蓝色皮包",
    "木椅",
    "连衣裙",
    "cốc màu đỏ",
    "túi da màu xanh",
    "ghế gỗ",
    "roter Becher",
    "sac en cuir bleu",
    "taza roja",
)
"""What shoppers type, in some languages; beside the titles of the catalog's products."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is measured on.

    Attributes:
        measured: pictures that agreement is measured on, uint8 (N, S, S, 3).
        calibration: other ones, that int8 takes its value ranges from, uint8 (C, S, S, 3).
        texts: that agreement is measured on.
        source: in words.
        is_catalog: whether the pictures are the shop's own.
    """

    measured: Pixels
    calibration: Pixels
    texts: tuple[str, ...]
    source: str
    is_catalog: bool

    @property
    def fits_int8(self) -> str:
        """Why int8 cannot be made of it; empty if it can."""
        if not self.is_catalog:
            return "int8 takes its value ranges from the catalog's own pictures, and there are none: name a feed"
        if len(self.calibration) < MIN_CALIBRATED or len(self.measured) < MIN_MEASURED:
            needed = MIN_CALIBRATED + MIN_MEASURED
            return f"int8 needs {needed} different pictures, here are {len(self.calibration) + len(self.measured)}"
        return ""

    def save(self, path: Path) -> None:
        """Replaces a file atomically.

        Raises:
            OSError: it cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            np.savez_compressed(
                file,
                measured=self.measured,
                calibration=self.calibration,
                texts=np.array(self.texts, dtype=np.str_),
                source=np.array(self.source),
                is_catalog=np.array(self.is_catalog),
            )

    @classmethod
    def load(cls, path: Path) -> Sample:
        """What ``save`` wrote.

        Raises:
            OSError, ValueError, KeyError: there is none, or it is damaged.
        """
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            return cls(
                stored["measured"],
                stored["calibration"],
                tuple(str(text) for text in stored["texts"]),
                str(stored["source"]),
                bool(stored["is_catalog"]),
            )


@dataclass(frozen=True, slots=True)
class Preparation:
    """How pictures become ready for the model.

    Attributes:
        source: of their bytes.
        decoder: of pictures.
        square: what the model takes.
    """

    source: ImageSource
    decoder: Decoder
    square: Square


def catalog_sample(feed: Path, how: Preparation, *, pictures: int = MEASURED, default_currency: str = "") -> Sample:
    """Pictures and titles of products drawn at random, always the same ones, from a whole feed.

    Args:
        feed: the file.
        how: pictures become ready.
        pictures: how many to measure on; some more are for calibration.
        default_currency: see ``open_feed``.

    Raises:
        FeedError: the feed cannot be read.
    """
    wanted = pictures + CALIBRATED
    # some pictures will not be had, or be the same
    products = _drawn_products(feed, wanted + wanted // 4, default_currency)
    # of a title without a letter or digit a tokenizer may keep nothing
    titles = [item.title for item in products if any(character.isalnum() for character in item.title)]
    texts = list(dict.fromkeys([*QUERY_TEXTS, *titles]))[:_MAX_TEXTS]
    ready = list(_different(products, how, str(feed.parent.resolve()), wanted))
    # a small catalog keeps two thirds of its pictures for the measuring
    share = min(CALIBRATED, max(len(ready) // 3, len(ready) - pictures))
    stacked = _stacked(ready, how.square.size_px)
    return Sample(stacked[share:], stacked[:share], tuple(texts), f"the feed {feed.name}", is_catalog=True)


def drawn_sample(prepare: Callable[[Image.Image], Pixels], size_px: int) -> Sample:
    """Pictures of made-up products, for where no catalog is at hand."""
    from indexer.demo.assortment import assortment
    from indexer.demo.photographs import shop_photo

    articles = assortment(_DRAWN, _DRAWN_SEED)
    ready = [prepare(shop_photo(item.look, 0, _DRAWN_PX, number)) for number, item in enumerate(articles)]
    nothing = np.zeros((0, size_px, size_px, 3), dtype=np.uint8)
    return Sample(_stacked(ready, size_px), nothing, QUERY_TEXTS, "made-up products", is_catalog=False)


def _drawn_products(path: Path, count: int, default_currency: str) -> list[CatalogProduct]:
    """A reservoir: each product of the feed has the same chance, however long it is."""
    rng = np.random.default_rng(_DRAWN_SEED)
    drawn: list[CatalogProduct] = []
    seen = 0
    try:
        for entry in open_feed(path, default_currency=default_currency):
            if not isinstance(entry, CatalogProduct):
                continue
            seen += 1
            if len(drawn) < count:
                drawn.append(entry)
            elif (place := int(rng.integers(seen))) < count:
                drawn[place] = entry
    except FeedError:
        # what could be read before a feed breaks off will do
        if not drawn:
            raise
    return [drawn[place] for place in rng.permutation(len(drawn))]


def _different(products: Sequence[CatalogProduct], how: Preparation, root: str, wanted: int) -> Iterator[Pixels]:
    """At most ``wanted`` different pictures: the first ones of the products, then the second ones, and so on."""
    depth = max((len(product.image_refs) for product in products), default=0)
    refs = [item.image_refs[place] for place in range(depth) for item in products if place < len(item.image_refs)]
    seen: set[str] = set()

    def ready(ref: str) -> tuple[str, Pixels] | None:
        try:
            fetched = how.source.fetch(ref, root)
            return fetched.sha256, how.decoder.square(fetched.data, how.square).pixels
        except ImageError:
            return None

    with ThreadPoolExecutor(4, thread_name_prefix="sample") as threads:
        for start in range(0, len(refs), _FETCHED_AT_ONCE):
            for item in threads.map(ready, refs[start : start + _FETCHED_AT_ONCE]):
                if item is None or item[0] in seen:
                    continue
                seen.add(item[0])
                yield item[1]
                if len(seen) >= wanted:
                    return


def _stacked(ready: Sequence[Pixels], size_px: int) -> Pixels:
    return np.stack(list(ready)) if ready else np.zeros((0, size_px, size_px, 3), dtype=np.uint8)
