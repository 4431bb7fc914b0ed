"""Batches written in their order; those that are ready at the same time are written together.

A write waits for the disk once, however much it carries. While the model is what takes long, each batch is written by
itself as soon as it is ready; where nothing is embedded (prices, stock) many share one wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain

from indexer.indexing.batch import IndexedBatch, ProductBatch
from indexer.store.port import BatchChange

MOST_TOGETHER = 16
"""Batches in one write: enough to make the wait for the disk small, few enough to lose little when killed."""


@dataclass(frozen=True, slots=True)
class ReadyBatch:
    """A batch as it was indexed, with newer events in it, and what is left to do for it."""

    batch: ProductBatch
    indexed: IndexedBatch


class GroupCommit:
    """Takes batches in the order of a run; ``commit_next`` is called once for each of them, in one thread.

    Args:
        commit: makes batches durable and acknowledges each.
    """

    def __init__(self, commit: Callable[[Sequence[ReadyBatch]], None]) -> None:
        self._commit = commit
        self._waiting: deque[Future[ReadyBatch]] = deque()
        self._lock = threading.Lock()
        self._ahead = 0

    def expect(self, ready: Future[ReadyBatch]) -> None:
        """The batch that comes next."""
        with self._lock:
            self._waiting.append(ready)

    def commit_next(self) -> None:
        """Waits for the first batch that is not committed yet, and commits it with those behind it that are ready.

        Raises:
            VitrineError: what the first of them raised; or the store, or the ledger.
        """
        if self._ahead:
            self._ahead -= 1  # it was committed together with an earlier one
            return
        with self._lock:
            first = self._waiting.popleft()
        group = [first.result()]
        with self._lock:
            while self._waiting and len(group) < MOST_TOGETHER and _succeeded(self._waiting[0]):
                group.append(self._waiting.popleft().result())
        self._ahead = len(group) - 1
        self._commit(group)


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
