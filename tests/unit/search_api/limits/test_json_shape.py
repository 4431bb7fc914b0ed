"""Depth and size of JSON are found whatever pieces it comes in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import JsonTooDeep, JsonTooLarge
from search_api.limits.json_shape import MAX_DEPTH, MAX_STRUCTURE_BYTES, JsonShape, check_shape

documents = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(documents, st.integers(0, MAX_DEPTH + 3), st.integers(1, 7), st.booleans())
def test_the_depth_is_found_in_any_pieces(document: Any, wrapped: int, size: int, ascii_only: bool) -> None:
    for _ in range(wrapped):
        document = [document]
    data = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    shape = JsonShape()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    if depth_of(document) > MAX_DEPTH:
        with pytest.raises(JsonTooDeep):
            list(map(shape.feed, pieces))
    else:
        list(map(shape.feed, pieces))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"\\"}]":', b'{"\\\\":['])
def test_what_never_ends_is_too_deep(opening: bytes) -> None:
    with pytest.raises(JsonTooDeep):
        check_shape(opening * 100_000)


def test_brackets_in_strings_are_none() -> None:
    check_shape(json.dumps({"text": "[" * 1000 + '"' + "{" * 1000 + "\\"}))


def test_strings_may_be_long_and_all_else_not() -> None:
    check_shape('{"photo": "' + "A" * 5_000_000 + '"}')
    for much in ("0," * MAX_STRUCTURE_BYTES, "[]," * MAX_STRUCTURE_BYTES, '"",' * MAX_STRUCTURE_BYTES):
        with pytest.raises(JsonTooLarge):
            check_shape(f"[{much}0]")
