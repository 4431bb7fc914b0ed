"""What is recorded of a reindex, so that it can be watched, resumed, promoted and rolled back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReindexState(StrEnum):
    """Where a reindex is.

    One whose process died stays ``filling`` or ``promoting`` until the same command goes on with it; one that is
    ``verified`` waits to be promoted; one that ``failed`` its checks is gone on with, too.
    """

    FILLING = "filling"
    FAILED = "failed"
    VERIFIED = "verified"
    PROMOTING = "promoting"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True)
class ReindexCheck:
    """One thing that was verified.

    Attributes:
        name: e.g. ``recall@10``.
        value: what was measured.
        limit: what it is held against.
        passed: whether it is good enough.
        detail: the measurement in words.
    """

    name: str
    value: float
    limit: float
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class ReindexRecord:
    """A reindex as the ledger knows it.

    Attributes:
        reindex_id: sorts by time.
        alias: name of the alias that it is for.
        feed: absolute path.
        target: physical collection that is filled.
        donor: collection behind the alias when it began, whose vectors are copied; empty if there was none.
        state: where it is.
        run_id: of the run that fills the target, empty before it began.
        events_from: position in the event log when it began; what came later may be missing in the donor.
        events_to: position up to which the target has what events said.
        checks: of the last verification.
        reason: why it failed, or what was interrupted, else empty.
        rollback_to: collection that a rollback is switching to; empty while none is under way.
        started_at, updated_at: UTC.
    """

    reindex_id: str
    alias: str
    feed: str
    target: str
    donor: str
    state: ReindexState
    started_at: datetime
    updated_at: datetime
    run_id: str = ""
    events_from: int = 0
    events_to: int = 0
    checks: tuple[ReindexCheck, ...] = ()
    reason: str = ""
    rollback_to: str = ""
