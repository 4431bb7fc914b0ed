"""Buckets that processes share, and what counts in their place while they cannot be had."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from indexer.rate_limits.port import BucketsUnavailable, Rate, Taken, TokenBuckets

_log = logging.getLogger(__name__)
_LOOK_S = 1.0


class FallbackBuckets:
    """See ``TokenBuckets``; always answers. A request waits for shared buckets that are gone once, not each time.

    Args:
        shared: asked while they answer; closed with this.
        own: asked otherwise; they start full.
        look_s: how long to go without the shared ones before they are tried again, beside the requests.
        clock: seconds, rising.
    """

    def __init__(
        self,
        shared: TokenBuckets,
        own: TokenBuckets,
        *,
        look_s: float = _LOOK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._own = own
        self._look_s = look_s
        self._clock = clock
        self._away = False
        self._look_at_s = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def take(self, name: str, rate: Rate, tokens: float = 1.0, *, force: bool = False) -> Taken:
        """See ``TokenBuckets``."""
        if not self._away:
            try:
                return await self._shared.take(name, rate, tokens, force=force)
            except BucketsUnavailable as error:
                self._lost(error)
        if self._looking is None and self._clock() >= self._look_at_s:
            self._looking = asyncio.create_task(self._look())
        return await self._own.take(name, rate, tokens, force=force)

    async def ping(self) -> None:
        """See ``TokenBuckets``."""

    async def close(self) -> None:
        """See ``TokenBuckets``."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._shared.close()
        await self._own.close()

    def _lost(self, error: BucketsUnavailable) -> None:
        if not self._away:  # requests that were under way find out one after the other; one of them tells
            _log.warning("Rate limits are counted by each process alone until Redis is back: %s", error)
        self._away = True
        self._look_at_s = self._clock() + self._look_s

    async def _look(self) -> None:
        try:
            await self._shared.ping()
        except BucketsUnavailable:
            self._look_at_s = self._clock() + self._look_s
        else:
            self._away = False
            _log.warning("Rate limits are counted in Redis again.")
        finally:
            self._looking = None
