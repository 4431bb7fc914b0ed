"""Apache Parquet, column by column and some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indexer.catalog.fields import keys_of
from indexer.catalog.rows import MAX_ROW_CHARS, TOO_LARGE, Entry, RowBuilder
from indexer.catalog.table import require_columns
from indexer.catalog.values import Unreadable
from indexer.errors import FeedUnreadable
from indexer.products import RowError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH_ROWS: Final = 1024
_BATCH_BYTES: Final = 16 * 1024 * 1024
_BUFFER_BYTES: Final = 256 * 1024


def read_parquet(path: Path, builder: RowBuilder, report_share: Callable[[float], None]) -> Iterator[Entry]:
    """Yield what each row is.

    Args:
        path: the file; Parquet is read from both ends, so it cannot be a stream.
        builder: makes the products.
        report_share: called with the share of the rows read so far, 0 to 1.

    Raises:
        FeedUnreadable: damaged, or without the columns that every row needs.
    """
    line = 1
    keys: tuple[str, ...] | None = None
    out: list[Entry] = []
    for batch, share in _batches(path):
        if keys is None:
            keys = keys_of(batch.schema.names)
        columns = [_values(column) for column in batch.columns]
        may_be_too_large = batch.nbytes > MAX_ROW_CHARS
        for cells in zip(*columns, strict=True):
            if may_be_too_large and _size(cells) > MAX_ROW_CHARS:
                out.append(RowError(line, "", f"the row {TOO_LARGE}."))
            else:
                builder.add(dict(zip(keys, cells, strict=True)), line, out)
            line += 1
        report_share(share)
        yield from out
        out.clear()


def _batches(path: Path) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Some rows at a time, and the share of all rows that has been read with them."""
    # Imported here: it takes 50 MB and a quarter of a second that no other format needs.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Pages are read through a small buffer: a whole row group, often the whole file, would not stay in memory.
        with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            columns = tuple(file.schema_arrow.names)
            require_columns(path, columns, keys_of(columns))
            rows = file.metadata.num_rows
            read = 0
            for batch in file.iter_batches(_rows_at_once(file.metadata), use_threads=False):
                read += batch.num_rows
                yield batch, read / rows
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError) as error:
        said = " ".join(str(error).split())[:200]
        raise FeedUnreadable(f"{path} is a damaged Parquet file: {said}.", "Fetch or write the file again.") from error


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    """Rows that together take some megabytes, judged by the largest rows of any row group."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    row_bytes = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(row_bytes, 1)))


def _values(column: pa.Array[Any]) -> list[object]:
    """A column as Python values; what cannot be one is ``Unreadable``, and so costs its row only."""
    import pyarrow as pa

    try:
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":  # finer than Python's times
            column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        values: list[object] = column.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError, LookupError):
        values = [_value(scalar) for scalar in column]
    return values


def _value(scalar: pa.Scalar[Any]) -> object:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return Unreadable("holds bytes that are not valid UTF-8")
    except (ValueError, OverflowError, LookupError) as error:
        return Unreadable(f"cannot be read ({error})")


def _size(value: object) -> int:
    """Characters, or bytes, in a value and all that it holds."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        return sum(_size(inner) for inner in value.values())
    if isinstance(value, (list, tuple)):
        return sum(_size(inner) for inner in value)
    return 8
