"""Work of one request that goes on side by side, and ends as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


async def all_of(work: Iterable[Coroutine[Any, Any, _R]]) -> list[_R]:
    """All results, in order; the first failure, or an end from outside, ends the rest and waits for that."""
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def some_at_once(items: Sequence[_T], work: Callable[[_T], Awaitable[_R]], most: int) -> list[_R]:
    """What work makes of each item, in their order, with so many under way at a time; see ``all_of``."""
    places = asyncio.Semaphore(most)

    async def one(item: _T) -> _R:
        async with places:
            return await work(item)

    return await all_of(one(item) for item in items)
