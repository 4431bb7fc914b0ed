"""Work that several requests want at the same time is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Flight(Generic[Result]):
    task: asyncio.Task[Result]
    waiting: int = 0


class Flights(Generic[Result]):
    """Work under way, by key; belongs to one event loop.

    The work goes on as long as anybody waits for it. An error is everybody's who waits; the next one tries again.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[Result]] = {}
        self._joined = 0

    @property
    def joined(self) -> int:
        """How many waited for work that another had begun."""
        return self._joined

    def is_under_way(self, key: Hashable) -> bool:
        """Whether who asks now joins another."""
        return key in self._flights

    async def join(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """The result of the work under way under this key; without any, of ``work``, which is begun.

        Raises:
            Exception: what the work raises.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(work()))
            flight.task.add_done_callback(lambda _: self._end(key, flight))
        else:
            self._joined += 1
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                flight.task.cancel()
                self._end(key, flight)  # who comes now must not join what is being cancelled

    def _end(self, key: Hashable, flight: _Flight[Result]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
