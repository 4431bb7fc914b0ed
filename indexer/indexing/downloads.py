"""Downloads of a run: how many are on their way, what follows each, and giving them up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

_T = TypeVar("_T")


class Downloads:
    """Bounds what is downloaded and not yet worked up, as that lies in memory.

    Args:
        limit: of them; whoever begins one more waits.
    """

    def __init__(self, limit: int) -> None:
        self._free = threading.Semaphore(limit)
        self._lock = threading.Lock()
        self._under_way: set[Future[Any]] = set()
        self._stopped = False

    def begun(self, begin: Callable[[], Future[_T] | None]) -> Future[_T] | None:
        """What ``begin`` gives, once there is room for it.

        Raises:
            CancelledError: stopped for now.
        """
        self._free.acquire()
        download = None
        try:
            download = self._begun(begin)
        finally:
            if download is None:
                self._free.release()
        return download

    def _begun(self, begin: Callable[[], Future[_T] | None]) -> Future[_T] | None:
        with self._lock:
            if self._stopped:
                raise CancelledError
            download = begin()
            if download is not None:
                self._under_way.add(download)
            return download

    def then(self, download: Future[Any], work_up: Callable[[], Future[_T]]) -> Future[_T]:
        """A future of what is made of a download; there is room for another one when that is done.

        Args:
            download: begun here.
            work_up: hands it to a thread that may wait; called as soon as the download has ended, well or badly.
        """
        done: Future[_T] = Future()

        def finish(worked_up: Future[_T]) -> None:
            self._free.release()
            if worked_up.cancelled():
                done.cancel()
            elif (error := worked_up.exception()) is not None:
                done.set_exception(error)
            else:
                done.set_result(worked_up.result())

        def begin_work(_: Future[Any]) -> None:
            with self._lock:
                self._under_way.discard(download)
            try:
                work_up().add_done_callback(finish)
            except RuntimeError as error:  # its threads were shut down meanwhile
                self._free.release()
                done.set_exception(error)

        download.add_done_callback(begin_work)
        return done

    def stop(self) -> None:
        """Cancels what is under way, and lets nothing begin until ``resume``."""
        with self._lock:
            self._stopped = True
            under_way = list(self._under_way)
        for download in under_way:
            download.cancel()

    def resume(self) -> None:
        """Lets downloads begin again."""
        with self._lock:
            self._stopped = False
