"""Queries that wait for the model, in a lane for photos and one for texts, and which of them go into its next pass."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from indexer.embedding.port import padded_size
from indexer.errors import ImageError, ModelFailed, Overloaded, VitrineError
from indexer.points import Vectors
from indexer.telemetry import metrics
from indexer.telemetry.counting import model_pass
from search_api.admission import Admission, AdmissionLimits, Ending, Traffic
from search_api.model_health import ModelHealth

Item = TypeVar("Item")
_SMOOTHING = 0.2
_FIRST_ITEM_S = 0.05
_WORTH_PADDING = 0.75
_WORTH_HALVING = 16
"""Requests under way in a lane, from which on a pass takes no more than half of them (docs/performance.md)."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What a lane takes, and what goes into one forward pass.

    Attributes:
        places: queries of a lane that may be under way; one more is refused.
        largest: queries in one pass, a power of two.
        longest_pass_s: aimed at, as the other lane waits for a pass's end; probably 1.4 times that at most.
        slowdown: see ``AdmissionLimits``.
    """

    places: int
    largest: int
    longest_pass_s: float
    slowdown: float = 0.0


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """What a lane did since the process started.

    Attributes:
        under_way: queries that hold a place now.
        answered: queries that got their vector.
        passes: forward passes that succeeded; ``answered / passes`` is the mean batch.
        failed: queries that made the model fail, alone.
        refused: queries for which there was no place, or that would have waited too long.
        item_ms: of the model's time that a query takes in a batch, smoothed.
    """

    under_way: int
    answered: int
    passes: int
    failed: int
    refused: int
    item_ms: float


@dataclass(frozen=True, slots=True)
class LaneBacklog:
    """What waits in a lane now, and the seconds that the oldest of it has waited, 0 if nothing does."""

    depth: int
    oldest_age_s: float


@dataclass(slots=True, eq=False)
class Place:
    """In a lane, of a request.

    Attributes:
        answered: queries that got their vector on it; none where a photo was only looked at.
    """

    answered: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Waiting(Generic[Item]):
    """A query, and its vector to come: float32 (D,); cancelled when nobody awaits it any more."""

    item: Item
    vector: Future[Vectors]
    since_s: float = field(default_factory=time.monotonic)


class Lane(Generic[Item]):
    """Queries of one kind, first come first served.

    Args:
        name: of the kind, for the account of the model's health.
        embed: a batch through the model: float32 (B, D), a row for each.
        limits: see there.
        traffic: of all lanes.
        health: hears how passes end.
        ready: guards the queues of all lanes, and is told of what comes.
    """

    def __init__(
        self,
        name: str,
        embed: Callable[[Sequence[Item]], Vectors],
        limits: BatchLimits,
        traffic: Traffic,
        health: ModelHealth,
        ready: threading.Condition,
    ) -> None:
        self.name = name
        self._embed = embed
        self._limits = limits
        self._traffic = traffic
        self._health = health
        self._ready = ready
        self._waiting: deque[Waiting[Item]] = deque()
        # parts of a batch that failed: each goes through the model by itself, before what came later
        self._parts: deque[Sequence[Waiting[Item]]] = deque()
        self._admission = Admission(AdmissionLimits(limits.places, limits.slowdown), traffic)
        self._answered = self._passes = self._failed = self._refused = 0
        self._item_s = _FIRST_ITEM_S
        self._waited = metrics.QUERY_STAGE_SECONDS.labels(f"wait_{name}")

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place in the lane for one query or several of a request, held until the end of the block, however it ends.

        Raises:
            Overloaded: there is none, or a lasting queue is so long already that the query would wait too long.
        """
        with self._ready:
            ticket = self._admission.enter()
            if ticket is None:
                self._refused += 1
                metrics.MODEL_REFUSED.labels(self.name).inc()
                under_way = self._admission.under_way
                back_s = max(self.wait_s(), round(self._traffic.back_s(), 3))
                raise Overloaded(f"{under_way} queries already wait for the model.", retry_after_s=back_s)
        ending = Ending.GIVEN_UP
        place = Place()
        try:
            yield place
            ending = Ending.ANSWERED
        except ImageError:
            ending = Ending.REFUSED
            raise
        finally:
            with self._ready:
                self._admission.leave(ticket, ending, max(1, place.answered))

    def append(self, item: Item) -> Future[Vectors]:
        """Puts a query at the end of the lane."""
        waiting = Waiting(item, Future())
        with self._ready:
            self._waiting.append(waiting)
            self._ready.notify_all()
        waiting.vector.add_done_callback(lambda vector: self._leave(waiting) if vector.cancelled() else None)
        return waiting.vector

    def wait_s(self) -> float:
        """Seconds after which those that have a place now are probably answered."""
        return round(self._admission.under_way * self._item_s, 3)

    @property
    def depth(self) -> int:
        """How many queries wait; asked while ``ready`` is held."""
        return len(self._waiting) + sum(len(part) for part in self._parts)

    def take(self, shares: int = 1, among: int = 1) -> Sequence[Waiting[Item]]:
        """What goes into the next pass, asked while ``ready`` is held; at least one query unless the lane is empty.

        Args:
            shares: of the model's cores, one of which the pass runs on.
            among: passes that begin now, and among which what waits is divided.
        """
        if self._parts:
            return self._parts.popleft()
        return [self._waiting.popleft() for _ in range(self._batch_size(shares, among))]

    def run(self, taken: Sequence[Waiting[Item]], shares: int = 1) -> None:
        """Embeds a batch and answers each query of it; called in a thread of the model.

        A query alone that makes the model fail is answered with the error. A batch that does is halved, and the halves
        go to the front of the lane: what made it fail ends up alone, and all others get their vectors.

        Args:
            taken: from ``take``.
            shares: see there.
        """
        batch = [waiting for waiting in taken if _is_awaited(waiting)]
        if not batch:
            return
        start_s = time.monotonic()
        try:
            vectors = self._checked([waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to a query, not to the thread
            self._on_failure(batch, error)
            return
        pass_s = time.monotonic() - start_s
        self._health.worked(self.name)
        model_pass(self.name, len(batch), pass_s)
        for waiting in batch:
            self._waited.observe(start_s - waiting.since_s)
        with self._ready:
            self._learn(len(batch), pass_s / shares)
            self._passes += 1
            self._answered += len(batch)
        for waiting, vector in zip(batch, vectors, strict=True):
            waiting.vector.set_result(vector.copy())  # a row that is a view would keep the whole batch in memory

    def refuse_all(self, error: VitrineError) -> None:
        """Answers everything that waits with an error."""
        with self._ready:
            left = [waiting for part in [*self._parts, self._waiting] for waiting in part]
            self._parts.clear()
            self._waiting.clear()
        for waiting in left:
            if _is_awaited(waiting):
                waiting.vector.set_exception(error)

    def figures(self) -> LaneFigures:
        """What it did so far."""
        with self._ready:
            return LaneFigures(
                self._admission.under_way,
                self._answered,
                self._passes,
                self._failed,
                self._refused,
                round(self._item_s * 1000, 3),
            )

    def backlog(self) -> LaneBacklog:
        """What waits in it now."""
        with self._ready:
            waiting = [item for part in [*self._parts, self._waiting] for item in part]
            oldest_age_s = time.monotonic() - min(item.since_s for item in waiting) if waiting else 0.0
        return LaneBacklog(len(waiting), oldest_age_s)

    def _checked(self, items: Sequence[Item]) -> Vectors:
        vectors = self._embed(items)
        if len(vectors) != len(items):
            raise ModelFailed(f"The model gave {len(vectors)} vectors for {len(items)} queries.")
        if not np.isfinite(vectors).all():
            raise ModelFailed("The model gave numbers that are not finite.")
        return vectors

    def _on_failure(self, batch: Sequence[Waiting[Item]], error: Exception) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            with self._ready:
                self._parts.extendleft([batch[middle:], batch[:middle]])
            return
        # an error of the query itself, such as a text of which no word is left, says nothing about the model
        if isinstance(error, ModelFailed) or not isinstance(error, VitrineError):
            self._health.failed(self.name, error)
            metrics.failed("model", error.code if isinstance(error, VitrineError) else "model_failed")
            with self._ready:
                self._failed += 1
        batch[0].vector.set_exception(error)

    def _batch_size(self, shares: int, among: int) -> int:
        waiting = max(min(1, len(self._waiting)), len(self._waiting) // among)
        if shares == 1 and self._admission.under_way >= _WORTH_HALVING:
            # the others are embedded while these are answered; else the model would wait for whoever asks next
            waiting = min(waiting, self._admission.under_way // 2)
        # the power of two whose pass is nearest to what is aimed at: smaller passes cost more a query, and a machine on
        # which each query takes a little longer, as it is busy, has the least to spare
        power = round(math.log2(self._limits.longest_pass_s / (shares * self._item_s)))
        largest = min(self._limits.largest, 1 << max(0, power))
        if waiting >= largest:
            return largest
        # backends pad a batch to a power of two. Three are worth the pass of four; of five, the fifth takes the next
        padded = padded_size(waiting)
        return waiting if waiting >= _WORTH_PADDING * padded else padded // 2

    def _learn(self, queries: int, pass_s: float) -> None:
        self._item_s += _SMOOTHING * (pass_s / padded_size(queries) - self._item_s)

    def _leave(self, waiting: Waiting[Item]) -> None:
        with self._ready:
            if waiting in self._waiting:
                self._waiting.remove(waiting)


def _is_awaited(waiting: Waiting[Any]) -> bool:
    """Whether somebody awaits the vector; from now on it cannot be cancelled."""
    return waiting.vector.running() or waiting.vector.set_running_or_notify_cancel()
