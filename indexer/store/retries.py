"""Trying again what a server refused for a moment: bounded, with growing, jittered waits."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
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
    patience = _Patience(policy)
    while True:
        try:
            return action()
        except Exception as error:
            wait_s = patience.wait_s(judge(error))
            if wait_s is None:
                raise
        time.sleep(wait_s)


async def with_retries_async(
    action: Callable[[], Awaitable[_T]], policy: RetryPolicy, judge: Callable[[Exception], Setback]
) -> _T:
    """As ``with_retries``, on an event loop."""
    patience = _Patience(policy)
    while True:
        try:
            return await action()
        except Exception as error:
            wait_s = patience.wait_s(judge(error))
            if wait_s is None:
                raise
        await asyncio.sleep(wait_s)


class _Patience:
    """What is left of a policy."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._deadline_s = time.monotonic() + policy.patience_s
        self._bound_s = policy.first_wait_s
        self._attempts = 0

    def wait_s(self, setback: Setback) -> float | None:
        """How long to wait before the next try; None: there is none."""
        self._attempts += 1
        wait_s = self._bound_s * random.uniform(0.5, 1.0) if setback.wait_s is None else setback.wait_s  # noqa: S311 # nosec B311
        self._bound_s = min(self._policy.longest_wait_s, self._bound_s * 2)
        late = time.monotonic() + wait_s > self._deadline_s
        return None if not setback.passing or self._attempts >= self._policy.attempts or late else wait_s
