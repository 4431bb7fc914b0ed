"""Apache Parquet, column by column and some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indexer.catalog.fields import keys_of
from indexer.catalog.parquet_bounds import (
    BATCH_BYTES,
    MAX_CONTAINER,
    MAX_DEPTH,
    Ratio,
    check_columns,
    check_footer,
    rows_at_once,
)
from indexer.catalog.parquet_pages import chunks_of
from indexer.catalog.rows import MAX_ROW_CHARS, TOO_LARGE, Entry, RowBuilder
from indexer.catalog.table import require_columns
from indexer.catalog.values import Unreadable
from indexer.errors import FeedUnreadable
from indexer.products import RowError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BUFFER_BYTES: Final = 256 * 1024
_BUFFERS_BYTES: Final = 64 * 1024 * 1024
# A character takes up to four bytes; beside it there are positions.
_MAX_ONE_ROW_BYTES: Final = 5 * MAX_ROW_CHARS


def read_parquet(path: Path, builder: RowBuilder, report_share: Callable[[float], None]) -> Iterator[Entry]:
    """Yield what each row is.

    Args:
        path: the file; Parquet is read from both ends, so it cannot be a stream.
        builder: makes the products.
        report_share: called with the share of the rows read so far, 0 to 1.

    Raises:
        FeedUnreadable: damaged, or without the columns that every row needs.
        FeedUnsafe: it would unpack to more than ``parquet_bounds`` lets it.
    """
    line = 1
    keys: tuple[str, ...] | None = None
    out: list[Entry] = []
    for batch, share in _batches(path):
        if keys is None:
            keys = keys_of(batch.schema.names)
        size = _least_size(batch)
        if batch.num_rows == 1 and size > _MAX_ONE_ROW_BYTES:
            yield RowError(line, "", f"the row {TOO_LARGE}.")
            line += 1
            continue
        columns = [_values(column) for column in batch.columns]
        may_be_too_large = size > MAX_ROW_CHARS
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

    try:
        check_footer(path)
        ratio = Ratio(path)
        with _opened(path) as file, path.open("rb") as headers:
            columns = tuple(file.schema_arrow.names)
            require_columns(path, columns, keys_of(columns))
            rows = file.metadata.num_rows
            read = 0
            if file.metadata.num_row_groups != len(groups := chunks_of(headers)):
                raise ValueError("its footer can be read in two ways")  # noqa: TRY301
            for group, chunks in enumerate(groups):
                group_rows = file.metadata.row_group(group).num_rows
                at_once = rows_at_once(path, headers, file.metadata, group_rows, chunks)
                for batch in map(_plain, file.iter_batches(at_once, row_groups=[group], use_threads=False)):
                    read += batch.num_rows
                    size = _least_size(batch)
                    ratio.count(batch.num_rows, size)
                    one_by_one = size > 2 * BATCH_BYTES
                    for part in _one_by_one(batch) if one_by_one else (batch,):
                        yield part, min(1.0, read / max(rows, 1))
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, MemoryError) as error:
        said = " ".join(str(error).split())[:200]
        raise FeedUnreadable(f"{path} is a damaged Parquet file: {said}.", "Fetch or write the file again.") from error


def _opened(path: Path) -> pq.ParquetFile:
    """The file, with buffers that are small together however many columns it has."""
    import pyarrow.parquet as pq

    limits: dict[str, Any] = {"thrift_container_size_limit": MAX_CONTAINER, "schema_depth_limit": MAX_DEPTH}
    with pq.ParquetFile(path, pre_buffer=False, **limits) as file:
        metadata = file.metadata
    check_columns(path, metadata)
    # Pages are read through a small buffer: a whole row group, often the whole file, would not stay in memory.
    buffer_bytes = min(_BUFFER_BYTES, _BUFFERS_BYTES // max(metadata.num_columns, 1))
    return pq.ParquetFile(path, metadata=metadata, buffer_size=buffer_bytes, pre_buffer=False, **limits)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with the values of its dictionaries in their places, as the schemas of pandas' categories have them."""
    import pyarrow as pa

    if not any(pa.types.is_dictionary(field.type) for field in batch.schema):
        return batch
    columns = [
        column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _one_by_one(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for number in range(batch.num_rows):
        yield batch.slice(number, 1)


def _least_size(batch: pa.RecordBatch) -> int:
    """Bytes in a batch, or 8 for each value that lists hold, if that is more: of some types a value takes none."""
    return max(batch.nbytes, 8 * sum(_listed(column) for column in batch.columns if column.type.num_fields))


def _listed(column: pa.Array[Any]) -> int:
    """Values in lists and structures, at any depth."""
    import pyarrow as pa

    if isinstance(column, (pa.ListArray, pa.LargeListArray, pa.FixedSizeListArray, pa.MapArray)):
        return len(column) + _listed(column.flatten())
    if isinstance(column, pa.StructArray):
        return len(column) + sum(_listed(inner) for inner in column.flatten())
    return len(column)


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
