"""What a worker does beside its tasks: signs of life, and sending again what waits for its time or was lost."""

from __future__ import annotations

import itertools
import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from indexer.errors import VitrineError
from workers.fleet import Fleet
from workers.messages import (
    ApplyMessage,
    BatchMessage,
    DispatchMessage,
    FinishMessage,
    StartMessage,
    WorkerCard,
    read_message,
)
from workers.names import alias_of, index_queue, of_tenant

_log = logging.getLogger(__name__)
_LONGEST_TICK_S = 1.0
_EVENTS_EVERY_S = 1.0
_LOW_WATER = 16
"""Messages in a queue below which more are fetched for a run that workers dispatch themselves."""


class Upkeep:
    """Threads of its own, for the length of the block.

    Args:
        card: of this worker.
        fleet: what it looks after, with the others.
        behind: tenants of this worker's catalog whose events wait to be applied; without tenants the empty name.
        lease_s: how long signs of life hold.
    """

    def __init__(self, card: WorkerCard, fleet: Fleet, behind: Callable[[], Sequence[str]], *, lease_s: float) -> None:
        self._card = card
        self._space_id = card.embedding_space().space_id
        self._ledger = fleet.ledger
        self._board = fleet.board
        self._attendance = fleet.attendance
        self._sender = fleet.sender
        self._requests = fleet.requests
        self._behind = behind
        self._lease_s = lease_s
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._kept: dict[int, Callable[[], object]] = {}
        self._stopping = threading.Event()
        self._beat = threading.Thread(target=self._beats, name="life", daemon=True)
        self._sweep = threading.Thread(target=self._sweeps, name="sweep", daemon=True)

    def __enter__(self) -> Self:
        self._attendance.sign(self._card)
        self._beat.start()
        self._sweep.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._beat.join()
        self._sweep.join()
        try:
            self._attendance.leave(self._card)
        except VitrineError as failure:
            _log.warning("%s", failure)

    @property
    def is_stopping(self) -> bool:
        """Whether the worker is about to end."""
        return self._stopping.is_set()

    @contextmanager
    def keeping(self, renew: Callable[[], object]) -> Iterator[None]:
        """Calls ``renew`` in time, again and again, until the end of the block."""
        number = next(self._numbers)
        with self._lock:
            self._kept[number] = renew
        try:
            yield
        finally:
            with self._lock:
                del self._kept[number]

    def _beats(self) -> None:
        """Nothing here waits for a queue, so that no sign of life comes late."""
        attempts = _Attempts()
        while not self._stopping.wait(min(_LONGEST_TICK_S, self._lease_s / 6)):
            with self._lock:
                kept = list(self._kept.values())
            for renew in (*kept, lambda: self._attendance.sign(self._card)):
                attempts.make(renew)

    def _sweeps(self) -> None:
        attempts = _Attempts()
        while not self._stopping.wait(min(_LONGEST_TICK_S, self._lease_s / 4)):
            for action in (self._look_after_runs, self._look_after_requests, self._look_after_events):
                attempts.make(action)

    def _look_after_runs(self) -> None:
        for run_id in self._board.running():
            if alias_of(self._ledger.run(run_id).plan.alias).space_id == self._space_id:
                self._look_after(run_id)

    def _look_after(self, run_id: str) -> None:
        depth = self._attendance.depth(index_queue(self._space_id))
        for text in self._board.take_due(run_id, lost_after_s=None if depth else self._lease_s):
            self._sender.send_batch(read_message(BatchMessage, json.loads(text)))
        if self._board.is_complete(run_id) and self._turn(f"finish-sent:{run_id}"):
            self._sender.send_finish(FinishMessage(run_id=run_id, space_id=self._space_id))
        waiting = self._board.to_dispatch(run_id) if depth < _LOW_WATER else ""
        if waiting and self._turn(f"dispatch-sent:{run_id}"):
            self._sender.send_dispatch(read_message(DispatchMessage, json.loads(waiting)))

    def _look_after_requests(self) -> None:
        request_id = self._requests.next_open()
        if request_id and self._turn(f"start-sent:{request_id}", _EVENTS_EVERY_S):
            self._sender.send_start(StartMessage(request_id=request_id, space_id=self._space_id))

    def _look_after_events(self) -> None:
        sent = f"events-sent:{self._card.catalog}:{self._space_id}"
        for tenant in self._behind():
            if self._turn(of_tenant(sent, tenant), _EVENTS_EVERY_S):
                self._sender.send_apply(ApplyMessage(space_id=self._space_id, tenant=tenant))

    def _turn(self, name: str, every_s: float | None = None) -> bool:
        """Whether it is this worker's turn to say it, which it is once in a while."""
        holder = f"{self._card.worker_id}:{next(self._numbers)}"
        return self._ledger.lease(name, holder, every_s or self._lease_s) == holder


class _Attempts:
    """What fails now is tried again at the next turn; the same trouble is told once."""

    def __init__(self) -> None:
        self._said = ""

    def make(self, action: Callable[[], object]) -> None:
        try:
            action()
        except VitrineError as error:
            if error.reason != self._said:
                self._said = error.reason
                _log.warning("%s", error)
        except Exception as error:  # noqa: BLE001 - the thread must go on whatever one run's data holds
            _log.error("upkeep failed", exc_info=error)
        else:
            self._said = ""
