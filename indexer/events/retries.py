"""Trying again by itself what may pass: a picture whose host was away when its event was applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.ledger.port import BatchReport


@dataclass(frozen=True, slots=True)
class RetryPace:
    """How often and how soon.

    Attributes:
        limit: tries after the first; then the product stays on the failure list until an event or somebody mends it.
        base_s: before the first of them; doubles with each.
        max_s: before any.
    """

    limit: int = 8
    base_s: float = 1.0
    max_s: float = 60.0


@dataclass(slots=True)
class _Failing:
    tries: int
    due_s: float


class EventRetries:
    """Which products are to be applied again, and when. In memory: a new process leaves it to the failure list."""

    def __init__(self, pace: RetryPace) -> None:
        self._pace = pace
        self._failing: dict[str, _Failing] = {}

    def note(self, report: BatchReport, now_s: float) -> None:
        """Takes in what became of products.

        Args:
            report: of products that were applied.
            now_s: of a clock that never goes back.
        """
        may_pass = {failure.product_id for failure in report.failures if failure.retryable}
        for product_id in report.product_ids:
            before = self._failing.pop(product_id, None)
            tries = 0 if before is None else before.tries
            if product_id in may_pass and tries < self._pace.limit:
                pause_s = min(self._pace.max_s, self._pace.base_s * 2**tries)
                self._failing[product_id] = _Failing(tries + 1, now_s + pause_s)

    def due(self, now_s: float) -> Sequence[str]:
        """Products whose time has come; each is told once."""
        found = [product_id for product_id, item in self._failing.items() if item.due_s <= now_s]
        for product_id in found:
            self._failing[product_id].due_s = float("inf")
        return found
