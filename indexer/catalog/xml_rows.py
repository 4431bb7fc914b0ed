"""Rows out of an XML feed: elements of one kind whose children are the fields, wherever in the document they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol
from xml.parsers import expat

from indexer.catalog.byte_source import ByteSource
from indexer.catalog.rows import MAX_ID_CHARS, MAX_ROW_CHARS, TOO_LARGE, Entry, Row
from indexer.catalog.xml_parser import MAX_DEPTH, damage, new_parser, too_deep
from indexer.errors import FeedError, FeedUnreadable, FeedUnsafe
from indexer.products import RowError

_CHUNK_BYTES: Final = 64 * 1024
_MAX_OUTSIDE_PIECES: Final = 64  # pieces of text, each at most as large as the parser's buffer: 4 Mi characters
_MAX_JOINED_CHARS: Final = 4096
# Expat and its Python binding keep every name they met until the document ends.
_MAX_NAMES: Final = 10_000
_MAX_NAMES_CHARS: Final = 1024 * 1024

Attributes = dict[str, str]
Parts = list[tuple[str, str]]


class Dialect(Protocol):
    """What an XML format makes of elements. Its methods are called in the order of the document."""

    roots: frozenset[str]
    """Names the document's outermost element may have."""
    rows: frozenset[str]
    """Names of the elements that are rows."""

    @property
    def keys(self) -> Mapping[str, str]:
        """Name of a child of a row → key in the row that its text is put under; "" for one that ``field`` is to see.
        Must have an answer for every name."""

    def open_root(self, attributes: Attributes) -> None:
        """The outermost element begins."""

    def open_row(self, attributes: Attributes) -> Row:
        """A row begins; returns the dictionary its fields are put in."""

    def field(self, row: Row, name: str, attributes: Attributes, text: str) -> None:
        """A child of the row that holds text: of a name without a key, with attributes, or that occurs again."""

    def parent(self, row: Row, name: str, parts: Parts) -> None:
        """A child of the row that holds elements: their names and texts in order; name "" for text between them."""

    def close_row(self, row: Row, line: int, out: list[Entry]) -> None:
        """The row began in ``line`` and is complete; append what it is. Called some time after its end."""

    def outside(self, name: str, attributes: Attributes, text: str) -> None:
        """An element outside of the rows ends; ``text`` is what stands directly before its end."""


def put_again(row: Row, key: str, text: str) -> None:
    """Put a field that occurs again: of a field of products the first value counts, free attributes keep them all.

    All up to some thousand characters, that is: an attribute repeated without end must not take quadratic time.
    """
    before = row.get(key)
    if not before:
        row[key] = text
    elif not key.isupper() and isinstance(before, str) and len(before) < _MAX_JOINED_CHARS:
        row[key] = f"{before}, {text}"


def read_rows(source: ByteSource, path: Path, dialect: Dialect) -> Iterator[Entry]:
    """Parse a feed piece by piece and yield what its rows are.

    Memory is bounded: by a row of 4 MiB (a larger one is skipped and becomes a ``RowError``), elsewhere by a tag or
    comment of that size.

    Raises:
        FeedUnreadable: not well-formed, broken off, or another root element. The rows before were yielded.
        FeedUnsafe: as ``xml_parser`` says; elements nested too deep; a single tag or comment of 4 MiB; names by the
            thousand, as no feed has them.
    """
    rows: list[tuple[Row, int]] = []
    parser = new_parser(path)
    check = _set_handlers(parser, path, dialect, rows)
    fed_bytes = 0
    data = b"-"
    failure: FeedError | None = None
    while data and failure is None:
        out: list[Entry] = []
        dropped = None
        try:
            data = source.stream.read1(_CHUNK_BYTES)
            parser.Parse(data, not data)
            fed_bytes += len(data)
            dropped = check(fed_bytes)
        except expat.ExpatError as error:
            failure = damage(path, error)
        except FeedError as error:
            failure = error
        # Products are made here and not by the handlers: one thing at a time is 15 % faster, for the sake of the
        # processor's caches.
        for row, line in rows:
            dialect.close_row(row, line, out)
        rows.clear()
        yield from out
        if dropped is not None:
            yield dropped
    if failure is not None:
        raise failure


def _set_handlers(  # noqa: C901 - its branches are those of all its closures together
    parser: expat.XMLParserType, path: Path, dialect: Dialect, rows: list[tuple[Row, int]]
) -> Callable[[int], RowError | None]:
    """Set the handlers for elements and text, which append the rows and their lines to ``rows``.

    Returns what is to be called with the bytes fed after each chunk; it says which row has become too large.

    The handlers are closures, not methods: they run some fifty times for every row, and this is the cheapest form.
    """
    row_names, keys = dialect.rows, dialect.keys
    texts: list[str] = []  # pieces of text since the last tag that matters
    parts: Parts = []  # elements below the open field
    row: Row = {}
    depth = 0
    field_depth = 0  # depth of the open row's children; 0 where no row is open
    line = 0  # where the open row starts
    row_byte = 0
    attributes: Attributes = {}

    def start(name: str, found: Attributes) -> None:
        nonlocal depth, attributes
        depth += 1
        if depth == field_depth:
            texts.clear()  # the white space between fields
            attributes = found
        elif depth > MAX_DEPTH:
            raise too_deep(path, parser)
        elif field_depth:
            keep_text("")
        else:
            start_outside(name, found)

    def start_outside(name: str, found: Attributes) -> None:
        nonlocal field_depth, line, row_byte, row, attributes
        texts.clear()
        attributes = found
        if depth == 1:
            if name not in dialect.roots:
                raise FeedUnreadable(f"{path} has the root element <{name[:60]}>, not {_listed(dialect.roots)}.")
            dialect.open_root(found)
        elif name in row_names:
            field_depth = depth + 1
            line = parser.CurrentLineNumber
            row_byte = parser.CurrentByteIndex
            row = dialect.open_row(found)

    def end(name: str) -> None:
        nonlocal depth
        if depth == field_depth:
            key = keys[name]
            if key and not attributes and not parts and key not in row:
                row[key] = "".join(texts)
            else:
                end_field(name)
        elif depth > field_depth > 0:
            keep_text(name)
        else:
            end_outside(name)
        depth -= 1

    def end_field(name: str) -> None:
        if parts:
            keep_text("")
            dialect.parent(row, name, parts.copy())
            parts.clear()
        else:
            dialect.field(row, name, attributes, "".join(texts))

    def end_outside(name: str) -> None:
        nonlocal field_depth
        if field_depth:
            field_depth = 0
            rows.append((row, line))
        else:
            dialect.outside(name, attributes, "".join(texts))
        texts.clear()

    def keep_text(name: str) -> None:
        text = "".join(texts).strip()
        texts.clear()
        if text:
            parts.append((name, text))

    def skip_start(_name: str, _found: Attributes) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise too_deep(path, parser)

    def skip_end(_name: str) -> None:
        nonlocal depth, field_depth
        depth -= 1
        if depth < field_depth - 1:
            field_depth = 0
            listen(skip=False)

    def listen(*, skip: bool) -> None:
        parser.StartElementHandler = skip_start if skip else start
        parser.EndElementHandler = skip_end if skip else end
        parser.CharacterDataHandler = None if skip else texts.append

    names = 0

    def check(fed_bytes: int) -> RowError | None:
        nonlocal names
        if fed_bytes - parser.CurrentByteIndex > MAX_ROW_CHARS:
            raise FeedUnsafe(f"{path} holds a tag or comment that {TOO_LARGE}, behind line {parser.CurrentLineNumber}.")
        if len(parser.intern) != names:
            names = len(parser.intern)
            if names > _MAX_NAMES or sum(len(name) for name in parser.intern if name) > _MAX_NAMES_CHARS:
                raise FeedUnsafe(f"{path} has more than {_MAX_NAMES} different names of elements and attributes.")
        if not field_depth:
            if len(texts) > _MAX_OUTSIDE_PIECES:
                texts.clear()
        elif fed_bytes - row_byte > MAX_ROW_CHARS and parser.StartElementHandler is start:
            texts.clear()
            parts.clear()
            listen(skip=True)
            return RowError(line, str(row.get("ID") or "").strip()[:MAX_ID_CHARS], f"the row {TOO_LARGE}.")
        return None

    listen(skip=False)
    return check


def _listed(names: frozenset[str]) -> str:
    return " or ".join(f"<{name}>" for name in sorted(names))
