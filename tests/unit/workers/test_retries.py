"""Retries: only what may pass, within a limit, after waits that grow and differ."""

from __future__ import annotations

import pytest

from indexer.errors import ImageDamaged, LedgerUnavailable, StoreUnavailable, VitrineError
from workers.retries import RetryPolicy

POLICY = RetryPolicy(limit=3, base_s=1.0, max_s=5.0)
QUICK = RetryPolicy(limit=3, base_s=0.001, max_s=0.002)


def test_only_what_is_retryable_is_tried_again_within_the_limit() -> None:
    assert [POLICY.allows(StoreUnavailable("away"), retries) for retries in range(5)] == [True] * 3 + [False] * 2
    assert not POLICY.allows(ImageDamaged("damaged"), 0)


def test_waits_are_spread_over_the_whole_of_a_doubling_bound() -> None:
    for retries, bound_s in ((0, 1.0), (1, 2.0), (2, 4.0), (3, 5.0), (100, 5.0)):
        waits = [POLICY.wait_s(retries) for _ in range(400)]
        assert 0 <= min(waits) < bound_s * 0.1
        assert bound_s * 0.9 < max(waits) <= bound_s


class _Action:
    def __init__(self, *outcomes: VitrineError | str) -> None:
        self._outcomes = list(outcomes)

    def __call__(self) -> str:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, VitrineError):
            raise outcome
        return outcome


def test_insisting_gives_the_first_result() -> None:
    away = LedgerUnavailable("away")
    assert QUICK.insist(_Action(away, away, away, "here")) == "here"
    with pytest.raises(LedgerUnavailable):
        QUICK.insist(_Action(away, away, away, away, "too late"))


def test_insisting_ends_where_nothing_passes_or_nobody_waits() -> None:
    with pytest.raises(ImageDamaged):
        QUICK.insist(_Action(ImageDamaged("damaged"), "never asked"))
    with pytest.raises(LedgerUnavailable):
        QUICK.insist(_Action(LedgerUnavailable("away"), "never asked"), lambda: False)
