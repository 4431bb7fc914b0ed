"""What events wait, as small index runs: applied, published, and only then counted as done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from indexer.errors import ConfigurationError
from indexer.events.apply import EventApplier, events_plan
from indexer.events.in_hand import InHand
from indexer.events.port import EventLog
from indexer.events.retries import EventRetries
from indexer.indexing.inline import IndexParts
from indexer.ledger.port import RunLedger, RunPlan, RunState
from indexer.ledger.tenants import TenantRuns
from indexer.store.port import CollectionWriter
from indexer.telemetry.counting import batch_recorded, index_stage
from indexer.telemetry.metrics import EVENT_LAG_SECONDS
from indexer.telemetry.tracing import span

_MAX_BATCHES = 20
"""Of one small index run: what came first must not wait for ever until what came last is applied too."""


class PendingEvents:
    """Brings what an alias answers with up to its event log; one at a time for an alias.

    Args:
        parts: of index runs; where there are tenants, of one tenant, whose the log is.
        log: of events.
        tell: called with a sentence for people when something failed.
        batch_products: most products in a batch.
        in_hand: see ``EventApplier``.
        retries: told what became of products; None: nothing is tried again by itself.
    """

    def __init__(
        self,
        parts: IndexParts,
        log: EventLog,
        tell: Callable[[str], None],
        *,
        batch_products: int = 64,
        in_hand: InHand | None = None,
        retries: EventRetries | None = None,
    ) -> None:
        self._parts = parts
        self._log = log
        self._tell = tell
        self._batch_products = batch_products
        self._retries = retries
        self._applier = EventApplier(
            log, parts.pipeline, parts.embedder, batch_products=batch_products, in_hand=in_hand
        )

    def is_behind(self) -> bool:
        """Whether events wait."""
        return self._log.position() > self._log.applied(self._parts.alias.name).sequence

    def apply(self) -> int:
        """Applies and publishes what events wait, as one small index run; returns how many states that were.

        The position is advanced only after publishing, so whatever a crash undid is done again; and only if the alias
        still answers with the collection that was written to, so that a promotion in between loses nothing.

        Raises:
            StoreLocked: another run is writing.
            VitrineError: a part failed; nothing is lost.
        """
        alias = self._parts.alias
        applied = self._log.applied(alias.name).sequence
        if self._log.position() <= applied:
            return 0
        served = self._parts.store.current(alias)
        writer = self._parts.store.writer(alias, self._parts.embedder.space)
        try:
            with span("events.apply") as traced:
                done = self._apply(applied, writer, served)
                traced.note("vitrine.events", done)
                return done
        finally:
            writer.close()

    def compact(self, keep_days: int) -> int:
        """Forgets deletions and single fields that are applied and older than so many days; returns how many."""
        before = datetime.now(UTC) - timedelta(days=keep_days)
        return self._log.compact(before, self._log.applied(self._parts.alias.name).sequence)

    def _apply(self, applied: int, writer: CollectionWriter, served: str) -> int:
        alias = self._parts.alias
        run_id = begin_events_run(self._parts.ledger, events_plan(alias, datetime.now(UTC), self._parts.tenant))
        appended: list[datetime] = []
        collection = ""
        for _ in range(_MAX_BATCHES):
            states = self._log.since(applied, self._batch_products)
            if not states:
                break
            applied = states[-1].sequence
            report = self._applier.apply([state.product_id for state in states], applied, writer)
            if writer.collection != collection:
                collection = writer.collection
                self._parts.ledger.set_collection(run_id, collection)
            self._parts.ledger.record_batch(run_id, report)
            batch_recorded("events", report)
            appended += [state.appended_at for state in states if state.appended_at is not None]
            if self._retries is not None:
                self._retries.note(report, time.monotonic())
            if report.failures:
                first = report.failures[0]
                self._tell(f"{len(report.failures)} failed, the first: {first.product_id}: {first.reason}")
        written = writer.collection
        with index_stage("publish"):
            writer.publish()
        if self._parts.store.current(alias) not in {served, written}:
            return 0  # promoted away meanwhile: all of it is applied again, to what is served now
        now = datetime.now(UTC)
        lags_s = [max(0.0, (now - moment).total_seconds()) for moment in appended]
        self._log.advance(alias.name, applied, lags_s)
        for lag_s in lags_s:
            EVENT_LAG_SECONDS.observe(lag_s)
        return len(appended)


def begin_events_run(ledger: RunLedger, plan: RunPlan) -> str:
    """The day's run of events, begun if need be; that of an earlier day is ended."""
    for run in ledger.runs(tenant=plan.tenant):
        if run.plan.alias == plan.alias and run.state is RunState.RUNNING and run.plan != plan:
            ledger.finish(run.run_id, RunState.FINISHED)
    return ledger.begin(plan).record.run_id


def retry_events(run_id: str, ledger: RunLedger | TenantRuns, log: EventLog) -> Sequence[str]:
    """Lets the products on the failure list of a run of events be applied once more; returns their ids.

    Raises:
        RunNotFound: no such run.
        ConfigurationError: nothing is on its list.
    """
    failed = list(dict.fromkeys(failure.product_id for failure in ledger.failures(run_id)))
    if not log.again(failed):
        raise ConfigurationError(f"Nothing on the failure list of run {run_id} can be retried.")
    return failed
