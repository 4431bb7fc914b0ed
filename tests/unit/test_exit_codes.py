"""Signals are named where a process is told of."""

from __future__ import annotations

import signal

import pytest

from indexer.exit_codes import how_it_ended


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-signal.SIGBUS, "was ended by SIGBUS"),
        (-(signal.SIGRTMIN + 3), f"was ended by signal {signal.SIGRTMIN + 3}"),
        (1, "ended"),
        (None, "ended"),
    ],
)
def test_a_signal_is_named(code: int | None, words: str) -> None:
    assert how_it_ended(code) == words
