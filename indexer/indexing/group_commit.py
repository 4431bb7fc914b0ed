"""Batches written in their order; those that are ready at the same time are written together.

A write waits for the disk once, however much it carries. While the model is what takes long, each batch is written by
itself as soon as it is ready; where nothing is embedded (prices, stock) many share one wait.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain

from indexer.indexing.batch import IndexedBatch, ProductBatch
from indexer.store.port import BatchChange

MOST_TOGETHER = 16
"""Batches in one write: enough to make the wait for the disk small, few enough to lose little when killed."""
PAUSE_S = 0.5
"""Longest time by which a batch is written later than it could be."""


@dataclass(frozen=True, slots=True)
class ReadyBatch:
    """A batch as it was indexed, with newer events in it, and what is left to do for it."""

    batch: ProductBatch
    indexed: IndexedBatch


class GroupCommit:
    """Takes batches in the order of a run; ``commit_next`` is called once for each of them, in one thread.

    A commit is not begun within ``pause_s`` of the one before it unless as many batches as may go together are ready,
    or no more are to come: the engine holds the interpreter while it makes a write durable, so many small ones would
    keep the other stages from working.

    Args:
        commit: makes batches durable and acknowledges each.
        pause_s: between commits.
    """

    def __init__(self, commit: Callable[[Sequence[ReadyBatch]], None], pause_s: float = PAUSE_S) -> None:
        self._commit = commit
        self._pause_s = pause_s
        self._waiting: deque[Future[ReadyBatch]] = deque()
        self._changed = threading.Condition()
        self._complete = False
        self._ahead = 0
        self._not_before_s = 0.0

    def expect(self, ready: Future[ReadyBatch]) -> None:
        """The batch that comes next."""
        with self._changed:
            self._waiting.append(ready)
        ready.add_done_callback(lambda _: self._notify())

    def complete(self) -> None:
        """No more batches come."""
        self._complete = True
        self._notify()

    def commit_next(self) -> None:
        """Waits for the first batch that is not committed yet, and commits it with those behind it that are ready.

        Raises:
            VitrineError: what the first of them raised; or the store, or the ledger.
        """
        if self._ahead:
            self._ahead -= 1  # it was committed together with an earlier one
            return
        with self._changed:
            first = self._waiting.popleft()
        group = [first.result()]
        self._gather(group)
        self._ahead = len(group) - 1
        self._commit(group)
        self._not_before_s = time.monotonic() + self._pause_s

    def _gather(self, group: list[ReadyBatch]) -> None:
        with self._changed:
            while True:
                while self._waiting and len(group) < MOST_TOGETHER and _succeeded(self._waiting[0]):
                    group.append(self._waiting.popleft().result())
                left_s = self._not_before_s - time.monotonic()
                next_failed = bool(self._waiting) and self._waiting[0].done()
                is_last = self._complete and not self._waiting
                if len(group) >= MOST_TOGETHER or next_failed or is_last or left_s <= 0:
                    return
                self._changed.wait(left_s)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()


def together(changes: Sequence[BatchChange]) -> BatchChange:
    """One change that does what all of them do; they are of different products."""
    if len(changes) == 1:
        return changes[0]
    return BatchChange(
        points=tuple(chain.from_iterable(change.points for change in changes)),
        payloads=tuple(chain.from_iterable(change.payloads for change in changes)),
        deletions=tuple(chain.from_iterable(change.deletions for change in changes)),
    )


def _succeeded(future: Future[ReadyBatch]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
