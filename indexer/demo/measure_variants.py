"""``python -m indexer.demo.measure_variants``: whether "this, but in blue" finds the blue one, on a sample catalog.

Asked are products that have a variant in another colour: the picture of the one, and the colour of the other in words.
An answer counts by its first product but the one asked with: ``kind``, it is of the same type; ``colour``, it has the
colour asked for; ``both``; ``variant``, it is the very variant.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET  # a tool for files of our own # nosec B405

import numpy as np

from indexer.demo.catalog import QUERIES, Plan, write_catalog
from indexer.demo.feed import GOOGLE
from indexer.demo.measure import CHECKPOINT, TEST_SEED, Reader, Shelf, Vectors, google_shelf, product_scores
from indexer.demo.vocabulary import COLOURS
from indexer.search.compose import CatalogGeometry, QueryPart, ValueGroup, compose

Rates = dict[str, float]
Method = Literal["composed", "difference of means", "sum"]


@dataclass(frozen=True)
class _Product:
    """What a feed says of a product."""

    title: str
    colours: str
    pattern: str
    category: str
    group: str

    @property
    def colour(self) -> str:
        """The main one."""
        return self.colours.partition("/")[0]


@dataclass(frozen=True)
class _Case:
    """A picture's vector, the product that it shows, and the variant that is asked for."""

    vector: Vectors
    product: int
    variant: int


def phrases(colour: str) -> dict[str, str]:
    """Ways to ask for a colour, by language."""
    words = COLOURS[colour]
    return {
        "en in": f"in {words.en[0]}",
        "en but": f"but {words.en[0]}",
        "ru": f"{words.ru_stem}{'его' if words.ru_soft else 'ого'} цвета",
        "zh": words.zh[0],
        "vi": f"màu {words.vi[0]}",
    }


class Variants:
    """The cases of a sample catalog.

    Args:
        reader: the model.
        folder: of the catalog.
    """

    def __init__(self, reader: Reader, folder: Path) -> None:
        self._reader = reader
        self._folder = folder
        self._shelf: Shelf = google_shelf(folder)
        self._products = _products(folder)
        self._kinds = [product_id.rpartition("-")[0] for product_id in self._shelf.product_ids]
        self._pictures = reader.pictures(self._shelf.files)
        self._geometry = self._measured_geometry()

    def figures(self, method: Method = "composed") -> dict[str, Rates]:
        """Rates by kind of picture and phrase."""
        return {
            f"{source}, {phrase}": self._rates(cases, phrase, method)
            for source, cases in (("shop's picture", self._shop_cases), ("shopper's photo", self._photo_cases))
            for phrase in phrases("red")
            if cases
        }

    @cached_property
    def _shop_cases(self) -> list[_Case]:
        main = {owner: self._pictures[index] for index, owner in reversed(list(enumerate(self._shelf.owners)))}
        return [_Case(main[number], number, other) for number in main for other in self._variants(number)]

    @cached_property
    def _photo_cases(self) -> list[_Case]:
        number = {product_id: i for i, product_id in enumerate(self._shelf.product_ids)}
        queries = [json.loads(line) for line in (self._folder / QUERIES).read_text("utf-8").splitlines()]
        asked = [query for query in queries if "image" in query and self._variants(number[query["relevant"][0]])]
        if not asked:
            return []
        vectors = self._reader.pictures([self._folder / query["image"] for query in asked])
        products = [number[query["relevant"][0]] for query in asked]
        return [
            _Case(vector, product, other)
            for vector, product in zip(vectors, products, strict=True)
            for other in self._variants(product)
        ]

    def _variants(self, number: int) -> list[int]:
        group = self._products[number].group
        return [i for i, other in enumerate(self._products) if group and other.group == group and i != number]

    def _rates(self, cases: Sequence[_Case], phrase: str, method: Method) -> Rates:
        colours = sorted({self._products[case.variant].colour for case in cases})
        vectors = self._reader.texts([phrases(colour)[phrase] for colour in colours])
        texts = dict(zip(colours, vectors, strict=True))
        found: defaultdict[str, list[bool]] = defaultdict(list)
        for case in cases:
            wanted = self._products[case.variant].colour
            query = self._query(case.vector, texts[wanted], method)
            scores = product_scores(query[None], self._pictures, self._shelf.owners, len(self._products))[0]
            scores[case.product] = -2.0
            first = int(np.argmax(scores))
            kind = self._kinds[first] == self._kinds[case.product]
            colour = self._products[first].colour == wanted
            found["kind"].append(kind)
            found["colour"].append(colour)
            found["both"].append(kind and colour)
            found["variant"].append(first == case.variant)
        return {name: round(float(np.mean(held)), 4) for name, held in found.items()} | {"cases": float(len(cases))}

    def _query(self, picture: Vectors, text: Vectors, method: Method) -> Vectors:
        if method == "sum":
            return picture + text
        geometry = self._geometry
        if method == "difference of means":
            geometry = CatalogGeometry(geometry.image_mean, geometry.text_mean)
        parts = [QueryPart("photo", "", picture), QueryPart("text", "", text)]
        return compose(parts, geometry).vector

    def _measured_geometry(self) -> CatalogGeometry:
        """As the API has it, from the whole catalog."""
        values = {
            "category": {product.category for product in self._products},
            "color": {product.colours for product in self._products},
            "pattern": {product.pattern for product in self._products},
        }
        groups = tuple(ValueGroup(name, self._reader.texts(sorted(found))) for name, found in values.items())
        titles = self._reader.texts([product.title for product in self._products])
        return CatalogGeometry(self._pictures.mean(axis=0), titles.mean(axis=0), groups)


def _products(folder: Path) -> list[_Product]:
    items = ET.parse(folder / "feed.xml").iter("item")  # noqa: S314 - our own file # nosec B314
    found = []
    for item in items:
        said = {field.tag.removeprefix(f"{{{GOOGLE}}}"): field.text or "" for field in item}
        category = said["product_type"].rpartition(" > ")[2]
        found.append(_Product(said["title"], said["color"], said["pattern"], category, said.get("item_group_id", "")))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the rates as JSON, of the composition and of what it is compared with."""
    parser = argparse.ArgumentParser(prog="python -m indexer.demo.measure_variants", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--catalog", type=Path, help="where the test catalog is kept; a temporary folder if not given")
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.catalog or Path(scratch) / "catalog"
        write_catalog(folder, Plan(seed=options.seed, text_queries_per_language=1, photo_queries_per_change=60))
        cases = Variants(Reader.stored(options.checkpoint), folder)
        methods: tuple[Method, ...] = ("composed", "difference of means", "sum")
        figures = {method: cases.figures(method) for method in methods}
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
