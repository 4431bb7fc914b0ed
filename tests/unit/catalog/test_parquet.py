"""Parquet: column types, damage, limits."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexer.catalog import FeedFormat, open_feed
from indexer.catalog.rows import MAX_ROW_CHARS
from indexer.errors import FeedUnreadable
from indexer.products import CatalogProduct, RowError
from tests.unit.catalog.feeds import MUG, encoded, only_product, read, write


def feed_of(folder: Path, **columns: object) -> Path:
    rows = max(len(column) for column in columns.values() if isinstance(column, (list, pa.Array)))
    base = {
        "id": [f"m{number}" for number in range(1, rows + 1)],
        "title": ["Mug"] * rows,
        "image_link": ["a.jpg"] * rows,
    }
    path = folder / "feed.parquet"
    pq.write_table(pa.table({**base, **columns}), path)
    return path


def products_of(path: Path) -> list[CatalogProduct]:
    entries = read(path)
    assert all(isinstance(entry, CatalogProduct) for entry in entries), entries
    return [entry for entry in entries if isinstance(entry, CatalogProduct)]


@pytest.mark.parametrize(
    "prices",
    [
        pa.array([12.9, 0.29, None]),
        pa.array([12.9, 0.29, None], pa.float32()),
        pa.array([Decimal("12.90"), Decimal("0.29"), None], pa.decimal128(10, 2)),
        pa.array(["12.90", "0,29", ""]),
        pa.array(["12.90", "0,29", None]).dictionary_encode(),
        pa.array([12.9, 0.29, float("nan")]),
    ],
)
def test_prices_of_any_type_are_exact(tmp_path: Path, prices: pa.Array[Any]) -> None:
    products = products_of(feed_of(tmp_path, price=prices, currency=["EUR"] * 3))
    assert [product.price_minor for product in products] == [1290, 29, None]


def test_ids_that_pandas_turned_into_floats_are_whole_again(tmp_path: Path) -> None:
    assert [p.product_id for p in products_of(feed_of(tmp_path, id=pa.array([17.0, 18.0])))] == ["17", "18"]


def test_lists_times_flags_and_structures_are_read(tmp_path: Path) -> None:
    product = only_product(
        read(
            feed_of(
                tmp_path,
                images=[["b.jpg", None, "c.jpg"]],
                category=[["Home", "Mugs"]],
                updated_at=pa.array([1_735_787_045_000], pa.timestamp("ms")),
                in_stock=[True],
                size=[42],
                released=[date(2025, 1, 1)],
                spec=[{"weight": "1 kg", "deep": {"x": 1}}],
                binary=[b"text"],
                nothing=pa.nulls(1),
            )
        )
    )
    assert product.image_refs == ("a.jpg", "b.jpg", "c.jpg")
    assert product.category == ("Home", "Mugs")
    assert product.updated_at == datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert product.in_stock is True
    assert product.attributes == {"size": "42", "released": "2025-01-01", "spec.weight": "1 kg", "binary": "text"}


def test_times_finer_than_a_microsecond_are_cut(tmp_path: Path) -> None:
    times = pa.array([1_735_787_045_123_456_789], pa.timestamp("ns", "UTC"))
    (product,) = products_of(feed_of(tmp_path, updated_at=times))
    assert product.updated_at == datetime(2025, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)


def test_value_that_cannot_be_read_costs_its_row_only(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"Caf\xe9", b"Cup"]).buffers())
    first, second = read(feed_of(tmp_path, title=broken))
    assert first == RowError(1, "m1", "title: holds bytes that are not valid UTF-8.")
    assert isinstance(second, CatalogProduct)
    far = pa.array([2**60, 0], pa.timestamp("ms"))
    first, second = read(feed_of(tmp_path, updated_at=far))
    assert isinstance(first, RowError)
    assert first.reason.startswith("updated_at: cannot be read")
    assert isinstance(second, CatalogProduct)


def test_line_is_the_row_across_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "feed.parquet"
    ids = [f"m{number}" for number in range(5000)]
    table = pa.table({"id": ids, "title": ["Mug"] * 5000, "image": ["a.jpg"] * 5000})
    pq.write_table(table, path, row_group_size=700)
    assert [(p.product_id, p.line) for p in products_of(path)] == [(f"m{n}", n + 1) for n in range(5000)]


def test_row_larger_than_the_limit_is_an_error_and_the_next_one_is_read(tmp_path: Path) -> None:
    error, product = read(feed_of(tmp_path, description=["x" * (MAX_ROW_CHARS + 1), "fine"]))
    assert error == RowError(1, "", "the row is larger than 4 MiB.")
    assert isinstance(product, CatalogProduct)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "feed.parquet"
    pq.write_table(pa.table({"id": ["1"], "name": ["Mug"]}), path)
    with pytest.raises(FeedUnreadable, match="no column for image_link; its columns are 'id', 'name'"):
        read(path)
    pq.write_table(pa.table({}), path)
    with pytest.raises(FeedUnreadable, match="its columns are none"):
        read(path)


def test_table_without_rows_is_an_empty_feed(tmp_path: Path) -> None:
    path = tmp_path / "feed.parquet"
    pq.write_table(pa.table({name: pa.array([], pa.string()) for name in ("id", "title", "image")}), path)
    assert read(path) == []


@pytest.mark.parametrize("keep", [4, 12, 200, 0.5, 0.9, 0.999])
def test_damaged_file_is_unreadable(tmp_path: Path, keep: float) -> None:
    content = encoded(FeedFormat.PARQUET, [{**MUG, "id": f"m{number}"} for number in range(3000)])
    path = write(tmp_path, content[: int(keep if keep > 1 else keep * len(content))])
    with pytest.raises(FeedUnreadable, match="damaged Parquet") as caught:
        read(path)
    assert "\n" not in caught.value.reason


def test_damaged_data_is_unreadable_behind_the_rows_before_it(tmp_path: Path) -> None:
    path = tmp_path / "feed.parquet"
    ids = [f"m{number:09d}" for number in range(20_000)]
    columns = {"id": ids, "title": ids, "image": ids}
    pq.write_table(pa.table(columns), path, row_group_size=5000, compression="gzip", use_dictionary=False)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)
    feed = iter(open_feed(path))
    rows = 0
    with pytest.raises(FeedUnreadable):
        for _ in feed:
            rows += 1
    assert rows >= 5000


def test_pyarrow_is_imported_for_parquet_only(tmp_path: Path) -> None:
    path = write(tmp_path, encoded(FeedFormat.CSV, [MUG]))
    code = (
        "import sys, pathlib; from indexer.catalog import open_feed\n"
        f"assert len(list(open_feed(pathlib.Path({str(path)!r})))) == 1\n"
        "assert 'pyarrow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
