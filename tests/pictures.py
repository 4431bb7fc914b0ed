"""Pictures and feeds that the tests draw for themselves."""

from __future__ import annotations

import io
import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def drawn_picture(seed: int, *, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """A picture that differs from those of other seeds in colours and shapes."""
    rng = np.random.default_rng(seed)
    colours = [tuple(int(value) for value in rng.integers(0, 256, 3)) for _ in range(4)]
    picture = Image.new("RGB", size, colours[0])
    draw = ImageDraw.Draw(picture)
    for colour in colours[1:]:
        left, top = rng.uniform(0, 0.6, 2) * size
        width, height = rng.uniform(0.2, 0.5, 2) * size
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((left, top, left + width, top + height), fill=colour)
    return picture


def encoded(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """The picture as a file's bytes."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def declared_png(width_px: int, height_px: int) -> bytes:
    """A PNG of a few bytes whose header promises so many pixels."""
    chunk = struct.pack(">4sIIBBBBB", b"IHDR", width_px, height_px, 8, 2, 0, 0, 0)
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return header + struct.pack(">I4s", 0, b"IDAT")


@dataclass(frozen=True, slots=True)
class DrawnCatalog:
    """A feed on disk with pictures beside it."""

    folder: Path
    feed: Path
    product_ids: tuple[str, ...]

    def picture(self, product: int, position: int = 0) -> Path:
        """File of a product's picture."""
        return self.folder / "images" / f"p{product}-{position}.jpg"


def draw_catalog(folder: Path, *, products: int, pictures: int = 1) -> DrawnCatalog:
    """A JSONL feed of products p0, p1, ..., each with its own drawn pictures."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(products):
        refs = [f"images/p{number}-{position}.jpg" for position in range(pictures)]
        for position, ref in enumerate(refs):
            (folder / ref).write_bytes(encoded(drawn_picture(number * 100 + position), quality=90))
        rows.append(catalog_row(number, refs))
    feed = folder / "feed.jsonl"
    write_feed(feed, rows)
    return DrawnCatalog(folder, feed, tuple(f"p{number}" for number in range(products)))


def catalog_row(number: int, refs: list[str]) -> dict[str, object]:
    """A product as a feed row."""
    return {
        "id": f"p{number}",
        "title": f"Product {number}",
        "image_link": refs[0],
        "additional_image_link": refs[1:],
        "price": f"{number + 1}.50 EUR",
        "availability": "in_stock" if number % 2 == 0 else "out_of_stock",
        "brand": "Acme",
        "product_type": "Home > Things",
    }


def write_feed(path: Path, rows: list[dict[str, object]]) -> None:
    """Rows as JSONL."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
