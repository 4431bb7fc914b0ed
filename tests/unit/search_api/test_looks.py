"""Looks at where things are in a photo take turns with queries, and spoil nothing for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.embedding.patches import PatchTower
from indexer.embedding.port import Embedder
from indexer.errors import ModelFailed, Overloaded, PatchesUnavailable
from search_api.lanes import BatchLimits
from tests.embedders import Wrapped
from tests.unit.search_api.test_model_gate import Held, image, look_at, opened, phrase, pictures, until


def look_of(value: float, passes: list[str], name: str) -> Callable[[], NDArray[np.float32]]:
    def look() -> NDArray[np.float32]:
        assert threading.current_thread().name == "model"
        passes.append(name)
        return np.full((2, 2), value, dtype=np.float32)

    return look


def test_looks_take_turns_with_queries_one_at_a_time(tiny_embedder: Embedder) -> None:
    async def run() -> None:
        held = Held(tiny_embedder)
        async with opened(held) as gate:
            first = asyncio.create_task(phrase(gate, "first"))
            await until(held.inside.is_set)
            order: list[str] = []
            looks = [
                asyncio.create_task(look_at(gate, look_of(number, order, f"look {number}"))) for number in range(3)
            ]
            photos = [asyncio.create_task(image(gate, photo)) for photo in pictures(3)]
            texts = [asyncio.create_task(phrase(gate, f"mug {number}")) for number in range(3)]
            await until(lambda: gate.figures().texts.under_way == 4)
            held.passes = _Noting(order)
            held.go_on.set()
            seen = await asyncio.gather(*looks)
            await asyncio.gather(first, *photos, *texts)
            # neither photos nor texts wait for more than one look
            assert order == ["images", "look 0", "texts", "look 1", "look 2"]
            assert [float(rows[0, 0]) for rows in seen] == [0, 1, 2]
            assert gate.figures().looks.answered == 3

    asyncio.run(run())


class _Noting(list[tuple[str, int]]):
    """Passes of the towers, written down among the looks."""

    def __init__(self, order: list[str]) -> None:
        super().__init__()
        self.order = order

    def append(self, item: tuple[str, int]) -> None:
        self.order.append(item[0])


def test_a_look_that_fails_is_its_own_fault(tiny_embedder: Embedder) -> None:
    def failing() -> NDArray[np.float32]:
        raise ModelFailed("The patches cannot be computed.")

    def not_finite() -> NDArray[np.float32]:
        return np.full((2, 2), np.nan, dtype=np.float32)

    async def run() -> None:
        async with opened(tiny_embedder) as gate:
            for look in (failing, not_finite):
                with pytest.raises(ModelFailed):
                    await look_at(gate, look)
            await gate.check()
            assert (await phrase(gate, "mug")).shape == (32,)
            assert gate.figures().looks.failed == 2

    asyncio.run(run())


def test_looks_have_places_of_their_own(tiny_embedder: Embedder) -> None:
    async def run() -> None:
        held = Held(tiny_embedder)
        async with opened(held, BatchLimits(places=2, largest=8, longest_pass_s=10.0)) as gate:
            text = asyncio.create_task(phrase(gate, "mug"))
            await until(held.inside.is_set)
            looks = [asyncio.create_task(look_at(gate, look_of(1, [], ""))) for _ in range(2)]
            await until(lambda: gate.figures().looks.under_way == 2)
            with pytest.raises(Overloaded):
                await look_at(gate, look_of(1, [], ""))
            held.go_on.set()
            await asyncio.gather(text, *looks)

    asyncio.run(run())


class _Opening(Wrapped):
    """Counts how often its tower is opened."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder)
        self.opened = 0

    def open_patches(self) -> PatchTower:
        self.opened += 1
        return super().open_patches()


def test_the_tower_is_opened_once_for_all(tiny_embedder: Embedder) -> None:
    async def run() -> None:
        embedder = _Opening(tiny_embedder)
        async with opened(embedder) as gate:
            towers = await asyncio.gather(*(gate.patch_tower() for _ in range(8)))
            assert len(set(map(id, towers))) == 1
            assert embedder.opened == 1

    asyncio.run(run())


def test_a_tower_that_cannot_be_opened_is_told_to_each_that_asks(tiny_embedder: Embedder) -> None:
    class Blind(Wrapped):
        def open_patches(self) -> PatchTower:
            raise PatchesUnavailable("No patches.")

    async def run() -> None:
        async with opened(Blind(tiny_embedder)) as gate:
            for _ in range(2):
                with pytest.raises(PatchesUnavailable):
                    await gate.patch_tower()

    asyncio.run(run())
