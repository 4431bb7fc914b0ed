"""Small feeds for the tests: written in any format, read to the end."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from indexer.catalog import FeedFormat, open_feed
from indexer.products import CatalogProduct, RowError

Row = Mapping[str, object]
"""A product in Google's names; additional_image_link is a list, everything else a text."""

MUG: Row = {"id": "m1", "title": "Mug", "image_link": "images/mug.jpg"}
SUFFIXES = {
    FeedFormat.GOOGLE_XML: "xml",
    FeedFormat.GOOGLE_TSV: "tsv",
    FeedFormat.YML: "xml",
    FeedFormat.CSV: "csv",
    FeedFormat.JSONL: "jsonl",
    FeedFormat.PARQUET: "parquet",
}


def read(path: Path, **options: str) -> list[CatalogProduct | RowError]:
    """All entries of a feed."""
    return list(open_feed(path, default_currency=options.get("default_currency", "")))


def read_bytes(folder: Path, content: bytes | str, name: str = "feed") -> list[CatalogProduct | RowError]:
    """All entries of a feed with this content."""
    return read(write(folder, content, name))


def write(folder: Path, content: bytes | str, name: str = "feed") -> Path:
    """The content as a file."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def only_product(entries: Sequence[CatalogProduct | RowError]) -> CatalogProduct:
    """The one entry, which must be a product."""
    assert len(entries) == 1, entries
    assert isinstance(entries[0], CatalogProduct), entries[0]
    return entries[0]


def only_error(entries: Sequence[CatalogProduct | RowError]) -> RowError:
    """The one entry, which must be an error."""
    assert len(entries) == 1, entries
    assert isinstance(entries[0], RowError), entries[0]
    return entries[0]


def google_xml(items: str) -> str:
    """An RSS feed around ``item`` elements."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>\n'
        f"<title>Shop</title><link>https://shop.example</link>\n{items}\n</channel></rss>\n"
    )


def google_item(fields: str) -> str:
    """An RSS feed of one item: the mug, and these fields."""
    return google_xml(
        f"<item><g:id>m1</g:id><g:title>Mug</g:title><g:image_link>images/mug.jpg</g:image_link>{fields}</item>"
    )


def yml(offers: str, categories: str = "", encoding: str = "UTF-8") -> str:
    """A YML feed around ``offer`` elements, with the header that real ones have."""
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<!DOCTYPE yml_catalog SYSTEM "shops.dtd">\n'
        f'<yml_catalog date="2025-01-01 10:00"><shop><name>Shop</name><categories>{categories}</categories>\n'
        f"<offers>\n{offers}\n</offers></shop></yml_catalog>\n"
    )


def encoded(feed_format: FeedFormat, rows: Sequence[Row]) -> bytes:
    """The same products in any format."""
    return _ENCODERS[feed_format](rows)


def _as_google_xml(rows: Sequence[Row]) -> bytes:
    items = []
    for row in rows:
        fields = "".join(
            f"<g:{name}>{escape(str(one))}</g:{name}>"
            for name, value in row.items()
            for one in (value if isinstance(value, list) else [value])
        )
        items.append(f"<item>{fields}</item>")
    return google_xml("\n".join(items)).encode()


def _as_yml(rows: Sequence[Row]) -> bytes:
    names = {"title": "name", "link": "url", "brand": "vendor", "description": "description"}
    offers = []
    for row in rows:
        price, _, currency = str(row.get("price", "")).partition(" ")
        fields = [f"<{yandex}>{escape(str(row[name]))}</{yandex}>" for name, yandex in names.items() if name in row]
        pictures = [row.get("image_link", ""), *_listed(row.get("additional_image_link"))]
        fields += [f"<picture>{escape(str(picture))}</picture>" for picture in pictures if picture]
        fields += [f"<price>{price}</price><currencyId>{currency}</currencyId>"] if price else []
        group = f" group_id={quoteattr(str(row['item_group_id']))}" if "item_group_id" in row else ""
        available = "false" if row.get("availability") == "out_of_stock" else "true"
        fields += [f'<param name="color">{escape(str(row["color"]))}</param>'] if "color" in row else []
        fields += [f"<modified_time>{row['updated_at']}</modified_time>"] if "updated_at" in row else []
        product_id = f" id={quoteattr(str(row['id']))}" if "id" in row else ""
        offers.append(f'<offer{product_id} available="{available}"{group}>{"".join(fields)}</offer>')
    return yml("\n".join(offers)).encode()


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _as_table(rows: Sequence[Row], delimiter: str) -> bytes:
    columns = list(dict.fromkeys(["id", "title", "image_link", *(name for row in rows for name in row)]))
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(columns)
    for row in rows:
        cells = [row.get(column, "") for column in columns]
        writer.writerow([",".join(map(str, cell)) if isinstance(cell, list) else cell for cell in cells])
    return out.getvalue().encode()


def _as_csv(rows: Sequence[Row]) -> bytes:
    return _as_table(rows, ",")


def _as_tsv(rows: Sequence[Row]) -> bytes:
    return _as_table(rows, "\t")


def _as_jsonl(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _as_parquet(rows: Sequence[Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = dict.fromkeys(["id", "title", "image_link", *(name for row in rows for name in row)])
    out = io.BytesIO()
    pq.write_table(pa.table({column: [row.get(column) for row in rows] for column in columns}), out)
    return out.getvalue()


_ENCODERS: dict[FeedFormat, Callable[[Sequence[Row]], bytes]] = {
    FeedFormat.GOOGLE_XML: _as_google_xml,
    FeedFormat.GOOGLE_TSV: _as_tsv,
    FeedFormat.YML: _as_yml,
    FeedFormat.CSV: _as_csv,
    FeedFormat.JSONL: _as_jsonl,
    FeedFormat.PARQUET: _as_parquet,
}
