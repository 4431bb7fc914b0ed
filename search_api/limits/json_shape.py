"""How JSON is nested, found while it comes in and before anything is made of it."""

from __future__ import annotations

import re

from indexer.errors import JsonTooDeep, JsonTooLarge

MAX_DEPTH = 32
"""The deepest filter that is taken needs 20."""
MAX_STRUCTURE_BYTES = 200_000
"""Of all that stands outside of strings: what costs time and objects. A photo in base64 is one string."""

_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_BETWEEN = re.compile(rb'[^"\[\]{}]*+')
_QUOTE, _BACKSLASH = b'"\\'
_OPENING, _CLOSING = b"[{", b"]}"


class JsonShape:
    """Reads one document in pieces; whether it is JSON at all is for the parser to say."""

    def __init__(self) -> None:
        self._depth = 0
        self._structure_bytes = 0
        self._in_string = False
        self._escaped = False

    def feed(self, piece: bytes) -> None:
        """The next piece.

        Raises:
            JsonTooDeep, JsonTooLarge
        """
        position = 0
        if self._escaped and piece:
            position, self._escaped = 1, False
        while position < len(piece):
            position = self._string(piece, position) if self._in_string else self._outside(piece, position)

    def _string(self, piece: bytes, start: int) -> int:
        end = _end(_STRING, piece, start)
        if end < len(piece):
            self._in_string = piece[end] != _QUOTE
            self._escaped = piece[end] == _BACKSLASH  # the last byte of the piece; what it escapes is in the next one
        return end + 1

    def _outside(self, piece: bytes, start: int) -> int:
        end = _end(_BETWEEN, piece, start)
        self._structure_bytes += end + 1 - start
        if self._structure_bytes > MAX_STRUCTURE_BYTES:
            raise JsonTooLarge(
                f"The JSON has more than {MAX_STRUCTURE_BYTES} bytes beside its strings.", "Ask for less at once."
            )
        if end < len(piece):
            self._in_string = piece[end] == _QUOTE
            self._depth += (piece[end] in _OPENING) - (piece[end] in _CLOSING)
            if self._depth > MAX_DEPTH:
                raise JsonTooDeep(f"The JSON is nested deeper than {MAX_DEPTH}.", "Nest less.")
        return end + 1


def check_shape(document: str | bytes) -> None:
    """Returns if a whole document may be parsed.

    Raises:
        JsonTooDeep, JsonTooLarge
    """
    JsonShape().feed(document.encode() if isinstance(document, str) else document)


def _end(pattern: re.Pattern[bytes], piece: bytes, start: int) -> int:
    found = pattern.match(piece, start)
    return found.end() if found else start
