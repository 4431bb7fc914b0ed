"""The one place that says what is tried again, how often, and after how long a wait."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from indexer.errors import VitrineError
from indexer.settings import Settings

_T = TypeVar("_T")
_LONGEST_EXPONENT = 30


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter: a wait is anything between 0 and a bound that doubles.

    Attributes:
        limit: most retries.
        base_s: bound of the first wait.
        max_s: bound of any wait.
    """

    limit: int
    base_s: float
    max_s: float

    @classmethod
    def of(cls, settings: Settings) -> RetryPolicy:
        """As the settings say."""
        return cls(settings.retry_limit, settings.retry_base_s, settings.retry_max_s)

    def allows(self, error: VitrineError, retries: int) -> bool:
        """Whether to try again after that error and as many retries as there were."""
        return error.retryable and retries < self.limit

    def wait_s(self, retries: int) -> float:
        """How long to wait before the next retry.

        Args:
            retries: that there were before it.
        """
        bound_s = min(self.max_s, self.base_s * 2 ** min(retries, _LONGEST_EXPONENT))
        return random.uniform(0, bound_s)  # noqa: S311 - no secret # nosec B311

    def insist(self, action: Callable[[], _T], go_on: Callable[[], bool] = lambda: True) -> _T:
        """The action's result, from the first try that succeeds; waits in this thread.

        Args:
            action: safe to repeat.
            go_on: asked before each retry.

        Raises:
            VitrineError: it is not retryable, the limit is reached, or ``go_on`` said no.
        """
        retries = 0
        while True:
            try:
                return action()
            except VitrineError as error:
                if not self.allows(error, retries) or not go_on():
                    raise
            time.sleep(self.wait_s(retries))
            retries += 1
