"""Equal work under way at the same time is done once."""

from __future__ import annotations

import asyncio

import pytest

from search_api.flights import Flights


class Work:
    """Counts how often it is begun, and ends when it may."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.may_end = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return number


async def started(count: int, flights: Flights[int], work: Work) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(flights.join("key", work)) for _ in range(count)]
    await asyncio.sleep(0.01)
    return tasks


def test_many_get_the_result_of_one() -> None:
    async def run() -> None:
        flights, work = Flights[int](), Work()
        tasks = await started(5, flights, work)
        assert flights.is_under_way("key")
        work.may_end.set()
        assert await asyncio.gather(*tasks) == [1] * 5
        assert (work.begun, flights.joined, flights.is_under_way("key")) == (1, 4, False)
        assert await flights.join("key", work) == 2

    asyncio.run(run())


def test_an_error_is_everybodys_and_the_next_one_tries_again() -> None:
    async def run() -> None:
        flights, work = Flights[int](), Work()
        work.error = ValueError("no")
        tasks = await started(3, flights, work)
        work.may_end.set()
        assert [str(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == ["no"] * 3
        work.error = None
        assert await flights.join("key", work) == 2

    asyncio.run(run())


def test_one_that_leaves_does_not_take_the_work_along() -> None:
    async def run() -> None:
        flights, work = Flights[int](), Work()
        first, *others = await started(3, flights, work)
        first.cancel()
        await asyncio.sleep(0.01)
        work.may_end.set()
        assert await asyncio.gather(*others) == [1, 1]
        assert work.cancelled == 0

    asyncio.run(run())


def test_when_all_have_left_the_work_ends_and_a_newcomer_begins_anew() -> None:
    async def run() -> None:
        flights, work = Flights[int](), Work()
        tasks = await started(3, flights, work)
        for task in tasks:
            task.cancel()
        newcomer = (await started(1, flights, work))[0]
        assert (work.begun, work.cancelled) == (2, 1)
        work.may_end.set()
        assert await newcomer == 2
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]

    asyncio.run(run())
