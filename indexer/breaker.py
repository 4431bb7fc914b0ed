"""A circuit breaker: a part that failed several times in a row is left alone for a while, and callers hear so at once.

Without one, every request of a shop waits its full time for a server that is gone, and all of them together keep it
busy when it comes back. States as usual (M. Nygard, Release It!, "Circuit Breaker"): *closed* lets calls through; so
many failures in a row *open* it; after a pause it is *half open*: one call may try, and its end closes it or opens it
again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from indexer.errors import VitrineError
from indexer.telemetry.metrics import Breaker, breaker_changed

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens, and for how long.

    Attributes:
        failures: in a row that open it; 0: it never opens.
        pause_s: that it stays open before one call may try.
        least_s: from the beginning of the first of these calls. A server that restarts drops all calls under way at
            once; their next try a moment later is better than a pause.
    """

    failures: int = 5
    pause_s: float = 2.0
    least_s: float = 1.0


class CircuitBreaker:
    """Counts the failures of one part; safe to use from several threads.

    Args:
        part: what it protects, for metrics and messages: ``store``.
        policy: see there.
        failure: raised instead of a call.
        clock_s: monotonic.
    """

    def __init__(
        self,
        part: str,
        policy: BreakerPolicy,
        failure: type[VitrineError],
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._part = part
        self._name = f"The {part}"
        self._policy = policy
        self._failure = failure
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._state = Breaker.CLOSED
        self._failures = 0
        self._failing_since_s = 0.0
        self._try_at_s = 0.0
        breaker_changed(part, self._state)

    @property
    def state(self) -> Breaker:
        """Now."""
        return self._state

    @contextmanager
    def attempt(self, counts: Callable[[Exception], bool]) -> Iterator[None]:
        """One call of the part, in the block; a call that is cancelled says nothing about the part.

        Args:
            counts: whether an exception of the block speaks against the part; others show that it answers.

        Raises:
            VitrineError: ``failure``, with ``retry_after_s``: it is open, or another call tries just now.
        """
        is_probe = self._enter()
        begun_s = self._clock_s()
        try:
            yield
        except Exception as error:
            if counts(error):
                self._failed(begun_s, is_probe=is_probe)
            else:
                self._answered(is_probe=is_probe)
            raise
        except BaseException:
            if is_probe:
                self._release()
            raise
        self._answered(is_probe=is_probe)

    def _enter(self) -> bool:
        """Whether the call is the one that tries."""
        with self._lock:
            if self._state is Breaker.CLOSED:
                return False
            left_s = self._try_at_s - self._clock_s()
            if self._state is Breaker.OPEN and left_s <= 0:
                self._change(Breaker.HALF_OPEN)
                return True
            failures = self._failures
        wait_s = round(left_s, 1) if left_s > 0 else self._policy.pause_s
        error = self._failure(
            f"{self._name} is not asked now, as {failures} calls in a row failed.", f"Try again in {wait_s:g} s."
        )
        error.retry_after_s = wait_s
        raise error

    def _answered(self, *, is_probe: bool) -> None:
        with self._lock:
            if is_probe:
                self._change(Breaker.CLOSED)
                _log.warning("%s answers again; circuit breaker closed", self._name)
            if self._state is Breaker.CLOSED:  # else the call was begun before it opened
                self._failures = 0

    def _failed(self, begun_s: float, *, is_probe: bool) -> None:
        with self._lock:
            if is_probe:
                self._open()
            elif self._state is Breaker.CLOSED:
                if not self._failures:
                    self._failing_since_s = begun_s
                self._failures += 1
                if self._is_due():
                    _log.warning(
                        "%s failed %d times in a row; circuit breaker open, one call tries every %g s",
                        self._name,
                        self._failures,
                        self._policy.pause_s,
                    )
                    self._open()

    def _is_due(self) -> bool:
        lasting = self._clock_s() - self._failing_since_s >= self._policy.least_s
        return 0 < self._policy.failures <= self._failures and lasting

    def _release(self) -> None:
        """A try that came to no end: the next call may try at once."""
        with self._lock:
            self._change(Breaker.OPEN)
            self._try_at_s = self._clock_s()

    def _open(self) -> None:
        self._change(Breaker.OPEN)
        self._try_at_s = self._clock_s() + self._policy.pause_s

    def _change(self, state: Breaker) -> None:
        self._state = state
        breaker_changed(self._part, state)
