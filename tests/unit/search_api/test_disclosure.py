"""What strangers, admins and the log are told of failures."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import VitrineError, error_leaves
from search_api import access
from search_api.access import Access, Scope
from search_api.disclosure import one_line
from search_api.problems import STATUS_BY_ERROR, problem_of

INSIDE = "/srv/shop/data at redis://:secret@10.0.0.7"
FIT_FOR_ALL = {"model_loading", "patches_unavailable", "collection_not_found", "overloaded"}
ADMIN = Access("", "", frozenset(Scope))


def detail(error: VitrineError, sender: Access | None) -> str:
    token = access.current.set(sender) if sender else None
    try:
        body: dict[str, str] = json.loads(bytes(problem_of(error).body))
    finally:
        if token:
            access.current.reset(token)
    assert body["code"] == error.code
    return body["detail"]


@pytest.mark.parametrize("leaf", error_leaves(), ids=lambda leaf: leaf.__name__)
@pytest.mark.parametrize("sender", [None, access.OPEN, ADMIN], ids=["unknown", "open", "admin"])
def test_failures_of_the_server_name_its_insides_to_admins_alone(
    leaf: type[VitrineError], sender: Access | None
) -> None:
    error = leaf(INSIDE)
    said = detail(error, sender)
    if STATUS_BY_ERROR[leaf] < 500 or leaf.code in FIT_FOR_ALL or sender is ADMIN:
        assert said == str(error)
    else:
        assert "srv" not in said
        assert "10.0" not in said
        assert "server's log" in said


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        ("/v1/products/a b/ü 品", "/v1/products/a b/ü 品"),
        ("/v1/x\n2026-11-21 ERROR forged", "/v1/x\\n2026-11-21 ERROR forged"),
        ("a\r\x1b[31m\x00\u2028\u202e\ud800", "a\\r\\x1b[31m\\x00\\u2028\\u202e\\ud800"),
    ],
)
def test_line_breaks_and_what_cannot_be_seen_is_escaped(text: str, logged: str) -> None:
    assert one_line(text) == logged


@given(st.text(st.characters()))
def test_whatever_it_is_stays_one_line_that_can_be_written(text: str) -> None:
    logged = one_line(text)
    assert logged.isprintable()
    assert len(f"{logged}x".splitlines()) == 1
    logged.encode()
