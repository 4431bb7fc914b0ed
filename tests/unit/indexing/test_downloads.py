"""Downloads on their way: bounded, followed by work in threads, given up."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial

import pytest

from indexer.indexing.downloads import Downloads


def as_it_is(download: Future[int]) -> Future[int]:
    return download


def one_more(download: Future[int]) -> int:
    return download.result() + 1


def test_what_follows_a_download_is_its_future() -> None:
    downloads = Downloads(1)
    with ThreadPoolExecutor(1) as threads:
        for error in (None, ValueError("as the test wants it")):
            download: Future[int] = Future()
            assert downloads.begun(partial(as_it_is, download)) is download
            done = downloads.then(download, partial(threads.submit, one_more, download))
            assert not done.done()
            if error is None:
                download.set_result(1)
                assert done.result() == 2
            else:
                download.set_exception(error)
                with pytest.raises(ValueError, match="as the test wants it"):
                    done.result()


def test_one_more_waits_until_another_is_worked_up() -> None:
    downloads = Downloads(2)
    with ThreadPoolExecutor(1) as threads, ThreadPoolExecutor(1) as beginner:
        begun: list[Future[int]] = [Future(), Future(), Future()]
        for item in begun[:2]:
            downloads.begun(partial(as_it_is, item))
        done = [downloads.then(item, lambda: threads.submit(int)) for item in begun[:2]]
        third = beginner.submit(downloads.begun, lambda: begun[2])
        with pytest.raises(TimeoutError):
            third.result(0.2)
        begun[0].set_result(0)
        assert third.result() is begun[2]
        begun[1].set_result(0)
        assert [item.result() for item in done] == [0, 0]


def test_what_needs_no_download_takes_no_room() -> None:
    downloads = Downloads(1)
    for _ in range(3):
        assert downloads.begun(lambda: None) is None


def test_stopping_gives_up_what_is_under_way_and_lets_go_of_who_waits() -> None:
    downloads = Downloads(1)
    download: Future[int] = Future()
    with ThreadPoolExecutor(1) as threads, ThreadPoolExecutor(1) as beginner:
        downloads.begun(lambda: download)
        done = downloads.then(download, lambda: threads.submit(download.result))
        waiting: Future[Future[int] | None] = beginner.submit(downloads.begun, Future)
        downloads.stop()
        with pytest.raises(CancelledError):
            done.result()
        with pytest.raises(CancelledError):
            waiting.result()
        downloads.resume()
        assert downloads.begun(Future) is not None


def test_threads_that_are_gone_are_an_error_and_not_a_silence() -> None:
    downloads = Downloads(1)
    threads = ThreadPoolExecutor(1)
    threads.shutdown()
    download: Future[int] = Future()
    downloads.begun(lambda: download)
    done = downloads.then(download, lambda: threads.submit(int))
    threading.Thread(target=download.set_result, args=(0,)).start()
    with pytest.raises(RuntimeError):
        done.result()
    assert downloads.begun(Future) is not None
