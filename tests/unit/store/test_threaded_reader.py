"""Where a blocking reader is asked: in threads, or on the event loop where a thread would gain nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer.store.edge_questions import ShardQuestions
from indexer.store.edge_store import EdgeStore
from indexer.store.port import Alias
from indexer.store.queries import NearestQuery, SearchAnswer, SearchQuery
from indexer.store.tuning import IndexTuning
from tests.points import made_up_point, made_up_space, unit_vector
from tests.stores import publish

ALIAS = Alias("products", made_up_space().space_id)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EdgeStore]:
    with closing(EdgeStore(tmp_path / "store", IndexTuning(exact_below=100), follow_s=0.02)) as opened:
        publish(opened, ALIAS, *(made_up_point(f"p{number}", 0, seed=number) for number in range(5)))
        yield opened


@pytest.fixture
def asked_in(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The thread of each search."""
    threads: list[threading.Thread] = []
    search = ShardQuestions.search

    def noted(self: ShardQuestions, query: SearchQuery) -> SearchAnswer:
        threads.append(threading.current_thread())
        return search(self, query)

    monkeypatch.setattr(ShardQuestions, "search", noted)
    return threads


def test_small_questions_to_the_embedded_engine_are_asked_on_the_loop(
    store: EdgeStore, asked_in: list[threading.Thread]
) -> None:
    """The engine holds the interpreter while it searches, so a thread would let nobody else do anything."""

    async def run() -> None:
        reader = store.async_reader(ALIAS)
        query = SearchQuery(unit_vector(1), 5)
        first = await reader.search(query)  # opens the generation, which takes long where it is large
        assert await reader.search(query) == first
        assert await reader.search(SearchQuery(unit_vector(1), 5, offset=400)) == SearchAnswer((), first.collection)
        assert len(await reader.nearest(NearestQuery(unit_vector(1), 5))) == 5
        await reader.close()

    asyncio.run(run())
    here = threading.current_thread()
    assert [thread is here for thread in asked_in] == [False, True, False]


def test_a_generation_that_is_left_is_closed_beside_the_loop(store: EdgeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    closed_in: list[threading.Thread] = []
    close = ShardQuestions.close

    def noted(self: ShardQuestions) -> None:
        closed_in.append(threading.current_thread())
        close(self)

    monkeypatch.setattr(ShardQuestions, "close", noted)

    reader = store.reader(ALIAS)
    with reader._generation():  # a search, which goes on while the reader moves to the next generation
        publish(store, ALIAS, made_up_point("new", 0, seed=9))
        reader.refresh()
        assert not closed_in
    for _ in range(500):
        if closed_in:
            break
        time.sleep(0.01)
    assert [thread is threading.current_thread() for thread in closed_in] == [False]
