"""Filters, facets, counts and orders over a made-up catalog: ``python -m benchmarks.facets --size 50000``.

The collection is built by this program's own writer, with its payload indexes, and asked through its own reader. It
stays in ``--folder`` and is used again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.vectors_collection import alias_of, brand_of, build
from benchmarks.vectors_data import DIM, MadeUpCatalog
from indexer.store.edge_store import EdgeStore
from indexer.store.filters import AnyOf, Filter, Range
from indexer.store.port import CollectionReader
from indexer.store.queries import FacetQuery, NearestQuery, OrderedAfter, OrderedQuery
from indexer.store.tuning import IndexTuning

_RESULTS = Path(__file__).parent / "results"
_ONE_PERCENT = AnyOf("brand", (brand_of(1),))
_HALF = AnyOf("in_stock", (True,))
_TENTH = Range("price_minor", lt=10_000)
_SECONDS = 2.0
"""Longest for one row."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A question and what it took; ``count`` times asked, milliseconds."""

    name: str
    p50_ms: float
    p95_ms: float
    count: int


def main() -> None:
    """Prints the table, and writes it below ``benchmarks/results``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=50_000, help="pictures")
    parser.add_argument("--folder", type=Path, default=Path(".bench/facets"), help="where collections are kept")
    parser.add_argument("--build-only", action="store_true", help="make the collection, measure another time")
    arguments = parser.parse_args()
    catalog = MadeUpCatalog(arguments.size)
    folder = arguments.folder / str(arguments.size)
    build(folder, catalog, IndexTuning())
    if arguments.build_only:
        return
    store = EdgeStore(folder / "store", IndexTuning(), follow_s=0)
    reader = store.reader(alias_of(catalog))
    products = reader.count_products()
    timed = [_timed(name, ask) for name, ask in questions(reader).items()]
    store.close()
    table = Table("question", "p50, ms", "p95, ms", title=f"{arguments.size:,} pictures, {products:,} products")
    for item in timed:
        table.add_row(item.name, f"{item.p50_ms:.2f}", f"{item.p95_ms:.2f}")
    Console().print(table)
    value = {"pictures": arguments.size, "products": products, "questions": [asdict(item) for item in timed]}
    (_RESULTS / f"facets-{arguments.size}.json").write_text(json.dumps(value, indent=1) + "\n", "utf-8")


def questions(reader: CollectionReader) -> dict[str, Callable[[], object]]:
    """What is asked, by name; every one is another each time where that matters."""
    draw = np.random.default_rng(1)
    deep = _deep(reader, None)
    limits = count(100)  # another one each time, as a reader remembers what it counted

    def facet(field: str, where: Filter | None = None) -> Callable[[], object]:
        return lambda: reader.facet(FacetQuery(field, where, limit=next(limits)))

    def ordered(where: Filter | None = None, after: OrderedAfter | None = None) -> Callable[[], object]:
        return lambda: reader.ordered(OrderedQuery("price_asc", 24, where, after))

    def nearest(where: Filter | None) -> Callable[[], object]:
        def ask() -> object:
            vector = draw.standard_normal(DIM).astype(np.float32)
            return reader.nearest(NearestQuery(vector / np.float32(np.linalg.norm(vector)), 64, where))

        return ask

    return {
        "facet of brand": facet("brand"),
        "facet of category": facet("category_path"),
        "facet of color": facet("attributes.color"),
        "facet of brand, 50 % of the products": facet("brand", _HALF),
        "facet of brand, 10 %": facet("brand", _TENTH),
        "facet of category, 1 %": facet("category_path", _ONE_PERCENT),
        "products counted, all": reader.count_products,
        "products counted, 50 %": lambda: reader.count_products(_HALF),
        "range of prices, all": reader.price_range,
        "range of prices, 1 %": lambda: reader.price_range(_ONE_PERCENT),
        "page of 24 by price, first": ordered(),
        "page of 24 by price, in the middle": ordered(after=deep),
        "page of 24 by price, 1 %": ordered(_ONE_PERCENT),
        "page of 24 in the catalog's order": lambda: reader.ordered(OrderedQuery("catalog", 24)),
        "nearest 64, no filter": nearest(None),
        "nearest 64, 50 %": nearest(_HALF),
        "nearest 64, 10 %": nearest(_TENTH),
        "nearest 64, 1 %": nearest(_ONE_PERCENT),
    }


def _deep(reader: CollectionReader, where: Filter | None) -> OrderedAfter:
    """A place in the middle of the order by price."""
    prices = reader.price_range(where)
    assert prices is not None
    middle = Range("price_minor", gte=(prices.min_minor + prices.max_minor) // 20)
    (point,) = reader.ordered(OrderedQuery("price_asc", 1, middle))
    return OrderedAfter.of("price_asc", point)


def _timed(name: str, ask: Callable[[], object]) -> Timed:
    ask()  # what it touches is in the page cache then
    taken_ms: list[float] = []
    until_s = time.perf_counter() + _SECONDS
    while time.perf_counter() < until_s and len(taken_ms) < 200:
        started_s = time.perf_counter()
        ask()
        taken_ms.append((time.perf_counter() - started_s) * 1000)
    p50, p95 = np.percentile(taken_ms, [50, 95])
    return Timed(name, float(p50), float(p95), len(taken_ms))


if __name__ == "__main__":
    main()
