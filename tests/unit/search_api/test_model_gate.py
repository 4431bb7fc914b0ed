"""Queries in batches through a real model: each gets its own vector, whatever the others do to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.embedding.port import Embedder, Pixels
from indexer.errors import ModelFailed, ModelLoading, Overloaded, QueryTextEmpty, VitrineError
from indexer.points import Vectors
from search_api.admission import Traffic
from search_api.lanes import BatchLimits, Lane
from search_api.model_gate import Look, ModelGate
from search_api.model_health import ModelHealth
from tests.embedders import Surrounded, Wrapped

LIMITS = BatchLimits(places=500, largest=8, longest_pass_s=10.0)
POISON = 255


class Held(Surrounded):
    """Waits in its first pass until it may go on, and writes down every pass."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder)
        self.passes: list[tuple[str, int]] = []
        self.inside = threading.Event()
        self.go_on = threading.Event()

    def hold_next(self) -> None:
        """Lets the pass go on that is held, and holds the next one."""
        self.inside.clear()
        self.go_on.set()
        self.go_on = threading.Event()

    @contextmanager
    def around(self, lane: str, count: int) -> Iterator[None]:
        self.passes.append((lane, count))
        self.inside.set()
        assert self.go_on.wait(30)
        yield


class Poisoned(Held):
    """Fails, or gives a row that is not finite, for batches with a certain picture or text."""

    def __init__(self, embedder: Embedder, how: str) -> None:
        super().__init__(embedder)
        self.how = how
        self.go_on.set()

    def embed_images(self, pixels: Pixels) -> Vectors:
        return self._spoilt(super().embed_images(pixels), [bool((row == POISON).all()) for row in pixels])

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self._spoilt(super().embed_texts(texts), [text == "poison" for text in texts])

    def _spoilt(self, vectors: Vectors, poisoned: list[bool]) -> Vectors:
        if any(poisoned):
            if self.how == "raises":
                raise ModelFailed("It does not like one of them.")
            if self.how == "bug":
                raise ZeroDivisionError
            if self.how == "drops rows":
                return np.delete(vectors, np.flatnonzero(poisoned), axis=0)
            vectors[np.array(poisoned)] = np.nan
        return vectors


def pictures(count: int) -> Pixels:
    return np.random.default_rng(5).integers(0, POISON, (count, 32, 32, 3), dtype=np.uint8)


@asynccontextmanager
async def opened(
    embedder: Embedder, limits: BatchLimits = LIMITS, *, deadline_s: float = 30.0
) -> AsyncIterator[ModelGate]:
    gate = ModelGate(lambda: embedder, limits, deadline_s=deadline_s, on_load_failure=lambda _: None)
    gate.start()
    try:
        while True:
            try:
                _ = gate.embedder
                break
            except ModelLoading:
                await asyncio.sleep(0.001)
        yield gate
    finally:
        await asyncio.to_thread(gate.close)


async def image(gate: ModelGate, pixels: Pixels) -> Vectors:
    with gate.image_place() as place:
        return await gate.embed_image(pixels, place)


async def phrase(gate: ModelGate, text: str) -> Vectors:
    with gate.text_place() as place:
        return await gate.embed_text(text, place)


async def look_at(gate: ModelGate, look: Look) -> NDArray[np.float32]:
    with gate.look_place() as place:
        return await gate.look(look, place)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.001)


def test_a_query_that_comes_alone_is_a_pass_alone_and_those_that_wait_go_together(tiny_embedder: Embedder) -> None:
    async def run() -> None:
        held = Held(tiny_embedder)
        async with opened(held) as gate:
            first = asyncio.create_task(phrase(gate, "first"))
            await until(held.inside.is_set)
            others = [asyncio.create_task(phrase(gate, f"mug {number}")) for number in range(20)]
            await asyncio.sleep(0.05)
            assert held.passes == [("texts", 1)]
            held.go_on.set()
            await asyncio.gather(first, *others)
            # the last four of twenty are a batch of four, no padded eight
            assert [count for _, count in held.passes] == [1, 8, 8, 4]
            figures = gate.figures().texts
            assert (figures.answered, figures.passes, figures.under_way) == (21, 4, 0)

    asyncio.run(run())


@pytest.mark.parametrize(("waiting", "sizes"), [(3, [3]), (5, [4, 1]), (6, [6]), (7, [7]), (9, [8, 1])])
def test_batches_do_not_pay_for_padding(tiny_embedder: Embedder, waiting: int, sizes: list[int]) -> None:
    async def run() -> None:
        held = Held(tiny_embedder)
        async with opened(held) as gate:
            first = asyncio.create_task(phrase(gate, "first"))
            await until(held.inside.is_set)
            others = [asyncio.create_task(phrase(gate, f"mug {number}")) for number in range(waiting)]
            await asyncio.sleep(0.05)
            held.go_on.set()
            await asyncio.gather(first, *others)
            assert [count for _, count in held.passes[1:]] == sizes

    asyncio.run(run())


def test_a_slow_model_gets_smaller_batches(tiny_embedder: Embedder) -> None:
    async def run() -> None:
        held = Held(tiny_embedder)
        # less than a single query takes: batches stay batches of one
        async with opened(held, BatchLimits(places=50, largest=8, longest_pass_s=1e-6)) as gate:
            held.go_on.set()
            await asyncio.gather(*(phrase(gate, f"mug {number}") for number in range(20)))
            assert {count for _, count in held.passes} == {1}

    asyncio.run(run())


@pytest.mark.parametrize(("aim", "size"), [(0.5, 1), (1.5, 2), (5.0, 4), (7.0, 8), (11.0, 8), (12.0, 16), (99.0, 16)])
def test_the_size_of_a_pass_is_the_power_of_two_nearest_to_what_is_aimed_at(aim: float, size: int) -> None:
    first_guess_s = 0.05  # of what a query takes, as long as nothing was measured
    limits = BatchLimits(places=64, largest=16, longest_pass_s=aim * first_guess_s)
    lane: Lane[str] = Lane("texts", embedded_texts, limits, Traffic(), ModelHealth(), threading.Condition())
    for number in range(40):
        lane.append(f"mug {number}")
    assert len(lane.take()) == size


@pytest.mark.parametrize(
    ("requests", "sizes"), [(15, [15]), (16, [8, 8]), (32, [16, 16]), (34, [16, 16, 2]), (60, [30, 30])]
)
def test_of_many_requests_half_are_embedded_while_the_others_are_answered(requests: int, sizes: list[int]) -> None:
    limits = BatchLimits(places=64, largest=32, longest_pass_s=99.0)
    lane: Lane[str] = Lane("texts", embedded_texts, limits, Traffic(), ModelHealth(), threading.Condition())
    with ExitStack() as stack:
        for number in range(requests):
            stack.enter_context(lane.place())
            lane.append(f"mug {number}")
        assert [len(lane.take()) for _ in sizes] == sizes
        assert lane.depth == 0


def embedded_texts(texts: Sequence[str]) -> Vectors:
    raise AssertionError(f"{texts} are not to be embedded")


def test_hundreds_of_mixed_queries_each_get_their_own_vector(tiny_embedder: Embedder) -> None:
    photos, texts = pictures(200), [f"mug {number}" for number in range(200)]
    expected_photos = np.concatenate([tiny_embedder.embed_images(photo[None]) for photo in photos])
    expected_texts = np.concatenate([tiny_embedder.embed_texts([text]) for text in texts])
    # the test means something only if vectors of different queries differ by more than the tolerance
    for expected in (expected_photos, expected_texts):
        apart = np.abs(expected[:, None] - expected[None]).max(axis=2) + np.eye(len(expected))
        assert apart.min() > 1e-3

    async def run() -> tuple[list[Vectors], list[Vectors], float]:
        async with opened(tiny_embedder) as gate:
            both = await asyncio.gather(
                asyncio.gather(*(image(gate, photo) for photo in photos)),
                asyncio.gather(*(phrase(gate, text) for text in texts)),
            )
            figures = gate.figures()
            return *both, figures.images.answered / figures.images.passes

    got_photos, got_texts, mean_batch = asyncio.run(run())
    assert mean_batch > 2
    np.testing.assert_allclose(np.stack(got_photos), expected_photos, atol=1e-5)
    np.testing.assert_allclose(np.stack(got_texts), expected_texts, atol=1e-5)
    assert all(vector.base is None for vector in [*got_photos, *got_texts])


def test_a_text_waits_for_one_pass_of_photos_and_photos_take_turns_with_texts(tiny_embedder: Embedder) -> None:
    async def run() -> list[tuple[str, int]]:
        held = Held(tiny_embedder)
        async with opened(held) as gate:
            photos = [asyncio.create_task(image(gate, photo)) for photo in pictures(40)]
            await until(held.inside.is_set)
            texts = [asyncio.create_task(phrase(gate, f"mug {number}")) for number in range(40)]
            await asyncio.sleep(0.05)
            held.go_on.set()
            await asyncio.gather(*photos, *texts)
            return held.passes

    passes = [lane for lane, _ in asyncio.run(run())]
    assert passes[:10] == ["images", "texts"] * 5


@pytest.mark.parametrize("how", ["raises", "bug", "is not finite", "drops rows"])
def test_a_poison_query_harms_only_itself(tiny_embedder: Embedder, how: str) -> None:
    photos = pictures(8)
    photos[5] = POISON
    texts = [*(f"mug {number}" for number in range(6)), "poison", "mug 7"]

    async def run() -> tuple[list[Vectors | BaseException], list[Vectors | BaseException], ModelGate]:
        poisoned = Poisoned(tiny_embedder, how)
        poisoned.go_on.clear()
        async with opened(poisoned) as gate:
            first = asyncio.create_task(phrase(gate, "first"))
            await until(poisoned.inside.is_set)
            waiting = [
                asyncio.gather(*(image(gate, photo) for photo in photos), return_exceptions=True),
                asyncio.gather(*(phrase(gate, text) for text in texts), return_exceptions=True),
            ]
            await asyncio.sleep(0.05)
            poisoned.go_on.set()
            got = [await gathered for gathered in waiting]
            await first
            assert ("images", 8) in poisoned.passes  # it was one batch before it was split
            await gate.check()  # one bad query does not make the model a bad one
            return got[0], got[1], gate

    got_photos, got_texts, gate = asyncio.run(run())
    for got, bad in ((got_photos, 5), (got_texts, 6)):
        assert isinstance(got[bad], ZeroDivisionError if how == "bug" else ModelFailed)
        assert [number for number, vector in enumerate(got) if isinstance(vector, BaseException)] == [bad]
    good = [number for number in range(8) if number != 5]
    expected = tiny_embedder.embed_images(photos[good])
    np.testing.assert_allclose(np.stack([np.asarray(got_photos[number]) for number in good]), expected, atol=1e-5)
    figures = gate.figures()
    assert (figures.images.failed, figures.images.answered) == (1, 7)
    assert (figures.texts.failed, figures.texts.answered) == (1, 8)  # the first among them


def test_a_text_without_words_harms_only_itself_and_says_nothing_of_the_model(tiny_embedder: Embedder) -> None:
    async def run() -> None:
        held = Held(tiny_embedder)
        async with opened(held) as gate:
            first = asyncio.create_task(phrase(gate, "first"))
            await until(held.inside.is_set)
            texts = ["mug", "?!", "bag", "..."]
            waiting = asyncio.gather(*(phrase(gate, text) for text in texts), return_exceptions=True)
            await asyncio.sleep(0.05)
            held.go_on.set()
            got = await waiting
            await first
            assert [isinstance(vector, QueryTextEmpty) for vector in got] == [False, True, False, True]
            passes = len(held.passes)
            await gate.check()
            assert len(held.passes) == passes  # nothing is suspected, so nothing is tried
            assert gate.figures().texts.failed == 0

    asyncio.run(run())


def test_a_tower_that_fails_makes_the_model_unhealthy_until_it_works_though_the_other_does(
    tiny_embedder: Embedder,
) -> None:
    class Blind(Wrapped):
        blind = True

        def embed_images(self, pixels: Pixels) -> Vectors:
            if self.blind:
                raise ModelFailed("It cannot see.")
            return super().embed_images(pixels)

    async def run() -> None:
        blind = Blind(tiny_embedder)
        async with opened(blind) as gate:
            await gate.check()
            with pytest.raises(ModelFailed):
                await image(gate, pictures(1)[0])
            await phrase(gate, "mug")
            with pytest.raises(ModelFailed, match="cannot see"):
                await gate.check()
            blind.blind = False
            await gate.check()
            await image(gate, pictures(1)[0])

    asyncio.run(run())


def test_each_lane_has_its_own_places(tiny_embedder: Embedder) -> None:
    async def run() -> None:
        held = Held(tiny_embedder)
        async with opened(held, BatchLimits(places=2, largest=8, longest_pass_s=10.0)) as gate:
            photos = [asyncio.create_task(image(gate, photo)) for photo in pictures(2)]
            await until(lambda: gate.figures().images.under_way == 2)
            with pytest.raises(Overloaded) as refused:
                await image(gate, pictures(1)[0])
            assert refused.value.retry_after_s > 0
            text = asyncio.create_task(phrase(gate, "mug"))
            await asyncio.sleep(0.05)
            assert not text.done()
            held.go_on.set()
            await asyncio.gather(*photos, text)
            assert (gate.figures().images.refused, gate.figures().texts.refused) == (1, 0)

    asyncio.run(run())


def test_a_query_that_is_cancelled_frees_its_place_and_is_not_embedded(tiny_embedder: Embedder) -> None:
    async def run() -> None:
        held = Held(tiny_embedder)
        async with opened(held, BatchLimits(places=3, largest=8, longest_pass_s=10.0)) as gate:
            first = asyncio.create_task(phrase(gate, "first"))
            await until(held.inside.is_set)
            leaving = [asyncio.create_task(phrase(gate, f"leaving {number}")) for number in range(2)]
            await until(lambda: gate.figures().texts.under_way == 3)
            with pytest.raises(Overloaded):
                await phrase(gate, "one too many")
            for task in leaving:
                task.cancel()
            await asyncio.wait(leaving)
            assert gate.figures().texts.under_way == 1
            staying = [asyncio.create_task(phrase(gate, f"staying {number}")) for number in range(2)]
            await asyncio.sleep(0.05)
            held.go_on.set()
            await asyncio.gather(first, *staying)
            assert held.passes == [("texts", 1), ("texts", 2)]

    asyncio.run(run())


def test_a_query_past_its_deadline_is_told_to_come_back_and_frees_its_place(tiny_embedder: Embedder) -> None:
    async def run() -> None:
        held = Held(tiny_embedder)
        async with opened(held, deadline_s=0.05) as gate:
            with pytest.raises(Overloaded):
                await phrase(gate, "in the model")
            with pytest.raises(Overloaded):
                await phrase(gate, "waits behind it")
            assert gate.figures().texts.under_way == 0
            held.go_on.set()
            await until(lambda: gate.figures().texts.passes == 1)
            assert held.passes == [("texts", 1)]

    asyncio.run(run())


def test_stopping_lets_the_pass_under_way_end_and_refuses_what_waits(tiny_embedder: Embedder) -> None:
    async def run() -> None:
        held = Held(tiny_embedder)
        async with opened(held) as gate:
            first = asyncio.create_task(phrase(gate, "first"))
            await until(held.inside.is_set)
            waiting = [asyncio.create_task(phrase(gate, f"mug {number}")) for number in range(3)]
            await asyncio.sleep(0.05)
            closing = asyncio.create_task(asyncio.to_thread(gate.close))
            await asyncio.sleep(0.05)
            held.go_on.set()
            await closing
            assert (await first).shape == (32,)
            got = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(error) for error in got] == [Overloaded] * 3
            with pytest.raises(Overloaded):
                await phrase(gate, "too late")
            with pytest.raises(VitrineError):
                await asyncio.wait_for(_unready(gate), 30)

    async def _unready(gate: ModelGate) -> None:
        while True:
            await gate.check()  # for two seconds the last success counts
            await asyncio.sleep(0.1)

    asyncio.run(run())


def test_a_gate_that_never_started_closes() -> None:
    gate = ModelGate(lambda: pytest.fail("loaded"), LIMITS, deadline_s=1, on_load_failure=lambda _: None)
    gate.close()
