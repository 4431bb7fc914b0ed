"""What a feed is, told from its first bytes; its name is only asked where they leave it open."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final
from xml.parsers import expat

from indexer.catalog.byte_source import ByteSource
from indexer.catalog.formats import READ, DetectedFeed, FeedFormat
from indexer.catalog.table import TableLayout, layout_of
from indexer.catalog.text_source import encoding_of
from indexer.catalog.xml_parser import damage, new_parser
from indexer.errors import FeedFormatUnknown, FeedUnreadable

HEAD_BYTES: Final = 1024 * 1024
PARQUET_MAGIC: Final = b"PAR1"
_ROOTS: Final = {"rss": FeedFormat.GOOGLE_XML, "feed": FeedFormat.GOOGLE_XML, "yml_catalog": FeedFormat.YML}
_OTHERS: Final = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x28\xb5\x2f\xfd", "packed with Zstandard"),
    (b"BZh", "packed with bzip2"),
    (b"\xfd7zXZ", "packed with xz"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x1f\x8b", "packed with gzip twice"),
)
_HTML: Final = re.compile(
    r"(?:<\?xml[^>]*>\s*)?(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_TABLE_SUFFIXES: Final = frozenset({".csv", ".tsv", ".txt", ".tab"})
_GOOGLE_NAMES: Final = frozenset({"image_link", "image link"})


def detect_format(path: Path) -> DetectedFeed:
    """What a file is.

    Raises:
        FeedNotFound: there is no such file.
        FeedFormatUnknown: it is none of the formats that are read; says what it is instead, where that is known.
        FeedUnreadable: it is empty, damaged, or cannot be opened.
        FeedUnsafe: it begins with something that ``xml_parser`` refuses.
    """
    with ByteSource(path) as source:
        head = source.head(HEAD_BYTES)
        refuse_empty(path, head)
        return DetectedFeed(format_of(path, head, gzipped=source.gzipped), source.gzipped)


def format_of(path: Path, head: bytes, *, gzipped: bool) -> FeedFormat:
    """As ``detect_format``, for content that begins with ``head``."""
    if head.startswith(PARQUET_MAGIC):
        if gzipped:
            raise FeedFormatUnknown(f"{path} is a Parquet file inside gzip.", "Unpack it: Parquet is packed already.")
        return FeedFormat.PARQUET
    for magic, what in _OTHERS:
        if head.startswith(magic):
            raise FeedFormatUnknown(f"{path} is {what}, not a feed.", READ)
    text = head.decode(encoding_of(head).name, "replace").lstrip("\ufeff \t\r\n")
    if text.startswith("<"):
        return _xml_format(path, head, text)
    if text.startswith(("{", "[")):
        return _json_format(path, text)
    return _table_format(path, layout_of(text))


def refuse_empty(path: Path, head: bytes) -> None:
    """Raise ``FeedUnreadable`` if there is nothing in a file, or nothing but zeros and white space."""
    if not head.strip(b"\0 \t\r\n"):
        raise FeedUnreadable(f"{path} is empty.", "Fetch or write the feed again.")


def _xml_format(path: Path, head: bytes, text: str) -> FeedFormat:
    if _HTML.match(text) is not None:
        raise FeedFormatUnknown(
            f"{path} is a web page (HTML), not a feed.", "Perhaps its address asks for a login; open it in a browser."
        )
    root = _root_name(path, head)
    if root not in _ROOTS:
        raise FeedFormatUnknown(f"{path} is XML with the root element <{root[:60]}>, which is no known feed.", READ)
    return _ROOTS[root]


class _RootMet(Exception):
    """The first element was met."""


def _root_name(path: Path, head: bytes) -> str:
    parser = new_parser(path)
    root = ""

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal root
        root = name
        raise _RootMet

    parser.StartElementHandler = start
    try:
        parser.Parse(head, False)
        parser.Parse(b"", True)
    except _RootMet:
        pass
    except expat.ExpatError as error:
        raise damage(path, error) from error
    return root


def _json_format(path: Path, text: str) -> FeedFormat:
    """JSONL, if a line among the first is an object of its own."""
    if text.startswith("["):
        raise FeedFormatUnknown(
            f"{path} is one JSON array, which cannot be read piece by piece.", _ONE_OBJECT_A_LINE.format(".[]")
        )
    for line in text.split("\n", 20)[:20]:
        try:
            if isinstance(json.loads(line), dict):
                return FeedFormat.JSONL
        except (ValueError, RecursionError):
            continue
    if len(text.split("\n", 1)[0].rstrip()) <= 1:
        raise FeedFormatUnknown(f"{path} is JSON with objects over several lines.", _ONE_OBJECT_A_LINE.format("."))
    return FeedFormat.JSONL


_ONE_OBJECT_A_LINE: Final = "Write one object on each line: jq -c '{}' feed.json > feed.jsonl."


def _table_format(path: Path, layout: TableLayout) -> FeedFormat:
    names = [suffix.lower() for suffix in path.suffixes]
    if layout.known_columns < 2 and not (len(layout.columns) > 1 and _TABLE_SUFFIXES.intersection(names)):
        raise FeedFormatUnknown(f"{path} is in a format that is not known.", READ)
    if layout.delimiter == "\t" and _GOOGLE_NAMES.intersection(column.strip().lower() for column in layout.columns):
        return FeedFormat.GOOGLE_TSV
    return FeedFormat.CSV
