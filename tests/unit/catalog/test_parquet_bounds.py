"""Parquet files that would unpack to more than the memory holds, and honest ones of every kind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexer.catalog.parquet_pages import PageHeaderDamaged, longest_entry_bytes, pages_of
from indexer.errors import FeedUnreadable, FeedUnsafe
from indexer.products import CatalogProduct
from tests.unit.catalog.feeds import read

MIB = 1024 * 1024
LARGE = "x" * MIB

# Reads feeds with no more memory than this, and says of each what stopped it; at the end, the most that was used.
CHILD = """
import json, pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
from indexer.catalog import open_feed
from indexer.errors import FeedError
said = {}
for path in map(pathlib.Path, sys.argv[2:]):
    try:
        for _ in open_feed(path): pass
        said[path.stem] = "read"
    except FeedError as error:
        said[path.stem] = error.code
(most,) = (line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps([said, int(most.split()[1]) * 1024]))
"""


def table_of(rows: int, **columns: Any) -> pa.Table:
    names = [str(number) for number in range(rows)]
    return pa.table({"id": names, "title": ["Mug"] * rows, "image": ["a.jpg"] * rows, **columns})


def repeated(rows: int, value: str = LARGE) -> pa.Array[Any]:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))


def in_one_row(values: pa.Array[Any]) -> pa.Array[Any]:
    return pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)


def varint(value: int, size: int = 0) -> bytes:
    """A number as Thrift's compact protocol has it, in ``size`` bytes if that is more than it needs."""
    out, value = bytearray(), value << 1
    while value >= 0x80 or len(out) + 1 < size:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def patched(content: bytes, old: int, new: int, start: int = 0) -> bytes:
    """The content with the first number ``old`` behind ``start`` replaced."""
    was = varint(old)
    at = content.index(was, start)
    now = varint(new, len(was))
    assert len(now) == len(was)
    return content[:at] + now + content[at + len(was) :]


def title_of(path: Path) -> pq.ColumnChunkMetaData:
    with pq.ParquetFile(path) as file:
        return file.metadata.row_group(0).column(1)


def one_entry_for_all_rows(path: Path) -> None:
    pq.write_table(table_of(20_000, title=repeated(20_000)), path, store_schema=False)


def one_entry_as_pandas_writes_categories(path: Path) -> None:
    pq.write_table(table_of(20_000, title=repeated(20_000)), path)


def one_entry_of_lz4(path: Path) -> None:
    pq.write_table(table_of(20_000, title=repeated(20_000)), path, compression="lz4")


def all_rows_begin_as_the_first(path: Path) -> None:
    table = table_of(120, title=[LARGE] * 120)
    pq.write_table(table, path, use_dictionary=False, column_encoding={"title": "DELTA_BYTE_ARRAY"}, compression="zstd")


def page_of_gigabytes(path: Path) -> None:
    pq.write_table(
        table_of(260, title=[LARGE] * 260), path, use_dictionary=False, compression="zstd", data_page_size=1 << 30
    )
    # The footer is made to say that it is small: nobody checks it.
    size = title_of(path).total_uncompressed_size
    assert size > 256 * MIB
    content = path.read_bytes()
    path.write_bytes(patched(content, size, 1000, content.rindex(b"PAR1", 0, len(content)) - 2000))
    assert title_of(path).total_uncompressed_size == 1000


def list_of_one_entry(path: Path) -> None:
    pq.write_table(table_of(1, x=in_one_row(repeated(900))), path, store_schema=False)


def list_of_nothing(path: Path) -> None:
    pq.write_table(table_of(1, x=in_one_row(pa.nulls(12_000_000))), path)


def page_of_countless_values(path: Path) -> None:
    pq.write_table(table_of(1, x=in_one_row(pa.nulls(20_000_000))), path)


def large_footer(path: Path) -> None:
    pq.write_table(table_of(1).replace_schema_metadata({"x": "y" * 5 * MIB}), path)


def columns_without_end(path: Path) -> None:
    pq.write_table(table_of(1, **{f"c{number}": [1] for number in range(2000)}), path)


HOSTILE: list[Callable[[Path], None]] = [
    one_entry_for_all_rows,
    one_entry_as_pandas_writes_categories,
    one_entry_of_lz4,
    all_rows_begin_as_the_first,
    page_of_gigabytes,
    list_of_one_entry,
    list_of_nothing,
    page_of_countless_values,
    large_footer,
    columns_without_end,
]


def test_files_that_unpack_to_gigabytes_are_refused_in_little_memory(tmp_path: Path) -> None:
    paths = [tmp_path / f"{make.__name__}.parquet" for make in HOSTILE]
    for make, path in zip(HOSTILE, paths, strict=True):
        make(path)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(1536 * MIB), *map(str, paths)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, most_bytes = json.loads(done.stdout)
    assert said == {make.__name__: "feed_unsafe" for make in HOSTILE}
    assert most_bytes < 400 * MIB


def test_lists_of_one_row_that_fit_cost_their_row_only(tmp_path: Path) -> None:
    path = tmp_path / "feed.parquet"
    rows = 2
    values = pa.nulls(1_000_000, pa.bool_())
    lists = pa.ListArray.from_arrays(pa.array([0, len(values) - 1, len(values)], pa.int32()), values)
    pq.write_table(table_of(rows, x=lists), path)
    error, product = read(path)
    assert getattr(error, "reason", "") == "the row is larger than 4 MiB."
    assert isinstance(product, CatalogProduct)


def test_a_schema_too_deep_is_refused(tmp_path: Path) -> None:
    kind: Any = pa.string()
    for _ in range(20):
        kind = pa.list_(kind)
    path = tmp_path / "feed.parquet"
    pq.write_table(table_of(1, x=pa.nulls(1, kind)), path)
    with pytest.raises(FeedUnreadable, match="too deep"):
        read(path)


@pytest.mark.parametrize("said", [100, 100_000_000])
def test_a_page_that_is_not_as_large_as_its_header_says_is_damaged(tmp_path: Path, said: int) -> None:
    path = tmp_path / "feed.parquet"
    pq.write_table(table_of(2, title=[LARGE, LARGE]), path, use_dictionary=False, compression="gzip")
    chunk = title_of(path)
    start = chunk.data_page_offset
    with path.open("rb") as file:
        (page,) = pages_of(file, start, start + chunk.total_compressed_size, chunk.num_values)
    path.write_bytes(patched(path.read_bytes(), page.unpacked_bytes, said, start))
    with pytest.raises(FeedUnreadable):
        read(path)


def test_headers_that_cannot_be_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "pages"
    for content in (b"", b"\xff" * 64, b"\x15\x00" * 20, b"\x1c" * 64, b"\x18" + b"\x80" * 40, b"\x15\x01\x15\x01\x00"):
        path.write_bytes(content)
        with path.open("rb") as file, pytest.raises(PageHeaderDamaged):
            list(pages_of(file, 0, 1000, 1))


def test_the_longest_entry_of_a_dictionary() -> None:
    def entry(size: int) -> bytes:
        return size.to_bytes(4, "little") + b"x" * size

    assert longest_entry_bytes(b"", 0) == 0
    assert longest_entry_bytes(entry(3) * 5, 5) == 3
    assert longest_entry_bytes(entry(3) + entry(9) + entry(1), 3) == 9
    assert longest_entry_bytes(entry(3) + b"\xff\xff\xff\x7f", 2) == 11  # never more than there is


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
def test_every_way_of_writing_is_read(tmp_path: Path, compression: str, version: str) -> None:
    rows = 3000
    titles = [f"Mug {'large ' * (number % 50)}{number}" for number in range(rows)]
    images = [[f"{number}-{place}.jpg" for place in range(number % 4)] for number in range(rows)]
    path = tmp_path / "feed.parquet"
    table = table_of(rows, title=titles, images=images, note=pa.array(["n" * 9] * rows).dictionary_encode())
    options: dict[str, Any] = {"compression": compression, "data_page_version": version, "row_group_size": 1400}
    delta = {"title": "DELTA_BYTE_ARRAY", "id": "DELTA_LENGTH_BYTE_ARRAY"}
    ways: list[dict[str, Any]] = [
        {},
        {"use_dictionary": False},
        {"use_dictionary": False, "column_encoding": delta},
    ]
    for more in ways:
        pq.write_table(table, path, data_page_size=4000, **options, **more)
        products = [entry for entry in read(path) if isinstance(entry, CatalogProduct)]
        assert [product.title for product in products] == titles
        assert [list(product.image_refs[1:]) for product in products] == images
        assert {product.attributes["note"] for product in products} == {"n" * 9}


def test_refusals_name_the_bound_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "feed.parquet"
    columns_without_end(path)
    with pytest.raises(FeedUnsafe, match=r"has 2003 columns; the limit is 2000\. Write it with smaller row groups"):
        read(path)
