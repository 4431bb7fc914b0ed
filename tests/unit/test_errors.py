"""The error tree: complete, drawn, and with a status for every leaf."""

from __future__ import annotations

import re

import pytest

from indexer import errors
from indexer.errors import Overloaded, VitrineError, error_leaves
from search_api.problems import STATUS_BY_ERROR, problem_of

LEAVES = error_leaves()


def classes(root: type[VitrineError] = VitrineError) -> list[type[VitrineError]]:
    return [root, *(item for child in root.__subclasses__() for item in classes(child))]


def test_the_drawing_is_the_tree() -> None:
    drawn = re.findall(r"^    [│ ]*[├└]── (\w+)(.*)$", errors.__doc__ or "", re.MULTILINE)
    expected = [(item.__name__, item.retryable) for item in classes()[1:]]
    retryable = {name for name, rest in drawn if "(retryable)" in rest}
    assert [(name, name in retryable) for name, _ in drawn] == expected


def test_codes_are_stable_and_unique() -> None:
    codes = [leaf.code for leaf in LEAVES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_every_leaf_has_a_status_and_a_problem(leaf: type[VitrineError]) -> None:
    assert leaf in STATUS_BY_ERROR, "search_api/problems.py has no HTTP status for it"
    error = Overloaded("busy", 3.2) if leaf is Overloaded else leaf("What happened.", "What to do.")
    response = problem_of(error)
    assert response.status_code == STATUS_BY_ERROR[leaf]
    assert response.media_type == "application/problem+json"
    assert ("retry-after" in response.headers) == (response.status_code in {429, 503})


def test_only_leaves_have_a_status() -> None:
    assert set(STATUS_BY_ERROR) == set(LEAVES)


def test_retryable_errors_do_not_blame_the_client() -> None:
    for leaf, status in STATUS_BY_ERROR.items():
        if leaf.retryable:
            assert status >= 500 or status in {408, 429}, "the two that say: not now"


def test_an_error_reads_as_a_sentence_with_its_remedy() -> None:
    assert (
        str(errors.FeedNotFound("There is no file a.xml.", "Check the path."))
        == "There is no file a.xml. Check the path."
    )
    assert str(errors.FeedNotFound("There is no file a.xml.")) == "There is no file a.xml."
    assert str(Overloaded("Busy.", 2.5)) == "Busy. Try again in 2.5 s."
