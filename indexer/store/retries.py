"""Trying again what a server refused for a moment: bounded, with growing, jittered waits."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a call is tried again.

    Attributes:
        patience_s: no new try begins later than this after the first; 0: one try only.
        attempts: most tries, the first included.
        first_wait_s: before the second try; doubles from there.
        longest_wait_s: between two tries.
    """

    patience_s: float = 60.0
    attempts: int = 20
    first_wait_s: float = 0.2
    longest_wait_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Setback:
    """What a failed try means.

    Attributes:
        passing: whether the same call may succeed in a moment.
        wait_s: how long the server asks to wait, None if it does not say.
    """

    passing: bool
    wait_s: float | None = None


def with_retries(action: Callable[[], _T], policy: RetryPolicy, judge: Callable[[Exception], Setback]) -> _T:
    """The action's result, from the first try that succeeds.

    Waits are between half and all of a doubling bound, so that clients that failed together do not return together; a
    server that asks for a certain wait gets it, unless it is longer than the patience left.

    Args:
        action: safe to repeat.
        policy: the bounds.
        judge: says of an exception whether it passes.

    Raises:
        Exception: that of the last try.
    """
    deadline_s = time.monotonic() + policy.patience_s
    bound_s = policy.first_wait_s
    for attempt in range(1, policy.attempts + 1):
        try:
            return action()
        except Exception as error:
            setback = judge(error)
            wait_s = bound_s * random.uniform(0.5, 1.0) if setback.wait_s is None else setback.wait_s  # noqa: S311
            if not setback.passing or attempt == policy.attempts or time.monotonic() + wait_s > deadline_s:
                raise
        time.sleep(wait_s)
        bound_s = min(policy.longest_wait_s, bound_s * 2)
    raise AssertionError("unreachable")
