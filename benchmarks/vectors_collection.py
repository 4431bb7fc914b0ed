"""A made-up catalog as a real collection of the embedded store: this program's writer, payloads and payload indexes.

Filling goes on where it was interrupted: blocks that are durable are noted beside the store. Building the search index
begins anew if it is interrupted, as the engine has it.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.vectors_data import Block, MadeUpCatalog, Products
from benchmarks.vectors_memory import children_peak
from indexer.atomic_file import replace_file
from indexer.points import ImageFacts, Point, payload_of, point_id
from indexer.products import CatalogProduct
from indexer.spaces import EmbeddingSpace
from indexer.store.edge_store import EdgeStore
from indexer.store.generations import GenerationFolders
from indexer.store.port import Alias, BatchChange, CollectionWriter
from indexer.store.tuning import IndexTuning

_BATCH_POINTS = 2048
"""Eight times an index run's largest batch, as each waits for the disk to flush."""
_DESCRIPTION = (
    "Hand-washable, from a small workshop, delivered within three days. Spare parts are kept for ten years; "
    "returns are free of charge. Colours may differ a little from those on screen."
)


@dataclass(frozen=True, slots=True)
class BuildFigures:
    """What it took to make a collection; seconds of wall clock and of all cores together.

    Attributes:
        write_s, write_cpu_s: points, payloads and payload indexes, flushed batch by batch.
        optimize_s, optimize_cpu_s: graph and quantized vectors, in a process of their own.
        optimize_anonymous_bytes: most anonymous memory of that process; see ``vectors_memory``.
        disk_bytes: of the shard.
    """

    write_s: float = 0.0
    write_cpu_s: float = 0.0
    optimize_s: float = 0.0
    optimize_cpu_s: float = 0.0
    optimize_anonymous_bytes: int = 0
    disk_bytes: int = 0


def space_of(catalog: MadeUpCatalog) -> EmbeddingSpace:
    """A space of its own for every made-up catalog."""
    return EmbeddingSpace("made-up", str(catalog.seed), catalog.dim, 224, "none", "none", "none")


def alias_of(catalog: MadeUpCatalog) -> Alias:
    """Under which it is searched."""
    return Alias("products", space_of(catalog).space_id)


def build(folder: Path, catalog: MadeUpCatalog, tuning: IndexTuning) -> BuildFigures:
    """Makes the collection in a folder, or what is missing of it, and publishes it."""
    folder.mkdir(parents=True, exist_ok=True)
    progress = _Progress(folder / "progress.json")
    if progress.done:
        return progress.figures
    store = EdgeStore(folder / "store", tuning, follow_s=0)
    writer = store.writer(alias_of(catalog), space_of(catalog))
    try:
        for block in catalog.blocks(progress.pictures):
            started = _Clock()
            _write(writer, block)
            progress.wrote(block.first + len(block.vectors), started)
        started = _Clock()
        with children_peak() as peak:
            writer.publish()
        progress.published(started, peak.anonymous_bytes, _bytes_of(folder / "store"))
    finally:
        writer.close()
    store.close()
    return progress.figures


def shard_of(folder: Path, catalog: MadeUpCatalog) -> Path:
    """Folder of the shard that ``build`` published."""
    folders = GenerationFolders(folder / "store")
    return folders.shard(folders.current(alias_of(catalog)))


def point_of(block: Block, index: int) -> Point:
    """A picture of a block as the indexer would write it."""
    product, number = block.products, int(block.of[index])
    product_id = product_id_of(product, number)
    position = int(block.position[index])
    sha256 = hashlib.sha256(f"{product_id}/{position}".encode()).hexdigest()
    ref = f"https://pictures.shop.example/catalog/{product_id}/{position}-1000x1000.jpg"
    facts = ImageFacts(position, ref, "", sha256, 1000, 1000, f'"{sha256[:16]}"')
    return Point(point_id(product_id, sha256), block.vectors[index], payload_of(_product(product, number), facts))


def product_id_of(products: Products, number: int) -> str:
    """The id of a block's product."""
    return f"sku-{products.first + number:09d}"


def category_of(number: int) -> tuple[str, ...]:
    """Path of a category."""
    return ("Catalog", f"Department {number % 20}", f"Category {number}")


def brand_of(number: int) -> str:
    """Name of a brand; 0 and 1 are those with known shares, see ``vectors_data``."""
    return f"Brand {number}"


def _product(products: Products, number: int) -> CatalogProduct:
    product_id = product_id_of(products, number)
    category = int(products.category[number])
    return CatalogProduct(
        product_id=product_id,
        title=f"{brand_of(int(products.brand[number]))} model {products.group[number] % 9973} of category {category}",
        image_refs=("see the point",),
        description=_DESCRIPTION,
        link=f"https://shop.example/p/{product_id}",
        category=category_of(category),
        brand=brand_of(int(products.brand[number])),
        price_minor=int(products.price_minor[number]),
        currency="EUR",
        in_stock=bool(products.in_stock[number]),
        item_group_id=f"group-{products.group[number]:09d}",
        attributes={"color": ("red", "green", "blue", "black", "white")[number % 5], "material": "cotton"},
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _write(writer: CollectionWriter, block: Block) -> None:
    for first in range(0, len(block.vectors), _BATCH_POINTS):
        last = min(first + _BATCH_POINTS, len(block.vectors))
        writer.write(BatchChange(points=tuple(point_of(block, index) for index in range(first, last))))


class _Clock:
    """Wall and processor time since it was made, children's that ended included."""

    def __init__(self) -> None:
        self._wall_s = time.perf_counter()
        self._cpu_s = _cpu_s()

    def wall_s(self) -> float:
        return time.perf_counter() - self._wall_s

    def cpu_s(self) -> float:
        return _cpu_s() - self._cpu_s


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class _Progress:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.pictures, self.done, self.figures = 0, False, BuildFigures()
        if path.exists():
            value = json.loads(path.read_text("utf-8"))
            self.pictures, self.done = value["pictures"], value["done"]
            self.figures = BuildFigures(**value["figures"])

    def wrote(self, pictures: int, clock: _Clock) -> None:
        figures = self.figures
        self.figures = replace(
            figures, write_s=figures.write_s + clock.wall_s(), write_cpu_s=figures.write_cpu_s + clock.cpu_s()
        )
        self.pictures = pictures
        self._save()
        print(f"{datetime.now(UTC):%H:%M:%S} {pictures} pictures, {self.figures.write_s:.0f} s", flush=True)

    def published(self, clock: _Clock, anonymous_bytes: int, disk_bytes: int) -> None:
        self.figures = replace(
            self.figures,
            optimize_s=clock.wall_s(),
            optimize_cpu_s=clock.cpu_s(),
            optimize_anonymous_bytes=anonymous_bytes,
            disk_bytes=disk_bytes,
        )
        self.done = True
        self._save()
        print(f"{datetime.now(UTC):%H:%M:%S} published: {self.figures}", flush=True)

    def _save(self) -> None:
        value = {"pictures": self.pictures, "done": self.done, "figures": asdict(self.figures)}
        replace_file(self._path, json.dumps(value))


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
