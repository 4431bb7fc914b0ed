"""Token buckets in the memory of one process, bounded in number."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

from indexer.rate_limits.port import Rate, Taken

MOST_BUCKETS = 100_000
"""About 20 MB; whoever sends from more addresses than that at once is no case for limits by address."""


class MemoryBuckets:
    """See ``TokenBuckets``; always answers.

    Args:
        most: buckets kept. Beyond it the full ones are forgotten, then those nearest to full, as these lose least.
        clock: seconds, rising.
    """

    def __init__(self, *, most: int = MOST_BUCKETS, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._full_at_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_at_s)

    async def take(self, name: str, rate: Rate, tokens: float = 1.0, *, force: bool = False) -> Taken:
        """See ``TokenBuckets``."""
        now_s = self._clock()
        # never emptier than empty: another rate may have been in force
        empty_s = min(max(self._full_at_s.get(name, 0.0) - now_s, 0.0), rate.span_s)
        wanted_s = empty_s + rate.cost_s(tokens)
        allowed = wanted_s <= rate.span_s
        if allowed or force:
            empty_s = min(wanted_s, rate.span_s)
            if len(self._full_at_s) >= self._most and name not in self._full_at_s:
                self._forget(now_s)
            self._full_at_s[name] = now_s + empty_s
        return Taken.of(rate, tokens, empty_s, allowed=allowed)

    async def ping(self) -> None:
        """See ``TokenBuckets``."""

    async def close(self) -> None:
        """See ``TokenBuckets``."""

    def _forget(self, now_s: float) -> None:
        """Makes room for as many again as stay, so that this is seldom done."""
        kept = {name: full_at_s for name, full_at_s in self._full_at_s.items() if full_at_s > now_s}
        if len(kept) > self._most // 2:
            kept = dict(heapq.nlargest(self._most // 2, kept.items(), key=lambda item: item[1]))
        self._full_at_s = kept
