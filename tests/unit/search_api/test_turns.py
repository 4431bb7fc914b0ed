"""Turns at the model: alone on all cores while few wait, beside others on a share each while many do."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from indexer.embedding.choice import ModelChoice
from indexer.embedding.openclip import load_open_clip
from indexer.embedding.port import Embedder
from indexer.embedding.torch_backend import TorchEmbedder
from indexer.errors import ModelFailed
from indexer.points import Vectors
from search_api.admission import Traffic
from search_api.lanes import BatchLimits, Lane
from search_api.model_health import ModelHealth
from search_api.turns import Turn, Turns
from tests.embedders import Surrounded
from tests.unit.search_api.test_model_gate import Held, Poisoned, image, opened, phrase, pictures, until

SHARES = 2
FIRST_GUESS_S = 0.05


class Waiting:
    """Lanes in which queries wait for no model."""

    def __init__(self, *, largest: int = 32, longest_pass_s: float = 100.0) -> None:
        limits = BatchLimits(places=500, largest=largest, longest_pass_s=longest_pass_s)
        ready = threading.Condition()
        self.photos: Lane[str] = Lane("images", lambda _: pytest.fail(), limits, Traffic(), ModelHealth(), ready)
        self.texts: Lane[str] = Lane("texts", lambda _: pytest.fail(), limits, Traffic(), ModelHealth(), ready)
        self.turns = Turns([self.photos, self.texts], ready)

    def take(self) -> Turn:
        turn = self.turns.take(SHARES)
        assert turn is not None
        return turn

    def add(self, photos: int = 0, texts: int = 0) -> None:
        for lane, count in ((self.photos, photos), (self.texts, texts)):
            for number in range(count):
                lane.append(f"{lane.name} {number}")


def seen(turn: Turn) -> tuple[str, int, int]:
    return turn.lane.name, len(turn.batch), turn.shares


@pytest.mark.parametrize("photos", [1, 4, 7])
def test_few_go_together_on_all_cores(photos: int) -> None:
    waiting = Waiting()
    waiting.add(photos)
    assert seen(waiting.take()) == ("images", max(1, photos), 1)


@pytest.mark.parametrize(("photos", "sizes"), [(8, [4, 4]), (9, [4, 4]), (32, [16, 16]), (200, [32, 32])])
def test_many_are_divided_among_the_shares(photos: int, sizes: list[int]) -> None:
    waiting = Waiting()
    waiting.add(photos)
    assert [seen(waiting.take()) for _ in range(2)] == [("images", size, SHARES) for size in sizes]


def test_a_pass_on_a_share_has_half_the_queries_for_it_takes_as_long_as_one_on_all_cores() -> None:
    whole, shared = (Waiting(longest_pass_s=8 * FIRST_GUESS_S) for _ in range(2))
    whole.add(7)
    assert seen(whole.take())[1:] == (7, 1)
    shared.add(100)
    assert seen(shared.take())[1:] == (4, SHARES)


def test_each_lane_has_a_share_while_both_wait() -> None:
    waiting = Waiting()
    waiting.add(photos=20, texts=1)
    assert [seen(waiting.take()) for _ in range(2)] == [("images", 16, SHARES), ("texts", 1, SHARES)]


def test_who_comes_while_a_share_is_free_begins_at_once_and_no_other_waits_for_it() -> None:
    waiting = Waiting()
    waiting.add(photos=8)
    first, second = waiting.take(), waiting.take()
    waiting.turns.end(second)
    waiting.add(texts=1)
    assert seen(waiting.take()) == ("texts", 1, SHARES)
    waiting.turns.end(first)


def test_nothing_begins_beside_a_pass_on_all_cores() -> None:
    waiting = Waiting()
    waiting.add(photos=1)
    alone = waiting.take()
    waiting.add(texts=32)
    taken: list[Turn] = []
    thread = threading.Thread(target=lambda: taken.append(waiting.take()), daemon=True)
    thread.start()
    thread.join(0.1)
    assert not taken
    waiting.turns.end(alone)
    thread.join(30)
    assert [seen(turn) for turn in taken] == [("texts", 16, SHARES)]


def test_turns_on_all_cores_are_not_for_who_wants_a_share() -> None:
    waiting = Waiting()
    waiting.add(photos=7)
    taken: list[Turn | None] = []
    thread = threading.Thread(target=lambda: taken.append(waiting.turns.take(SHARES, shared=True)), daemon=True)
    thread.start()
    thread.join(0.1)
    assert not taken
    waiting.add(photos=1)  # as many as are worth sharing the cores
    thread.join(30)
    assert [seen(turn) for turn in taken if turn is not None] == [("images", 4, SHARES)]


def test_closing_ends_the_wait_of_all() -> None:
    waiting = Waiting()
    taken: list[Turn | None] = []
    threads = [threading.Thread(target=lambda: taken.append(waiting.turns.take(SHARES)), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    waiting.turns.close()
    for thread in threads:
        thread.join(30)
    assert taken == [None] * 3


@pytest.fixture
def shared(tiny_model: str, tmp_path: Path) -> Iterator[Embedder]:
    """The small checkpoint on two cores; afterwards torch has what other tests had."""
    before = torch.get_num_threads()
    yield TorchEmbedder(load_open_clip(ModelChoice(model=tiny_model, models_dir=str(tmp_path))), threads=SHARES)
    torch.set_num_threads(before)


class Noted(Surrounded):
    """Writes down how many passes were under way at once, and on what."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder)
        self.passes: list[tuple[int, bool]] = []
        self._lock = threading.Lock()
        self._here = threading.local()
        self._inside = 0
        self._met = threading.Event()

    @contextmanager
    def on_share(self) -> Iterator[None]:
        with super().on_share():
            self._here.shared = True
            yield
            self._here.shared = False

    @contextmanager
    def around(self, lane: str, count: int) -> Iterator[None]:  # noqa: ARG002
        on_share = getattr(self._here, "shared", False)
        with self._lock:
            self._inside += 1
            self.passes.append((self._inside, on_share))
            if self._inside == SHARES:
                self._met.set()
        if on_share:
            self._met.wait(5)  # for the first that runs beside it
        yield
        with self._lock:
            self._inside -= 1


def test_hundreds_of_mixed_queries_each_get_their_own_vector_from_passes_beside_each_other(shared: Embedder) -> None:
    photos, texts = pictures(150), [f"mug {number}" for number in range(150)]
    expected_photos, expected_texts = shared.embed_images(photos), shared.embed_texts(texts)
    noted = Noted(shared)

    async def run() -> tuple[list[Vectors], list[Vectors]]:
        async with opened(noted) as gate:
            both = await asyncio.gather(
                asyncio.gather(*(image(gate, photo) for photo in photos)),
                asyncio.gather(*(phrase(gate, text) for text in texts)),
            )
            figures = gate.figures()
            assert (figures.images.answered, figures.texts.answered) == (150, 150)
            return both[0], both[1]

    got_photos, got_texts = asyncio.run(run())
    np.testing.assert_allclose(np.stack(got_photos), expected_photos, atol=1e-5)
    np.testing.assert_allclose(np.stack(got_texts), expected_texts, atol=1e-5)
    assert max(inside for inside, _ in noted.passes) == SHARES
    assert all(shared for inside, shared in noted.passes if inside > 1)


def test_queries_that_come_alone_run_in_one_thread_on_all_cores(shared: Embedder) -> None:
    ran: list[tuple[int, int]] = []

    class Where(Surrounded):
        @contextmanager
        def around(self, lane: str, count: int) -> Iterator[None]:  # noqa: ARG002
            ran.append((torch.get_num_threads(), threading.get_ident()))
            time.sleep(0.03)  # so that the other thread has something to do
            yield

    async def run() -> None:
        torch.set_num_threads(SHARES)
        async with opened(Where(shared)) as gate:
            for turn in range(3):
                await asyncio.gather(*(phrase(gate, f"mug {turn} {number}") for number in range(64)))
                for number in range(4):
                    await phrase(gate, f"bag {turn} {number}")

    asyncio.run(run())
    threads = {cores: {thread for count, thread in ran if count == cores} for cores in (1, SHARES)}
    assert {cores: len(own) for cores, own in threads.items()} == {1: SHARES, SHARES: 1}


def test_a_text_is_answered_while_a_pass_of_photos_is_still_under_way(shared: Embedder) -> None:
    class Slow(Held):
        def embed_texts(self, texts: Sequence[str]) -> Vectors:
            return self.embedder.embed_texts(texts)

    async def run() -> None:
        slow = Slow(shared)
        async with opened(slow) as gate:
            photos = [asyncio.create_task(image(gate, photo)) for photo in pictures(1)]
            await until(slow.inside.is_set)
            photos += [asyncio.create_task(image(gate, photo)) for photo in pictures(7)]
            text = asyncio.create_task(phrase(gate, "mug"))
            await asyncio.sleep(0.05)
            assert not text.done()  # behind a pass on all cores
            slow.hold_next()
            await until(slow.inside.is_set)
            assert (await text).shape == (32,)
            assert not any(photo.done() for photo in photos[1:])
            slow.go_on.set()
            await asyncio.gather(*photos)

    asyncio.run(run())


@pytest.mark.parametrize("how", ["raises", "bug", "is not finite", "drops rows"])
def test_a_poison_query_harms_only_itself_on_a_share(shared: Embedder, how: str) -> None:
    photos = pictures(40)
    photos[13] = 255

    async def run() -> list[Vectors | BaseException]:
        async with opened(Poisoned(shared, how)) as gate:
            return await asyncio.gather(*(image(gate, photo) for photo in photos), return_exceptions=True)

    got = asyncio.run(run())
    assert [number for number, vector in enumerate(got) if isinstance(vector, BaseException)] == [13]
    assert isinstance(got[13], ZeroDivisionError if how == "bug" else ModelFailed)
    good = [number for number in range(40) if number != 13]
    expected = shared.embed_images(photos[good])
    np.testing.assert_allclose(np.stack([np.asarray(got[number]) for number in good]), expected, atol=1e-5)
