"""When what may pass is tried again."""

from __future__ import annotations

from indexer.events.retries import EventRetries, RetryPace
from indexer.ledger.port import BatchReport, Counts, Failure, Stage

PACE = RetryPace(limit=3, base_s=1.0, max_s=3.0)


def report(*failed: str, fine: tuple[str, ...] = (), retryable: bool = True) -> BatchReport:
    failures = tuple(
        Failure(item, 0, "a.jpg", Stage.FETCH, "image_fetch_failed", "Away.", retryable=retryable, line=0)
        for item in failed
    )
    return BatchReport(1, Counts(), failures, (*failed, *fine))


def test_each_is_told_once_when_its_time_has_come() -> None:
    retries = EventRetries(PACE)
    retries.note(report("p1", "p2"), 0)
    retries.note(report("p3"), 5)
    assert retries.due(0.9) == []
    assert retries.due(1.0) == ["p1", "p2"]
    assert retries.due(1.0) == []
    assert retries.due(6.0) == ["p3"]


def test_the_wait_before_each_try() -> None:
    retries = EventRetries(PACE)
    for pause_s in (1.0, 2.0, 3.0):
        retries.note(report("p1"), 0)
        assert retries.due(pause_s - 0.01) == []
        assert retries.due(pause_s) == ["p1"]
    retries.note(report("p1"), 0)
    assert retries.due(1e9) == []


def test_what_came_through_or_will_never_do_is_left_alone() -> None:
    retries = EventRetries(PACE)
    retries.note(report("p1", "p2"), 0)
    retries.note(report("p2", fine=("p1",), retryable=False), 0)
    assert retries.due(1e9) == []
    # and a product that failed long ago begins anew
    retries.note(report("p1"), 0)
    assert retries.due(1.0) == ["p1"]
