"""How far a run is, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from indexer.ledger.port import Counts


class Phase(StrEnum):
    """What a run is doing."""

    INDEXING = "indexing"
    REMOVING = "removing what left the feed"
    PUBLISHING = "publishing"
    CALIBRATING = "working out what scores mean"
    CATCHING_UP = "catching up events"
    VERIFYING = "verifying"
    PROMOTING = "promoting"


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """A moment of a run.

    Attributes:
        phase: what it is doing.
        run_id: of the ledger.
        fraction: of the feed that is done, 0..1.
        counts: sums over finished batches, of earlier sessions of the same run too.
    """

    phase: Phase
    run_id: str
    fraction: float
    counts: Counts


ProgressListener = Callable[[IndexProgress], None]


def no_progress(progress: IndexProgress) -> None:
    """Shows nothing."""
