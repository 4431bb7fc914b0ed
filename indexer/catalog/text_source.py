"""The encoding of a text feed, and its lines."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from typing import Final

from indexer.catalog.byte_source import ByteSource

# Letters of windows-1251 next to each other, the Ukrainian and Belarusian ones included.
_CYRILLIC_PAIR: Final = re.compile(rb"[\xC0-\xFF\xA8\xAA\xAF\xB2\xB3\xB8\xBA\xBF]{2}")
_HIGH: Final = re.compile(rb"[\x80-\xFF]")
_BROKEN: Final = re.compile("[\udc80-\udcff]")
_NOT_ASCII: Final = re.compile("[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the bytes of a text feed are read.

    Attributes:
        name: as Python's codecs know it.
        note: a sentence for the user where it had to be guessed; else empty.
    """

    name: str
    note: str = ""


def encoding_of(head: bytes) -> Encoding:
    """The encoding of a CSV, TSV or JSONL feed, told from its first bytes.

    UTF-8 and UTF-16 by their byte order mark; UTF-16 without one by its zero bytes; else UTF-8, unless most of what is
    not ASCII is not valid UTF-8. Then it is windows-1251 where such bytes stand next to each other, as Cyrillic letters
    do, and windows-1252 where they stand alone, as accented letters do. A UTF-8 feed with some broken characters stays
    UTF-8, and the rows that hold them are bad rows.
    """
    if head.startswith(codecs.BOM_UTF8):
        return Encoding("utf-8-sig")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Encoding("utf-16")
    start = head[:512]
    zeros = (start[0::2].count(0), start[1::2].count(0))
    if 4 * max(zeros) > len(start) and min(zeros) == 0:
        return Encoding("utf-16-be" if zeros[0] else "utf-16-le")
    # Lone surrogates are bytes that are no UTF-8. A character cut in half by the end of the head adds three at most.
    decoded = head.decode("utf-8", "surrogateescape")
    broken = len(_BROKEN.findall(decoded[:-3]))
    if broken == 0 or 2 * broken <= len(_NOT_ASCII.findall(decoded)):
        return Encoding("utf-8")
    name = "windows-1251" if 4 * len(_CYRILLIC_PAIR.findall(head)) > len(_HIGH.findall(head)) else "windows-1252"
    return Encoding(name, f"The file is not valid UTF-8; it is read as {name}.")


def open_text(source: ByteSource, encoding: Encoding, newline: str) -> io.TextIOWrapper:
    """The source as text. A byte that is not valid in its encoding becomes a lone surrogate, which no field may hold.

    Args:
        source: the bytes.
        encoding: as ``encoding_of`` tells it.
        newline: what ends a line: ``""`` for any line end, kept as it is (tables), or ``"\\n"`` (JSONL).
    """
    # UTF-16 has no such escape: there, U+FFFD replaces what is broken.
    errors = "replace" if encoding.name.startswith("utf-16") else "surrogateescape"
    return io.TextIOWrapper(source.stream, encoding.name, errors, newline)
