"""JPEG files of the size that shops use: a longer side of 1000 px."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

from tests.pictures import catalog_row, drawn_picture, write_feed

SIDE_PX = 1000
QUALITY = 88
_LUMA = Path("luma/images")


@dataclass(frozen=True, slots=True)
class ShopCatalog:
    """A feed on disk, each product with one picture.

    Attributes:
        folder: of the feed and its ``images``.
        products: how many.
        pictures: what they are, for a row's note.
    """

    folder: Path
    products: int
    pictures: str

    @property
    def feed(self) -> Path:
        """The feed's file."""
        return self.folder / "feed.jsonl"

    @property
    def files(self) -> list[Path]:
        """The pictures, in the feed's order."""
        return [self.folder / _ref(number) for number in range(self.products)]

    def price(self, more: int) -> None:
        """Writes the feed anew with each price higher by so much."""
        rows = [
            catalog_row(number, [_ref(number)]) | {"price": f"{number + 1 + more}.00 EUR"}
            for number in range(self.products)
        ]
        write_feed(self.feed, rows)


def write_catalog(folder: Path, products: int) -> ShopCatalog:
    """Studio photos of the shared data where there are any, else drawn pictures with noise.

    No two files are the same: photos that come round again are mirrored or turned a little brighter.
    """
    (folder / "images").mkdir(parents=True)
    photos = _photos()
    source = _scaled(photos) if photos else _drawn()
    total_bytes = 0
    for number, picture in enumerate(islice(source, products)):
        total_bytes += (folder / _ref(number)).write_bytes(jpeg(picture))
    kind = f"{min(len(photos), products)} studio photos (luma)" if photos else "drawn pictures with noise"
    size = f"longer side {SIDE_PX} px, JPEG quality {QUALITY}, {total_bytes // products // 1000} kB on average"
    catalog = ShopCatalog(folder, products, f"{kind}, {size}")
    catalog.price(0)
    return catalog


def jpeg(picture: Image.Image) -> bytes:
    """As a file's bytes."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def scaled(picture: Image.Image) -> Image.Image:
    """The picture with a longer side of ``SIDE_PX``."""
    factor = SIDE_PX / max(picture.size)
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.Resampling.LANCZOS)


def _photos() -> list[Path]:
    shared = Path(os.environ.get("VITRINE_SHARED_DATA", "../shared/data"))
    return sorted((shared / _LUMA).rglob("*.jpg"))


def _scaled(photos: list[Path]) -> Iterator[Image.Image]:
    for number, file in enumerate(cycle(photos)):
        picture = scaled(Image.open(file).convert("RGB"))
        turn = number // len(photos)
        if turn % 2:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        yield picture.point(lambda value, more=turn // 2: min(255, value + more))


def _drawn() -> Iterator[Image.Image]:
    noise = np.random.default_rng(1).normal(0, 6, (800, SIDE_PX, 1))
    number = 0
    while True:
        picture = np.asarray(drawn_picture(number, size=(SIDE_PX, 800)), dtype=np.float64)
        yield Image.fromarray((picture + noise).clip(0, 255).astype(np.uint8))
        number += 1


def _ref(number: int) -> str:
    return f"images/p{number}-0.jpg"
