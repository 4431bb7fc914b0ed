"""How threads share the cores of this process."""

from __future__ import annotations

import os

import pytest

from indexer.processors import share_cores_between_threads


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({}, "20000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, None),
    ],
)
def test_what_the_environment_says_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], count: str | None
) -> None:
    monkeypatch.setattr(os, "environ", dict(environment))
    share_cores_between_threads()
    assert os.environ.get("GOMP_SPINCOUNT") == count
