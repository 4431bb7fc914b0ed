"""When a call is repeated, and how long is waited before: decided here, carried out by either client."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from search_api.client.errors import ApiError, ApiProblem, ApiTimeout, ApiUnreachable


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How much patience a client has.

    Attributes:
        deadline_s: of a call with all its repetitions and pauses.
        timeout_s: that one attempt may wait for a connection, or for the next piece of an answer.
        attempts: at most, the first one among them.
        first_pause_s: at most, before the second attempt; twice that before the third, and so on.
        longest_pause_s: at most, unless the API asks for longer.
    """

    deadline_s: float = 30.0
    timeout_s: float = 10.0
    attempts: int = 5
    first_pause_s: float = 0.2
    longest_pause_s: float = 5.0


class Attempts:
    """The attempts of one call.

    Args:
        policy: how many and how long.
        repeatable: whether the call changes nothing, or the same however often it is made.
        clock: seconds, rising.
        chance: gives 0 to 1; pauses are drawn by chance, so that clients that were refused together do not come back
            together.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        repeatable: bool,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._repeatable = repeatable
        self._clock = clock
        self._chance = chance
        self._start_s = clock()
        self._made = 0

    @property
    def left_s(self) -> float:
        """Until the deadline.

        Raises:
            ApiTimeout: it has passed.
        """
        left_s = self._policy.deadline_s - (self._clock() - self._start_s)
        if left_s <= 0:
            raise ApiTimeout(f"no answer within {self._policy.deadline_s:g} s")
        return left_s

    @property
    def timeout_s(self) -> float:
        """Of the next attempt.

        Raises:
            ApiTimeout: the deadline has passed.
        """
        return min(self._policy.timeout_s, self.left_s)

    def pause_s(self, error: ApiError) -> float:
        """How long to wait before the next attempt.

        Args:
            error: what the last one failed with.

        Raises:
            ApiError: that error; nothing more is to be tried.
        """
        self._made += 1
        pause_s = self._drawn_s(error)
        elapsed_s = self._clock() - self._start_s
        out_of_patience = self._made >= self._policy.attempts or elapsed_s + pause_s >= self._policy.deadline_s
        if out_of_patience or not self._may_repeat(error):
            if self._made > 1:
                error.add_note(f"{self._made} attempts in {elapsed_s:.1f} s")
            raise error
        return pause_s

    def _may_repeat(self, error: ApiError) -> bool:
        if isinstance(error, ApiUnreachable):
            return self._repeatable or not error.sent
        return self._repeatable and isinstance(error, ApiProblem) and error.is_temporary

    def _drawn_s(self, error: ApiError) -> float:
        """By chance up to a bound that doubles each time; what the API asks for comes before it."""
        bound_s = min(self._policy.longest_pause_s, self._policy.first_pause_s * 2.0 ** (self._made - 1))
        asked_s = error.retry_after_s if isinstance(error, ApiProblem) else None
        return (asked_s or 0.0) + self._chance() * bound_s
