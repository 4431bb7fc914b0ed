"""The dispatcher of a fleet: a run's batches go to workers, and its progress comes from the ledger."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from indexer import bootstrap
from indexer.errors import ConfigurationError, FeedError, StoreLocked
from indexer.indexing.dispatcher import PlannedRun, QueueStatus
from indexer.indexing.progress import IndexProgress, Phase, ProgressListener
from indexer.ledger.port import RunLedger, RunRecord, RunState
from indexer.settings import Settings
from indexer.spaces import EmbeddingSpace
from indexer.store.port import Alias, VectorStore
from workers.fleet import Fleet, open_fleet
from workers.names import alias_of
from workers.run_feeder import RunFeeder, refuse_beside

_log = logging.getLogger(__name__)
_LOOKS_EVERY_S = 0.25
_NOBODY_THERE_S = 10.0


@contextmanager
def open_celery_dispatcher(settings: Settings) -> Iterator[CeleryDispatcher]:
    """The dispatcher, released at the end.

    Raises:
        ConfigurationError: the settings are not those of a fleet.
        VitrineError: Redis or the store does not answer.
    """
    if settings.store == "edge" or settings.ledger != "redis":
        raise ConfigurationError(
            "Workers need a store and a ledger that several processes write to.",
            "Set store to qdrant and ledger to redis, or dispatcher to inline.",
        )
    with open_fleet(settings) as fleet:
        store = bootstrap.open_store(settings)
        try:
            yield CeleryDispatcher(settings, fleet, store)
        finally:
            store.close()


class CeleryDispatcher:
    """See ``Dispatcher``. It needs no model of its own while a worker of the same model is there."""

    def __init__(self, settings: Settings, fleet: Fleet, store: VectorStore) -> None:
        self._settings = settings
        self._fleet = fleet
        self._store = store
        self._space: EmbeddingSpace | None = None

    @property
    def alias(self) -> Alias:
        """See ``Dispatcher``."""
        return Alias(self._settings.alias_catalog, self._known_space().space_id)

    @property
    def ledger(self) -> RunLedger:
        """See ``Dispatcher``."""
        return self._fleet.ledger

    def execute(self, run: PlannedRun, listen: ProgressListener) -> RunRecord:
        """See ``Dispatcher``."""
        with self._only_dispatcher(run.plan.line) as renew:
            feeder = RunFeeder(self._fleet, self._store, self._known_space())
            refuse_beside(run.plan, self._fleet.ledger)
            record = feeder.begin(run.plan)
            watch = _Watch(self._fleet, record, listen, renew, self._settings.worker_lease_s)
            try:
                feeder.feed(run, record, lambda: watch.wait_for_room(self._settings.dispatch_ahead))
            except FeedError as error:
                self._fleet.ledger.finish(record.run_id, RunState.FAILED, reason=str(error))
                raise
            return watch.until_ended()

    def queues(self) -> Sequence[QueueStatus]:
        """See ``Dispatcher``."""
        spaces = {alias_of(run.plan.alias).space_id for run in self._fleet.ledger.runs()}
        return self._fleet.attendance.queues(sorted(spaces))

    def _known_space(self) -> EmbeddingSpace:
        """The space of the workers whose settings name the same model; without any, that of the model, loaded here.

        Raises:
            ConfigurationError: there are workers of several.
            EmbedderError: the model cannot be loaded.
        """
        if self._space is None:
            settings = self._settings
            spaces = {
                card.embedding_space()
                for card in self._fleet.attendance.present()
                if (card.model, card.pretrained) == (settings.model, settings.pretrained)
            }
            if len(spaces) > 1:
                names = ", ".join(sorted(f"{space.model} ({space.space_id})" for space in spaces))
                raise ConfigurationError(
                    f"Workers of {settings.model} are of several embedding spaces: {names}.",
                    "Start all of them with the same checkpoint, or name it in the setting model.",
                )
            self._space = spaces.pop() if spaces else bootstrap.open_embedder(settings).space
        return self._space

    @contextmanager
    def _only_dispatcher(self, line: str) -> Iterator[_Renewal]:
        """The sole right to dispatch for an alias; that of a killed process lapses within seconds.

        Raises:
            StoreLocked: another process has it.
        """
        ledger, name, lease_s = self._fleet.ledger, f"dispatcher:{line}", self._settings.worker_lease_s
        holder = f"{socket.gethostname()}, process {os.getpid()} ({secrets.token_hex(4)})"
        deadline_s = time.monotonic() + lease_s * 1.5
        while (other := ledger.lease(name, holder, lease_s)) != holder:
            if time.monotonic() > deadline_s:
                raise StoreLocked(f"Another run is being dispatched for {line} by {other}.", "Wait until it is done.")
            time.sleep(_LOOKS_EVERY_S)
        try:
            yield _Renewal(self._fleet, name, holder, lease_s)
        finally:
            ledger.release(name, holder)


class _Renewal:
    """Renews a lease when it is due."""

    def __init__(self, fleet: Fleet, name: str, holder: str, lease_s: float) -> None:
        self._fleet = fleet
        self._name = name
        self._holder = holder
        self._lease_s = lease_s
        self._renewed_s = time.monotonic()

    def if_due(self) -> None:
        """Called often."""
        now_s = time.monotonic()
        if now_s - self._renewed_s > self._lease_s / 3:
            self._renewed_s = now_s
            self._fleet.ledger.lease(self._name, self._holder, self._lease_s)


class _Watch:
    """Shows a run's progress while others do its batches."""

    def __init__(
        self, fleet: Fleet, record: RunRecord, listen: ProgressListener, renewal: _Renewal, patience_s: float
    ) -> None:
        self._fleet = fleet
        self._run_id = record.run_id
        self._listen = listen
        self._renewal = renewal
        self._patience_s = max(patience_s, _NOBODY_THERE_S)
        self._told_s = float("-inf")
        self._alone_since_s: float | None = None

    def wait_for_room(self, ahead: int) -> bool:
        """Waits while so many batches are unfinished; returns False if the run has ended meanwhile."""
        insist, board, ledger = self._fleet.retries.insist, self._fleet.board, self._fleet.ledger
        while True:
            if time.monotonic() - self._told_s > _LOOKS_EVERY_S:
                record = insist(lambda: ledger.run(self._run_id))
                if record.state is not RunState.RUNNING:
                    return False
                self._tell(record)
            if insist(lambda: board.unfinished(self._run_id)) < ahead:
                return True
            time.sleep(_LOOKS_EVERY_S)

    def until_ended(self) -> RunRecord:
        """The run's record once it has ended."""
        while True:
            record = self._fleet.retries.insist(lambda: self._fleet.ledger.run(self._run_id))
            self._tell(record)
            if record.state is not RunState.RUNNING:
                return record
            time.sleep(_LOOKS_EVERY_S)

    def _tell(self, record: RunRecord) -> None:
        self._told_s = time.monotonic()
        self._fleet.retries.insist(self._renewal.if_due)
        self._warn_if_nobody_is_there(record)
        is_last = bool(record.expected_batches) and record.batches >= record.expected_batches
        fraction = 1.0 if is_last else self._fleet.retries.insist(lambda: self._fleet.board.progress(record))
        phase = Phase.PUBLISHING if is_last else Phase.INDEXING
        self._listen(IndexProgress(phase, self._run_id, fraction, record.counts))

    def _warn_if_nobody_is_there(self, record: RunRecord) -> None:
        space_id = alias_of(record.plan.alias).space_id
        cards = self._fleet.retries.insist(self._fleet.attendance.present)
        now_s = time.monotonic()
        if any(card.embedding_space().space_id == space_id for card in cards):
            self._alone_since_s = now_s
            return
        if self._alone_since_s is None:
            self._alone_since_s = now_s
        elif now_s - self._alone_since_s > self._patience_s:
            _log.warning("No worker of the space %s is there. Start one: python -m workers", space_id)
            self._alone_since_s = float("inf")
