"""Opening a feed: what it is, and products out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.catalog.byte_source import ByteSource
from indexer.catalog.currencies import currency_code
from indexer.catalog.detect import HEAD_BYTES, format_of, refuse_empty
from indexer.catalog.formats import FeedFormat
from indexer.catalog.google import GoogleDialect
from indexer.catalog.jsonl import read_jsonl
from indexer.catalog.parquet import read_parquet
from indexer.catalog.rows import Entry, RowBuilder
from indexer.catalog.table import TableLayout, layout_of, read_table, require_columns
from indexer.catalog.text_source import Encoding, encoding_of
from indexer.catalog.xml_rows import read_rows
from indexer.catalog.yml import YmlDialect
from indexer.errors import ConfigurationError

_TABLES = frozenset({FeedFormat.CSV, FeedFormat.GOOGLE_TSV})


@dataclass(frozen=True, slots=True)
class FeedProgress:
    """How far a feed is read.

    Attributes:
        bytes_read: of the file as it lies on disk, so packed ones where it is gzip. Reading is buffered: the rows
            yielded lag up to 256 KiB behind. For Parquet it is the share of its rows.
        bytes_total: the file's size.
    """

    bytes_read: int
    bytes_total: int


class Feed:
    """A catalog feed: iterating over it reads it from its beginning and yields a product or an error for each row.

    It can be iterated over again; memory does not grow with the feed, save for 70 bytes a row to know ids again. An
    image that is left out of a product yields an error behind that product, which stays one.

    Raises:
        FeedUnreadable, FeedUnsafe: from the iterator, behind the rows that could be read.

    Attributes:
        path: the file.
        format: what it is written in.
        gzipped: whether it is packed.
        folder: the folder that image paths are relative to.
        notes: sentences for the user about how it is read, e.g. an encoding that was guessed; mostly none.
    """

    def __init__(self, path: Path, format: FeedFormat | None, default_currency: str) -> None:  # noqa: A002
        self.path = path
        self.folder = path.parent
        self._default_currency = default_currency
        self._bytes_total = 0
        self._source: ByteSource | None = None
        self._share = 0.0
        self._encoding = Encoding("utf-8")
        self._layout: TableLayout | None = None
        self.notes: tuple[str, ...] = ()
        with ByteSource(path) as source:
            head = source.head(HEAD_BYTES)
            refuse_empty(path, head)
            self.gzipped = source.gzipped
            self.format = format or format_of(path, head, gzipped=source.gzipped)
        self._bytes_total = path.stat().st_size
        if self.format in _TABLES or self.format is FeedFormat.JSONL:
            self._encoding = encoding_of(head)
            self.notes = (self._encoding.note,) if self._encoding.note else ()
        if self.format in _TABLES:
            self._layout = layout_of(head.decode(self._encoding.name, "replace"))
            require_columns(path, self._layout.columns, self._layout.keys)

    def __iter__(self) -> Iterator[Entry]:
        builder = RowBuilder(self._default_currency)
        self._source, self._share = None, 0.0
        if self.format is FeedFormat.PARQUET:
            yield from read_parquet(self.path, builder, self._set_share)
            return
        with ByteSource(self.path) as source:
            self._source = source
            if self._layout is not None:
                yield from read_table(source, self._encoding, self._layout, builder)
            elif self.format is FeedFormat.JSONL:
                yield from read_jsonl(source, self._encoding, builder)
            else:
                dialect = YmlDialect(builder) if self.format is FeedFormat.YML else GoogleDialect(builder)
                yield from read_rows(source, self.path, dialect)

    def progress(self) -> FeedProgress:
        """How far the latest iteration is; may be called from another thread."""
        source = self._source
        read = round(self._share * self._bytes_total) if source is None else source.bytes_read
        return FeedProgress(min(read, self._bytes_total), self._bytes_total)

    def _set_share(self, share: float) -> None:
        self._share = share


def open_feed(path: Path, *, format: FeedFormat | None = None, default_currency: str = "") -> Feed:  # noqa: A002
    """Open a catalog feed; nothing but its beginning is read yet.

    Args:
        path: a file; its folder is what image paths in it are relative to.
        format: what it is written in, where detection is not to be trusted.
        default_currency: ISO 4217 code for prices that say nothing of their currency. Without it such a price is
            unknown: the product has none and keeps the number as its attribute ``price``.

    Raises:
        FeedNotFound: there is no such file.
        FeedFormatUnknown: it is none of the formats that are read.
        FeedUnreadable: it is empty, damaged at its beginning, or a table without the columns that every row needs.
        FeedUnsafe: it begins with something that ``xml_parser`` refuses.
        ConfigurationError: ``default_currency`` is no ISO 4217 code.
    """
    code = currency_code(default_currency) if default_currency else ""
    if code is None:
        raise ConfigurationError(
            f"The default currency {default_currency!r} is no ISO 4217 code.", "Write three letters, as in EUR."
        )
    return Feed(path, format, code)
