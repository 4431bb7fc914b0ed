"""JSON Lines: one object for each product and line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Final, NoReturn

from indexer.catalog.byte_source import ByteSource
from indexer.catalog.fields import keys_of
from indexer.catalog.rows import MAX_FIELDS, MAX_ROW_CHARS, TOO_LARGE, Entry, RowBuilder
from indexer.catalog.text_source import Encoding, open_text
from indexer.products import RowError

_BATCH: Final = 256
_MAX_PLANS: Final = 512


def read_jsonl(source: ByteSource, encoding: Encoding, builder: RowBuilder) -> Iterator[Entry]:
    """Yield what each line is; blank lines are passed over.

    Raises:
        FeedUnreadable, FeedUnsafe: from the source.
    """
    keys = _Keys()
    out: list[Entry] = []
    text = open_text(source, encoding, "\n")
    read_line = partial(text.readline, MAX_ROW_CHARS + 1)
    for number, line in enumerate(iter(read_line, ""), 1):
        if len(line) > MAX_ROW_CHARS and not line.endswith("\n"):
            out.append(RowError(number, "", f"the line {TOO_LARGE}."))
            while (rest := read_line()) and not rest.endswith("\n"):
                pass
        elif not line.isspace():
            _add_line(line, number, keys, builder, out)
        if len(out) >= _BATCH:
            yield from out
            out.clear()
    yield from out


class _Keys(dict[tuple[str, ...], tuple[str, ...]]):
    """Names of an object's members → keys of a row, worked out once for each form that objects have."""

    def __missing__(self, names: tuple[str, ...]) -> tuple[str, ...]:
        keys = keys_of(names)
        if sum(map(len, names)) < 10_000:
            if len(self) >= _MAX_PLANS:
                self.clear()
            self[names] = keys
        return keys


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


# Numbers with a point are kept as they are written: a price must not go through binary floating point.
_decode = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant).decode


def _add_line(line: str, number: int, keys: _Keys, builder: RowBuilder, out: list[Entry]) -> None:
    try:
        values = _decode(line)
    except json.JSONDecodeError as error:
        out.append(RowError(number, "", f"the line is not valid JSON: {error.msg} at column {error.colno}."))
        return
    except (ValueError, ArithmeticError) as error:
        out.append(RowError(number, "", f"the line is not valid JSON: {error}."))
        return
    except RecursionError:
        out.append(RowError(number, "", "the line is nested too deep."))
        return
    if type(values) is not dict or len(values) > MAX_FIELDS:
        what = f"has more than {MAX_FIELDS} members" if type(values) is dict else "is no JSON object"
        out.append(RowError(number, "", f"the line {what}."))
        return
    builder.add(dict(zip(keys[tuple(values)], values.values(), strict=True)), number, out)
