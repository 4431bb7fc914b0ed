"""How fast refusals are given: at once to who heeds them, late to who goes on asking all the same."""

from __future__ import annotations

import asyncio

from indexer.rate_limits.memory import MemoryBuckets
from indexer.rate_limits.port import Rate

QUICK = Rate(per_s=10, burst=100)
"""Refusals at once, of one client by this process. Refusals cost time, too: a client that is refused two thousand times
a second takes a processor from everybody, without one of its searches being answered."""
_LATE_S = 1.0
"""What is the least that Retry-After asks for; a refused request that waits holds a connection and nothing else."""
_MOST_CLIENTS = 10_000


class Refusals:
    """The pace of one server's refusals."""

    def __init__(self) -> None:
        self._quick = MemoryBuckets(most=_MOST_CLIENTS)

    async def pace(self, client: str) -> None:
        """Returns when the client may be told.

        Args:
            client: name of an address or a key.
        """
        if not (await self._quick.take(client, QUICK)).allowed:
            await asyncio.sleep(_LATE_S)
