"""Write a catalog feed of any size: the same seed, rows and format give the same bytes.

    python -m benchmarks.generate_feed /tmp/feed.xml --format google-xml --rows 1000000

Rows are written as they are made, so memory stays flat. They look like a fashion and home shop's: texts of some 60
words, up to four pictures, prices in cents, variants, categories, and here and there what real feeds have to be read
with: HTML in descriptions, entities, quotes, line breaks, Cyrillic.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final
from xml.sax.saxutils import escape, quoteattr

FORMATS: Final = ("google-xml", "google-tsv", "yml", "csv", "jsonl", "parquet")
_COLUMNS: Final = (
    "id", "title", "description", "link", "image_link", "additional_image_link", "price", "availability", "brand",
    "product_type", "item_group_id", "color", "size", "gender", "gtin", "mpn", "condition", "updated_at",
)  # fmt: skip
_COLORS: Final = ("black", "white", "navy", "olive", "brick red", "sand", "heather grey", "петроль", "écru", "mint")
_SIZES: Final = ("XS", "S", "M", "L", "XL", "XXL", "38", "40", "42", "44")
_KINDS: Final = ("Hoodie", "Mug", "Backpack", "Desk Lamp", "Running Shoe", "Linen Shirt", "Тарелка", "Кружка", "Parka")
_BRANDS: Final = ("Luma", "Nordwind", "Ostara & Co", "Bahnhof", "Полёт", "Quill", "Maison d'Été", "Kite", "Arrow")
_TEXT: Final = (
    "soft warm light durable organic recycled cotton wool leather steel glass oak handle pocket seam lining zipper fit "
    "for every day cold wet long walks home office travel made in small series with care by people who know their "
    "craft wash at thirty degrees keeps its shape and colour gift box included мягкий тёплый подарок для дома"
)
_WORDS: Final = tuple(_TEXT.split())
_CATEGORIES: Final = tuple(
    (root, middle, leaf)
    for root in ("Home & Garden", "Apparel", "Sport", "Дом")
    for middle in ("Everyday", "Outdoor", "Sale < 50")
    for leaf in ("Basics", "Premium", "New in", "Подарки")
)
_CENTS: Final = ("00", "49", "50", "90", "95", "99")
_AVAILABILITY: Final = ("in_stock", "in_stock", "in_stock", "out_of_stock", "preorder")

Product = dict[str, str | list[str]]


def products(rows: int, seed: int) -> Iterator[Product]:
    """That many products; texts in the form a shopper reads, save that one description in eight is HTML."""
    rng = random.Random(seed)
    sentences = [" ".join(rng.choices(_WORDS, k=12)).capitalize() + "." for _ in range(4000)]
    for number in range(rows):
        kind, brand, color = rng.choice(_KINDS), rng.choice(_BRANDS), rng.choice(_COLORS)
        texts = rng.choices(sentences, k=5)
        photo = f"https://cdn.shop.example/catalog/{number % 997:03d}/{number:08d}"
        yield {
            "id": f"SKU-{number:08d}",
            "title": f'{brand} {kind} {number % 1000} {rng.choice(_WORDS)}, {color} 12"',
            "description": f"<p>{'</p><p>'.join(texts)}</p>" if number % 8 == 0 else " ".join(texts),
            "link": f"https://shop.example/p/{number:08d}?ref=feed&lang=en",
            "image_link": f"{photo}.jpg",
            "additional_image_link": [f"{photo}_{view}.jpg" for view in range(1, 1 + number % 4)],
            "price": f"{rng.randrange(1, 1500)}.{rng.choice(_CENTS)} EUR",
            "availability": rng.choice(_AVAILABILITY),
            "brand": brand,
            "product_type": " > ".join(rng.choice(_CATEGORIES)),
            "item_group_id": f"G{number // 5:07d}",
            "color": color,
            "size": rng.choice(_SIZES),
            "gender": ("female", "male", "unisex")[number % 3],
            "gtin": f"{4_000_000_000_000 + number:013d}",
            "mpn": f"M-{number % 50_000:05d}",
            "condition": "new",
            "updated_at": f"2025-{1 + number % 12:02d}-{1 + number % 28:02d}T12:{number % 60:02d}:00Z",
        }


def write_feed(path: Path, feed_format: str, rows: int, seed: int = 1, *, packed: bool = False) -> None:
    """Write ``rows`` products to ``path`` in one of ``FORMATS``; packed with gzip if asked, save for Parquet."""
    if feed_format == "parquet":
        _write_parquet(path, rows, seed)
        return
    with contextlib.ExitStack() as stack:
        out: IO[bytes] | gzip.GzipFile = stack.enter_context(path.open("wb"))
        if packed:
            out = stack.enter_context(gzip.GzipFile("", "wb", compresslevel=6, fileobj=out, mtime=0))
        text = stack.enter_context(io.TextIOWrapper(out, "utf-8", newline=""))
        _WRITERS[feed_format](text, rows, seed)


def _write_google_xml(out: IO[str], rows: int, seed: int) -> None:
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">\n')
    out.write("<channel>\n<title>Shop</title>\n<link>https://shop.example</link>\n<description>All</description>\n")
    for product in products(rows, seed):
        out.write("  <item>\n")
        for name, value in product.items():
            for one in value if isinstance(value, list) else [value]:
                out.write(f"    <g:{name}>{escape(one)}</g:{name}>\n")
        out.write("  </item>\n")
    out.write("</channel>\n</rss>\n")


def _write_yml(out: IO[str], rows: int, seed: int) -> None:
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE yml_catalog SYSTEM "shops.dtd">\n')
    out.write('<yml_catalog date="2025-11-01 12:00">\n<shop>\n<name>Shop</name>\n')
    out.write('<currencies><currency id="RUR" rate="1"/></currencies>\n<categories>\n')
    ids = _write_categories(out)
    out.write("</categories>\n<offers>\n")
    for product in products(rows, seed):
        available = "true" if product["availability"] == "in_stock" else "false"
        group = str(product["item_group_id"])[1:]
        out.write(f'  <offer id={quoteattr(str(product["id"]))} available="{available}" group_id="{group}">\n')
        for name, key in (("name", "title"), ("url", "link"), ("vendor", "brand"), ("vendorCode", "mpn")):
            out.write(f"    <{name}>{escape(str(product[key]))}</{name}>\n")
        out.write(f"    <price>{str(product['price'])[:-4]}</price>\n    <currencyId>RUR</currencyId>\n")
        out.write(f"    <categoryId>{ids[str(product['product_type'])]}</categoryId>\n")
        for picture in [str(product["image_link"]), *product["additional_image_link"]]:
            out.write(f"    <picture>{escape(picture)}</picture>\n")
        out.write(f"    <description><![CDATA[{product['description']}]]></description>\n")
        for name, key in (("Цвет", "color"), ("Размер", "size"), ("Пол", "gender")):
            out.write(f'    <param name="{name}">{escape(str(product[key]))}</param>\n')
        out.write(f"    <barcode>{product['gtin']}</barcode>\n  </offer>\n")
    out.write("</offers>\n</shop>\n</yml_catalog>\n")


def _write_categories(out: IO[str]) -> dict[str, int]:
    """Write the tree, parents first; returns the id of each path."""
    ids: dict[str, int] = {}
    for path in _CATEGORIES:
        for depth in range(1, len(path) + 1):
            key = " > ".join(path[:depth])
            if key not in ids:
                ids[key] = len(ids) + 1
                parent = f' parentId="{ids[" > ".join(path[: depth - 1])]}"' if depth > 1 else ""
                out.write(f'<category id="{ids[key]}"{parent}>{escape(path[depth - 1])}</category>\n')
    return ids


def _write_table(out: IO[str], rows: int, seed: int, delimiter: str) -> None:
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for product in products(rows, seed):
        writer.writerow([",".join(value) if isinstance(value, list) else value for value in product.values()])


def _write_csv(out: IO[str], rows: int, seed: int) -> None:
    _write_table(out, rows, seed, ",")


def _write_tsv(out: IO[str], rows: int, seed: int) -> None:
    _write_table(out, rows, seed, "\t")


def _write_jsonl(out: IO[str], rows: int, seed: int) -> None:
    for product in products(rows, seed):
        out.write(json.dumps(product, ensure_ascii=False) + "\n")


def _write_parquet(path: Path, rows: int, seed: int) -> None:
    """Prices as numbers, pictures as lists, and row groups as large as pandas and pyarrow write them: 1 Mi rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [(name, pa.list_(pa.string()) if name == "additional_image_link" else pa.string()) for name in _COLUMNS]
        + [("currency", pa.string())]
    )
    schema = schema.set(schema.get_field_index("price"), pa.field("price", pa.float64()))
    tables = []
    batch: list[dict[str, object]] = []
    for number, product in enumerate(products(rows, seed), 1):
        amount, _, currency = str(product["price"]).partition(" ")
        batch.append(product | {"price": float(amount), "currency": currency})
        if len(batch) == 10_000 or number == rows:
            tables.append(pa.Table.from_pylist(batch, schema))
            batch.clear()
    pq.write_table(pa.concat_tables(tables), path)


_WRITERS: Final = {
    "google-xml": _write_google_xml,
    "google-tsv": _write_tsv,
    "yml": _write_yml,
    "csv": _write_csv,
    "jsonl": _write_jsonl,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a catalog feed of any size.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gzip", action="store_true", help="pack it (not Parquet, which is packed already)")
    arguments = parser.parse_args()
    write_feed(arguments.path, arguments.format, arguments.rows, arguments.seed, packed=arguments.gzip)


if __name__ == "__main__":
    main()
