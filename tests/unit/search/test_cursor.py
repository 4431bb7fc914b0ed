"""Cursors: what goes in comes out, and nothing else is taken for one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import CursorInvalid
from indexer.search import cursor as cursor_module
from indexer.search.cursor import Cursor, read_cursor, shown_key, write_cursor

QUERY = b"a query's hash"


@settings(max_examples=50, deadline=None)
@given(
    window=st.integers(0, 3),
    names=st.frozensets(st.text(max_size=20), max_size=30),
    place=st.text(st.characters(max_codepoint=127), max_size=200),
)
def test_what_is_written_is_read(window: int, names: frozenset[str], place: str) -> None:
    cursor = Cursor().after(window, names, place)
    assert read_cursor(write_cursor(cursor, QUERY), QUERY) == cursor
    assert {shown_key(name) for name in names} == cursor.shown


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    text = write_cursor(Cursor().after(1, frozenset({"a", "b"})), QUERY)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABCabc012-_"))
    changed = text[:at] + other + text[at + 1 :]
    if base64.urlsafe_b64decode(changed + "==") != base64.urlsafe_b64decode(text + "=="):
        with pytest.raises(CursorInvalid):
            read_cursor(changed, QUERY)


@pytest.mark.parametrize("text", ["", "A", "abc", "ü", "not a cursor", "AQ", "A" * 4000, "=" * 8])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(CursorInvalid):
        read_cursor(text, QUERY)


def test_a_cut_cursor_and_one_of_another_query_are_refused() -> None:
    text = write_cursor(Cursor().after(0, frozenset({"a", "b", "c"})), QUERY)
    with pytest.raises(CursorInvalid):
        read_cursor(text[:-8], QUERY)
    with pytest.raises(CursorInvalid, match="not of this query"):
        read_cursor(text, b"another")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with pytest.raises(CursorInvalid):
        read_cursor(text, QUERY)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(min_size=2, max_size=300))
def test_a_forged_check_makes_nothing_but_a_cursor(body: bytes) -> None:
    forged = base64.urlsafe_b64encode(b"\1" + cursor_module._check(body, QUERY) + body).decode().rstrip("=")
    try:
        cursor = read_cursor(forged, QUERY)
    except CursorInvalid:
        return
    assert all(len(key) == 6 for key in cursor.shown)
    assert read_cursor(write_cursor(cursor, QUERY), QUERY) == cursor
