"""Tables as text: CSV with any of four delimiters, and Google's TSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from indexer.catalog.byte_source import ByteSource
from indexer.catalog.fields import REQUIRED, keys_of
from indexer.catalog.rows import MAX_FIELDS, MAX_ID_CHARS, MAX_ROW_CHARS, TOO_LARGE, Entry, RowBuilder
from indexer.catalog.text import without_controls
from indexer.catalog.text_source import Encoding, open_text
from indexer.errors import FeedUnreadable
from indexer.products import RowError

DELIMITERS: Final = (",", "\t", ";", "|")
_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class TableLayout:
    """How a table is written.

    Attributes:
        delimiter: what separates cells.
        columns: the header's cells as they are written.
        keys: the key of a row that each column means, see ``fields``.
    """

    delimiter: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]

    @property
    def known_columns(self) -> int:
        """Columns that mean a field."""
        return sum(key.isupper() for key in self.keys)


def layout_of(head: str) -> TableLayout:
    """The layout in which the table's first line makes the most sense: most known columns, then most columns.

    Args:
        head: the beginning of the text, its first line complete.
    """
    layouts = [_layout(head, delimiter) for delimiter in DELIMITERS]
    return max(layouts, key=lambda layout: (layout.known_columns, len(layout.columns)))


def _layout(head: str, delimiter: str) -> TableLayout:
    rows = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    try:
        header = next((row for row in rows if any(row)), [])
    except csv.Error:
        header = []
    if len(header) > MAX_FIELDS:
        header = []
    return TableLayout(delimiter, tuple(header), keys_of(header))


def require_columns(path: Path, columns: tuple[str, ...], keys: tuple[str, ...]) -> None:
    """Raise ``FeedUnreadable`` if ``keys`` lack an id, a title or a picture."""
    missing = [name for name, key in REQUIRED if key not in keys and not (key == "IMAGE" and "IMAGES" in keys)]
    if missing:
        shown = ", ".join(repr(without_controls(column)[:40]) for column in columns[:20]) or "none"
        raise FeedUnreadable(
            f"{path} has no column for {' and '.join(missing)}; its columns are {shown}.",
            "Its first line must name the columns, among them id, title and image_link.",
        )


def read_table(source: ByteSource, encoding: Encoding, layout: TableLayout, builder: RowBuilder) -> Iterator[Entry]:
    """Yield what each row below the header is; rows without any content are passed over.

    Raises:
        FeedUnreadable, FeedUnsafe: from the source.
    """
    lines = _Lines(source, encoding)
    rows = csv.reader(lines, delimiter=layout.delimiter)
    keys = layout.keys
    width = len(keys)
    out: list[Entry] = []
    header_met = False
    while True:
        first_line = lines.start_row()
        try:
            cells = next(rows)
        except StopIteration:
            break
        except (csv.Error, _RowTooLarge) as error:
            out.append(RowError(first_line, "", _why_unread(error, first_line, lines.number)))
            continue
        if not header_met:
            header_met = any(cells)
        elif len(cells) == width:
            if any(cells):
                builder.add(dict(zip(keys, cells, strict=True)), first_line, out)
        elif any(cells):
            out.append(_wrong_width(cells, layout, first_line))
        if len(out) >= _BATCH:
            yield from out
            out.clear()
    yield from out


class _RowTooLarge(Exception):
    """A row went on for more than ``MAX_ROW_CHARS``."""


class _Lines:
    """The lines of a table, counted; a row may take up so many characters of them and no more.

    The csv module would collect a row without end, and a file without line ends, until memory is full.
    """

    def __init__(self, source: ByteSource, encoding: Encoding) -> None:
        self.number = 0
        self._read = partial(open_text(source, encoding, "").readline, MAX_ROW_CHARS + 1)
        self._left = MAX_ROW_CHARS

    def start_row(self) -> int:
        """A row begins; returns the number of its first line."""
        self._left = MAX_ROW_CHARS
        return self.number + 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self._left -= len(line)
        if self._left < 0:
            while line and not line.endswith(("\n", "\r")):
                line = self._read()
            raise _RowTooLarge
        return line


def _why_unread(error: Exception, first_line: int, last_line: int) -> str:
    lines = f"line {first_line}" if first_line == last_line else f"lines {first_line} to {last_line}"
    if isinstance(error, _RowTooLarge):
        return f"the row in {lines} {TOO_LARGE}; perhaps a quote is not closed."
    return f"the row in {lines} is not readable ({error}); perhaps a quote is not closed."


def _wrong_width(cells: list[str], layout: TableLayout, line: int) -> RowError:
    """The error for a row with more or fewer cells than the header has columns."""
    position = layout.keys.index("ID")
    product_id = without_controls(cells[position].strip())[:MAX_ID_CHARS] if position < len(cells) else ""
    return RowError(
        line,
        product_id,
        f"the row has {len(cells)} cells and the header {len(layout.keys)} columns; "
        "a cell that holds the delimiter or a line break must be quoted.",
    )
