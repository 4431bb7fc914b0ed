"""What a Parquet file may unpack to, and how many of its rows are read at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from indexer.catalog.byte_source import MAX_RATIO, RATIO_FREE_BYTES
from indexer.catalog.parquet_pages import Chunk, Page, PageHeaderDamaged, longest_entry_bytes, pages_of
from indexer.catalog.rows import MAX_FIELDS, MAX_ROW_CHARS
from indexer.errors import FeedUnsafe

if TYPE_CHECKING:
    import pyarrow.parquet as pq

BATCH_ROWS: Final = 1024
BATCH_BYTES: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 32
"""Deepest schema; a list takes two levels of it."""
MAX_CONTAINER: Final = 50_000
"""Most row groups, columns, or elements of the schema that the footer is parsed for."""
# A feed of a million rows and fifty columns has one of 300 kB. Parsed, it takes some thirty times as much.
MAX_FOOTER_BYTES: Final = 4 * 1024 * 1024
# Of each column one page is in memory. pyarrow and Spark write 1 MiB, DuckDB up to 100 MB.
_MAX_PAGES_BYTES: Final = 256 * 1024 * 1024
_MAX_DICTIONARY_BYTES: Final = 16 * 1024 * 1024
_MAX_PAGE_VALUES: Final = 16 * 1024 * 1024
# Where rows are lists of any length, all of a row group could be in one row: a million rows of five addresses fit in.
_MAX_LISTS_BYTES: Final = 1024 * 1024 * 1024
_LISTED_VALUE_BYTES: Final = 64  # position and levels, and more where it is a structure
_DELTA_BYTE_ARRAY: Final = 7
_TEXT: Final = 6
_CODECS: Final[dict[int, Literal["snappy", "gzip", "zstd", "brotli", "lz4_raw"]]] = {
    1: "snappy",
    2: "gzip",
    6: "zstd",
    4: "brotli",
    5: "lz4_raw",
    7: "lz4_raw",
}
_REMEDY: Final = "Write it with smaller row groups and pages, or as CSV or JSONL."


@dataclass(slots=True)
class _Column:
    """A column in a row group: what it may take, in bytes."""

    largest_packed: int = 0
    largest_unpacked: int = 0
    row_bytes: int = 0
    whole_bytes: int = 0
    longest_entry: int = 0

    def add(self, page: Page) -> None:
        """Count a page of values."""
        self.whole_bytes += max(page.unpacked_bytes, page.values * self.longest_entry)
        self.whole_bytes += _LISTED_VALUE_BYTES * page.values
        self.row_bytes = max(self.row_bytes, self.longest_entry, page.unpacked_bytes // max(page.values, 1))


class Ratio:
    """Ends the reading of a file whose rows are absurdly much more than its bytes, as ``ByteSource`` does for gzip."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bound = max(RATIO_FREE_BYTES, MAX_RATIO * path.stat().st_size)
        self._unpacked = 0

    def count(self, rows: int, unpacked_bytes: int) -> None:
        """Count what was read; raises ``FeedUnsafe``."""
        self._unpacked += unpacked_bytes + 8 * rows
        if self._unpacked > self._bound:
            raise FeedUnsafe(f"{self._path} unpacks to more than {MAX_RATIO} times its size, as no feed does.", _REMEDY)


def check_footer(path: Path) -> None:
    """Raise ``FeedUnsafe`` where the footer is too large to be parsed; what is damaged is left to pyarrow."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        footer_bytes = int.from_bytes(file.read(8)[:4], "little")
    if MAX_FOOTER_BYTES < footer_bytes <= size:
        raise _unsafe(path, f"has a footer of {footer_bytes} bytes", f"{MAX_FOOTER_BYTES}")


def check_columns(path: Path, metadata: pq.FileMetaData) -> None:
    """Raise ``FeedUnsafe`` for more columns, inner ones counted, or wider ones, than rows have."""
    if metadata.num_columns > MAX_FIELDS:
        raise _unsafe(path, f"has {metadata.num_columns} columns", f"{MAX_FIELDS}")
    for number in range(metadata.num_columns):
        if (metadata.schema.column(number).length or 0) > MAX_ROW_CHARS:
            raise _unsafe(path, "has a column whose every value is larger than a row may be", f"{MAX_ROW_CHARS} bytes")


def rows_at_once(path: Path, file: BinaryIO, metadata: pq.FileMetaData, rows: int, chunks: list[Chunk]) -> int:
    """Rows of a row group that together take some megabytes, whatever they unpack to.

    Args:
        file: the file at ``path``, opened for reading.
        rows, chunks: of the row group.

    Raises:
        FeedUnsafe: pages, dictionaries or lists would take more memory than they may.
        PageHeaderDamaged: a page cannot be read.
    """
    if len(chunks) != metadata.num_columns:
        raise PageHeaderDamaged("a row group lacks columns")
    lists_bound = min(_MAX_LISTS_BYTES, max(RATIO_FREE_BYTES, MAX_RATIO * path.stat().st_size))
    pages_bytes = row_bytes = lists_bytes = 0
    for number, chunk in enumerate(chunks):
        column = _column(path, file, chunk, metadata.schema.column(number))
        pages_bytes += column.largest_packed + column.largest_unpacked
        if metadata.schema.column(number).max_repetition_level:
            lists_bytes += column.whole_bytes
            row_bytes += column.whole_bytes // max(rows, 1)
        else:
            row_bytes += column.row_bytes
        if pages_bytes > _MAX_PAGES_BYTES:
            raise _unsafe(path, "has pages that together unpack to more than can be held", _mib(_MAX_PAGES_BYTES))
        if lists_bytes > lists_bound:
            raise _unsafe(path, "has lists that may unpack to more than can be held", _mib(lists_bound))
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(row_bytes, 1)))


def _column(path: Path, file: BinaryIO, chunk: Chunk, schema: pq.ColumnSchema) -> _Column:
    is_text = chunk.type == _TEXT
    column = _Column(longest_entry=0 if is_text else max(8, schema.length or 0))
    for page in pages_of(file, chunk.start, chunk.end, chunk.values):
        column.largest_packed = max(column.largest_packed, page.packed_bytes)
        column.largest_unpacked = max(column.largest_unpacked, page.unpacked_bytes)
        if column.largest_packed + column.largest_unpacked > _MAX_PAGES_BYTES:
            raise _unsafe(path, "has a page that unpacks to more than can be held", _mib(_MAX_PAGES_BYTES))
        if page.values > _MAX_PAGE_VALUES:
            raise _unsafe(path, f"has a page of {page.values} values", f"{_MAX_PAGE_VALUES}")
        if page.is_dictionary:
            if page.unpacked_bytes > _MAX_DICTIONARY_BYTES or page.values > page.unpacked_bytes:
                raise _unsafe(path, "has a dictionary larger than any writer makes", _mib(_MAX_DICTIONARY_BYTES))
            if is_text:
                column.longest_entry = max(column.longest_entry, _longest_entry(file, page, chunk.codec))
            continue
        if is_text and page.encoding == _DELTA_BYTE_ARRAY:  # a value says how much of the one before it begins with
            column.longest_entry = max(column.longest_entry, page.unpacked_bytes)
        column.add(page)
    return column


def _longest_entry(file: BinaryIO, page: Page, compression: int) -> int:
    """Bytes of a dictionary's longest text; those of all where it cannot be looked into."""
    import pyarrow as pa

    file.seek(page.offset)
    data = file.read(page.packed_bytes)
    if compression == 5 and _may_be_hadoop(data, page.unpacked_bytes):
        return page.unpacked_bytes
    try:
        if compression != 0:
            codec = pa.Codec(_CODECS[compression])
            data = codec.decompress(data, decompressed_size=page.unpacked_bytes, asbytes=True)
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return page.unpacked_bytes
    return longest_entry_bytes(data, page.values)


def _may_be_hadoop(data: bytes, unpacked_bytes: int) -> bool:
    """Whether pyarrow could take LZ4 for that of Hadoop: two sizes go before it, and both ways have one name."""
    unpacked, packed = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    return unpacked <= unpacked_bytes and packed <= len(data) - 8


def _mib(size_bytes: int) -> str:
    return f"{size_bytes // (1024 * 1024)} MiB"


def _unsafe(path: Path, what: str, bound: str) -> FeedUnsafe:
    return FeedUnsafe(f"{path} {what}; the limit is {bound}.", _REMEDY)
