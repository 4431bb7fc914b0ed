"""One reindex from its plan to its promotion; resumable at any moment, and searched by nobody until it is promoted."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from indexer.errors import CollectionNotFound, FeedError, PromotionImpossible, SpaceMismatch, StoreDamaged
from indexer.indexing.dispatcher import PlannedRun
from indexer.indexing.progress import IndexProgress, Phase, ProgressListener, no_progress
from indexer.indexing.run import IndexOptions, plan_feed
from indexer.ledger.port import Counts, RunPlan, RunRecord, RunState, new_run_id
from indexer.ledger.reindexes import ReindexCheck, ReindexRecord, ReindexState
from indexer.reindex.parts import ReindexOptions, ReindexParts
from indexer.reindex.promotion import Promotion, reindexing_alone
from indexer.reindex.verify import Filled, Verification, sampled

_log = logging.getLogger(__name__)
_LOOKED_AT = 200
_FILLED_AGAIN = frozenset({ReindexState.FAILED, ReindexState.VERIFIED})
_ENDED = frozenset({ReindexState.PROMOTED, ReindexState.ROLLED_BACK})


def reindex(
    feed: Path, options: ReindexOptions, parts: ReindexParts, listen: ProgressListener = no_progress
) -> ReindexRecord:
    """Indexes a whole feed into a new collection behind the alias of the model, and promotes it if it is fit.

    The same call after an interruption goes on where it stopped; after failed checks it goes on in the same collection.
    Whatever happens before the promotion, searches are answered as before.

    Returns:
        A record that is ``promoted``, ``verified`` (to be promoted later) or ``failed``, with its reason.

    Raises:
        FeedError: the feed cannot be read at all.
        StoreLocked: another reindex is under way, or another process is writing.
        VitrineError: a part failed; what was done is kept.
    """
    core = parts.parts
    with reindexing_alone(core.store, core.ledger, core.catalog, wait_s=options.lock_wait_s) as lease:
        steps = _Reindex(options, parts, listen)
        run = plan_feed(
            feed,
            IndexOptions(True, 0, options.batch_products, options.default_currency),
            core.alias,
        )
        record = steps.begin(run.plan)
        if not steps.promotion.is_switched(record):
            record = steps.fill_and_verify(record, run)
            if record.state is ReindexState.VERIFIED and core.calibrator is not None:
                core.calibrator.target_if_due(record.target, steps.tell_calibrating)
            if record.state is not ReindexState.VERIFIED or not options.promote:
                return record
        try:
            return steps.promotion.promote(record, core.embedder.space, lease)
        except PromotionImpossible as error:
            return steps.promotion.save(replace(record, reason=str(error)))


class _Reindex:
    def __init__(self, options: ReindexOptions, parts: ReindexParts, listen: ProgressListener) -> None:
        self._options = options
        self._all = parts
        self._parts = parts.parts
        self._listen = listen
        self._progress = IndexProgress(Phase.INDEXING, "", 0.0, Counts())
        self.promotion = Promotion(self._parts.store, self._parts.ledger, parts.catch_up, self._tell)

    def begin(self, plan: RunPlan) -> ReindexRecord:
        """The unfinished reindex of the alias, if its target is still there; else a new one with an empty target."""
        parts = self._parts
        alias = parts.alias
        records = (record for record in parts.ledger.reindexes(_LOOKED_AT) if record.alias == alias.name)
        latest = next(records, None)
        current = parts.store.current(alias)
        if latest is not None and latest.state not in _ENDED and self._is_there(latest.target):
            donor = latest.donor if self._is_readable(latest.donor) else current
            if latest.state in _FILLED_AGAIN:
                latest = replace(latest, state=ReindexState.FILLING, run_id="")
            return self.promotion.save(replace(latest, feed=plan.feed, donor=donor))
        with closing(parts.store.target(alias, parts.embedder.space)) as writer:
            target = writer.collection
        now = datetime.now(UTC)
        return self.promotion.save(
            ReindexRecord(
                reindex_id=new_run_id(),
                alias=alias.name,
                feed=plan.feed,
                target=target,
                donor=current,
                state=ReindexState.FILLING,
                started_at=now,
                updated_at=now,
                events_from=self._all.catch_up.position(),
            )
        )

    def fill_and_verify(self, record: ReindexRecord, run: PlannedRun) -> ReindexRecord:
        """The record, ``verified`` or ``failed``."""
        run.plan = replace(run.plan, target=record.target, donor=record.donor)
        filled = self._filled(record, run)
        if filled.state is not RunState.FINISHED:
            return self._failed(replace(record, run_id=filled.run_id), filled.reason)
        record = self.promotion.save(
            replace(record, state=ReindexState.FILLING, run_id=filled.run_id, reason="", checks=())
        )
        parts = self._parts
        with closing(
            parts.store.target(parts.alias, parts.embedder.space, collection=record.target, donor=record.donor)
        ) as writer:
            # whole products that only events brought are in no feed, so the log is gone through from its beginning
            record = self.promotion.replayed(record, writer)
            ids = sampled(writer.product_ids(), self._options.limits.sample)
            writer.publish()
        self._tell(Phase.VERIFYING)
        counts = filled.counts + Counts(failed=len(self.promotion.failed))
        checks = self._checks(Filled(record.target, ids, counts, self._served_points()))
        record = replace(record, checks=checks)
        if short := [check for check in checks if not check.passed]:
            reasons = (f"{item.name} is {item.value:.3f}, the limit {item.limit:.3f} ({item.detail})" for item in short)
            return self._failed(record, f"Not fit to serve: {'; '.join(reasons)}.")
        return self.promotion.save(replace(record, state=ReindexState.VERIFIED, reason=""))

    def _filled(self, record: ReindexRecord, run: PlannedRun) -> RunRecord:
        ledger = self._parts.ledger
        if record.run_id:
            before = ledger.run(record.run_id)
            if before.state is RunState.FINISHED and before.plan == run.plan:
                return before  # it was interrupted after that

        def listen(progress: IndexProgress) -> None:
            self._progress = progress
            self._listen(progress)

        try:
            return self._all.dispatcher.execute(run, listen)
        except FeedError as error:
            self._failed(record, str(error))
            raise

    def _checks(self, filled: Filled) -> tuple[ReindexCheck, ...]:
        parts = self._parts
        verification = Verification(parts.store, parts.pipeline, parts.embedder, self._options.limits)
        if self._all.golden is None:
            return verification.run(filled)
        with self._all.golden() as golden:
            return verification.run(filled, golden)

    def _failed(self, record: ReindexRecord, reason: str) -> ReindexRecord:
        return self.promotion.save(replace(record, state=ReindexState.FAILED, reason=reason))

    def _served_points(self) -> int:
        prefix = f"{self._parts.catalog}--"
        served = [item.points for item in self._parts.store.collections() if item.alias.startswith(prefix)]
        return max(served, default=0)

    def _is_there(self, target: str) -> bool:
        parts = self._parts
        try:
            with closing(parts.store.target(parts.alias, parts.embedder.space, collection=target)) as writer:
                writer.product_points([])
        except (CollectionNotFound, SpaceMismatch, StoreDamaged) as error:
            _log.warning("What the reindex before had filled cannot be gone on with: %s", error.reason)
            return False
        return True

    def _is_readable(self, collection: str) -> bool:
        if not collection:
            return False
        try:
            self._parts.store.collection_reader(collection).close()
        except (CollectionNotFound, StoreDamaged):
            return False
        return True

    def tell_calibrating(self) -> None:
        """Tells that what scores mean is being worked out."""
        self._tell(Phase.CALIBRATING)

    def _tell(self, phase: Phase) -> None:
        self._progress = replace(self._progress, phase=phase)
        self._listen(self._progress)
