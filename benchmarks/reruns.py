"""The same feed again: ``python -m benchmarks.reruns [--products 12000]``.

Every picture's file is read and hashed, and found to be known; then every price changes, then every stock. Pictures are
of the size that shops use, from local files; 600 of them come round again, so they are in the page cache, as after a
download. The model is the demo's: it embeds nothing here.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.rounds import Rounds, per_second
from benchmarks.rows import Claim, Row, add_json_flag, report
from benchmarks.shop_photos import ShopCatalog, write_catalog
from indexer import bootstrap
from indexer.embedding.choice import DEMO_MODEL
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.run import IndexOptions, index_feed
from indexer.ledger.port import Counts
from indexer.settings import load_settings
from tests.pictures import catalog_row, write_feed

_PICTURES = 600


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    add_json_flag(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        catalog = write_catalog(Path(name), _PICTURES)
        settings = load_settings({"data_dir": Path(name) / "data", "model": DEMO_MODEL}, environment={}).settings
        with bootstrap.indexing(settings) as parts:
            again = Again(catalog, arguments.products, parts)
            again.index()
            rows = measured(again, arguments.rounds)
    report(rows, arguments.json, f"{arguments.products} products, one picture each; {catalog.pictures}")


class Again:
    """A feed that changes between runs.

    Args:
        catalog: of the pictures.
        products: of the feed, which share them.
        parts: of the runs.
    """

    def __init__(self, catalog: ShopCatalog, products: int, parts: IndexParts) -> None:
        self._catalog = catalog
        self._parts = parts
        self.products = products
        self._price = 0
        self._in_stock = True
        self._write()

    def index(self) -> Counts:
        """An index run of the feed as it is."""
        feed = self._catalog.folder / "again.jsonl"
        return index_feed(feed, IndexOptions(), InlineDispatcher(self._parts)).counts

    def unchanged(self) -> float:
        """Products a second."""
        return self._rate(updates=0)

    def prices(self) -> float:
        """Products a second; each price is another one, and all of them differ."""
        self._price += 1
        self._write()
        return self._rate(updates=self.products)

    def stock(self) -> float:
        """Products a second; what was in stock is sold out, and back."""
        self._in_stock = not self._in_stock
        self._write()
        return self._rate(updates=self.products)

    def _rate(self, updates: int) -> float:
        counts = Counts()

        def run() -> None:
            nonlocal counts
            counts = self.index()

        rate = per_second(self.products, run)
        assert (counts.payload_updates, counts.embedded, counts.failed) == (updates, 0, 0), counts
        return rate

    def _write(self) -> None:
        changes = {"availability": "in_stock" if self._in_stock else "out_of_stock"}
        rows = [
            catalog_row(number, [f"images/p{number % self._catalog.products}-0.jpg"])
            | changes
            | {"price": f"{number + 1 + self._price}.00 EUR"}
            for number in range(self.products)
        ]
        write_feed(self._catalog.folder / "again.jsonl", rows)


def measured(again: Again, rounds: int) -> list[Row]:
    """The rows."""
    taken = Rounds({"unchanged": again.unchanged, "prices": again.prices, "stock": again.stock}).run(rounds)
    note = f"{again.products} products, files in the page cache, each read and hashed; from feed to published points"
    claims = {
        "unchanged": Claim("same feed again, nothing changed", "products/s", target=2000, target_of="ours", note=note),
        "prices": Claim("same pictures, every price changed", "products/s", target=3000, target_of="ours", note=note),
        "stock": Claim("same pictures, every stock changed", "products/s", target=3000, target_of="ours", note=note),
    }
    return [taken.row(claim, name) for name, claim in claims.items()]


if __name__ == "__main__":
    main()
