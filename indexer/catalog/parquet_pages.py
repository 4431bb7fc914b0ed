"""What the pages of a Parquet file unpack to, told from their headers before anything is unpacked.

The footer says how large pages are, but nothing holds it to the truth. What is unpacked is decided by the header in
front of each page (Thrift, compact protocol: parquet.thrift ``PageHeader``): pyarrow makes a buffer of the size in
there, and no codec writes beyond it. So the headers are read here, and only they.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

_HEADER_BYTES: Final = 256
_MAX_HEADER_BYTES: Final = 16 * 1024 * 1024
"""Longest header, as in pyarrow: statistics of the values are in there."""
_MAX_DEPTH: Final = 12
_I32, _I64, _LIST, _STRUCT = 5, 6, 9, 12
_DICTIONARY_PAGE: Final = 2
# Type of page → field of its own header, and in that one the field of the encoding.
_OWN_HEADERS: Final = {0: (5, 2), _DICTIONARY_PAGE: (7, 2), 3: (8, 4)}
_LENGTH: Final = struct.Struct("<I")

_Value = int | list["_Value"] | dict[tuple[int, int], "_Value"]
_Fields = dict[tuple[int, int], _Value]  # by field and type


class PageHeaderDamaged(ValueError):
    """What should be the header of a page is none."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A column in a row group, as the footer has it.

    Attributes:
        start, end: of its pages in the file, bytes.
        values: number of them.
        codec: number of ``CompressionCodec`` in parquet.thrift.
        type: number of ``Type`` in parquet.thrift.
    """

    start: int
    end: int
    values: int
    codec: int
    type: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        is_dictionary: whether it holds the dictionary of its column.
        values: number of values, or of entries of the dictionary.
        encoding: number of ``Encoding`` in parquet.thrift.
        packed_bytes, unpacked_bytes: without the header.
        offset: where it starts in the file, behind its header; bytes.
    """

    is_dictionary: bool
    values: int
    encoding: int
    packed_bytes: int
    unpacked_bytes: int
    offset: int


def chunks_of(file: BinaryIO) -> list[list[Chunk]]:
    """The columns of each row group. pyarrow is not asked: it ends the process where some of their fields are damaged.

    Raises:
        PageHeaderDamaged: the footer cannot be read.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    footer_bytes = int.from_bytes(file.read(4), "little")
    file.seek(max(0, size - 8 - footer_bytes))
    try:
        footer = _CompactReader(file.read(footer_bytes)).fields(0)
    except IndexError:
        raise PageHeaderDamaged("the footer has no end") from None
    return [[_chunk(column) for column in _listed(group, 1)] for group in _listed(footer, 4)]


def _listed(fields: _Value, field: int) -> list[_Value]:
    value = fields.get((field, _LIST)) if isinstance(fields, dict) else None
    return value if isinstance(value, list) else []


def _chunk(column: _Value) -> Chunk:
    fields = column.get((3, _STRUCT)) if isinstance(column, dict) else None
    if not isinstance(fields, dict):
        raise PageHeaderDamaged("a column is not described")
    start, dictionary = _number(fields, 9, _I64), fields.get((11, _I64), 0)
    if isinstance(dictionary, int) and 0 < dictionary < start:
        start = dictionary
    # Old writers of Java left the header of the first page out of the size; pyarrow reads 100 bytes more then.
    end = start + _number(fields, 7, _I64) + 100
    return Chunk(start, end, _number(fields, 5, _I64), _number(fields, 4), _number(fields, 1))


def pages_of(file: BinaryIO, offset: int, end: int, values: int) -> Iterator[Page]:
    """The pages of a column in a row group, as far as pyarrow reads them.

    Args:
        offset, end: where the column starts and ends in the file, bytes.
        values: after so many, no further page is read.

    Raises:
        PageHeaderDamaged: a header cannot be read, or holds a number that cannot be.
    """
    seen = 0
    while seen < values and offset < end:
        fields, size = _header(file, offset)
        offset += size
        kind, unpacked, packed = (_number(fields, field) for field in (1, 2, 3))
        if kind in _OWN_HEADERS:  # pages of other types are passed over by pyarrow, but read and unpacked
            own_field, encoding_field = _OWN_HEADERS[kind]
            own = fields.get((own_field, _STRUCT))
            if not isinstance(own, dict):
                raise PageHeaderDamaged("a page has no header of its type")
            count, encoding = _number(own, 1), _number(own, encoding_field)
        else:
            count, encoding = 0, 0
        yield Page(kind == _DICTIONARY_PAGE, count, encoding, packed, unpacked, offset)
        seen += 0 if kind == _DICTIONARY_PAGE else count
        offset += packed


def longest_entry_bytes(dictionary: bytes, entries: int) -> int:
    """Bytes of the longest of texts that are written one behind the other, each behind its length."""
    if not entries or len(dictionary) < 4:
        return 0
    (first,) = _LENGTH.unpack_from(dictionary)
    step = 4 + int(first)
    # Ids are mostly all of one length: told without a loop in Python.
    if len(dictionary) == entries * step and all(dictionary[n::step].count(dictionary[n]) == entries for n in range(4)):
        return step - 4
    longest = at = 0
    unpack, end = _LENGTH.unpack_from, len(dictionary) - 4
    for _ in range(entries):
        if at > end:
            break
        (length,) = unpack(dictionary, at)
        if length > longest:
            longest = length
        at += 4 + length
    return min(longest, len(dictionary))


def _number(fields: _Fields, field: int, kind: int = _I32) -> int:
    value = fields.get((field, kind))
    if not isinstance(value, int) or not 0 <= value < (2**31 if kind == _I32 else 2**63):
        raise PageHeaderDamaged(f"the header of a page or column has no number {field} that can be")
    return value


def _header(file: BinaryIO, offset: int) -> tuple[_Fields, int]:
    """A header's fields and its size in bytes."""
    size = _HEADER_BYTES
    while True:
        file.seek(offset)
        data = file.read(size)
        reader = _CompactReader(data)
        try:
            return reader.fields(0), reader.at
        except IndexError:
            if len(data) < size or size >= _MAX_HEADER_BYTES:
                raise PageHeaderDamaged("the header of a page has no end") from None
        size *= 4


class _CompactReader:
    """Numbers and structures in Thrift's compact protocol; all else is passed over. Beyond the end: ``IndexError``."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def fields(self, depth: int) -> _Fields:
        """Values by field and type: of a field that comes twice the last one counts, as it does for pyarrow."""
        if depth > _MAX_DEPTH:
            raise PageHeaderDamaged("the header of a page nests too deep")
        fields: _Fields = {}
        field = 0
        while (first := self._byte()) & 0x0F:
            field = field + (first >> 4) if first >> 4 else _signed(self._varint()) & 0xFFFF
            kind = first & 0x0F
            value = self._value(kind, depth)
            if isinstance(value, dict):
                known = fields.get((field, kind))
                value = known | value if isinstance(known, dict) else value
            fields[field, kind] = value
        return fields

    def _value(self, kind: int, depth: int) -> _Value:
        if depth > _MAX_DEPTH:
            raise PageHeaderDamaged("the header of a page nests too deep")
        if kind in (1, 2):  # a flag, which its type tells already
            return kind
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return _signed(self._varint())
        if kind == 7:
            self._skip(8)
        elif kind == 8:
            self._skip(self._varint())
        elif kind == _STRUCT:
            return self.fields(depth + 1)
        elif kind == _LIST:
            first = self._byte()
            count = self._varint() if first >> 4 == 15 else first >> 4
            inner = first & 0x0F
            # A flag in a list takes a byte, one that is a field takes none.
            return [self._byte() if inner in (1, 2) else self._value(inner, depth + 1) for _ in range(count)]
        else:  # sets and maps, which there are none of
            raise PageHeaderDamaged("the header of a page holds what none has")
        return 0

    def _byte(self) -> int:
        value = self._data[self.at]
        self.at += 1
        return value

    def _skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self._data):
            raise IndexError

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise PageHeaderDamaged("a number in the header of a page has no end")


def _signed(zigzag: int) -> int:
    return (zigzag >> 1) ^ -(zigzag & 1)
