"""Running a run under supervision: progress while it lasts, and what is said at its end, however it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from indexer.cli.console import escaped, messages, output, progress_display
from indexer.cli.exit_codes import DONE, DONE_WITH_FAILURES, STOPPED
from indexer.errors import FeedError, VitrineError
from indexer.indexing.progress import IndexProgress, ProgressListener
from indexer.ledger.port import RunLedger, RunRecord, RunState

_T = TypeVar("_T")
_SHOWN_FAILURES = 5
_KEPT = "Finished batches are kept; the same command goes on from there."


def supervise(
    action: Callable[[ProgressListener], RunRecord],
    ledger: RunLedger,
    advice: Callable[[RunRecord], str] | None = None,
) -> int:
    """Runs an index run with a progress display and prints its summary.

    Args:
        action: carries out the run, and tells of its progress.
        ledger: that has it.
        advice: what is said of a run besides, when it is over; empty for nothing.

    Returns:
        The exit code.

    Raises:
        VitrineError: before the run began.
        KeyboardInterrupt: after saying that nothing is lost.
    """
    record = shown(action, _KEPT)
    if record is None:
        return STOPPED
    code = _conclude(record, ledger)
    if advice is not None and (said := advice(record)):
        messages().print(said, markup=False)
    return code


def shown(action: Callable[[ProgressListener], _T], kept: str) -> _T | None:
    """Does something long with a progress display.

    Args:
        action: told whom to tell of its progress.
        kept: a sentence for when it is stopped on the way: what is not lost, and how it goes on.

    Returns:
        What it returns; None after saying what stopped it on the way.

    Raises:
        VitrineError: before it began, or of the feed.
        KeyboardInterrupt: after saying that nothing is lost.
    """
    begun = False
    try:
        with progress_display() as show:

            def listen(progress: IndexProgress) -> None:
                nonlocal begun
                begun = True
                show(progress)

            return action(listen)
    except KeyboardInterrupt:
        messages().print(f"Interrupted. {kept}")
        raise
    except VitrineError as error:
        if not begun or isinstance(error, FeedError):
            raise
        messages().print(f"[bold red]stopped[/]: {escaped(str(error))} {kept}")
        return None


def _conclude(record: RunRecord, ledger: RunLedger) -> int:
    out = output()
    counts = record.counts
    out.print(
        f"{counts.products:,} products, {counts.images:,} pictures: {counts.embedded:,} embedded, "
        f"{counts.reused:,} already known, {counts.payload_updates:,} updated, {counts.unchanged:,} unchanged, "
        f"{counts.removed:,} removed, {counts.failed:,} failed ({record.took_s:,.1f} s, run {record.run_id})"
    )
    if record.state is RunState.SUPERSEDED:
        out.print("Another run of this catalog took its place. Index the feed again if it is the newer one.")
        return STOPPED
    if record.state is RunState.FAILED:
        out.print(f"The run ended early: {record.reason}", markup=False)
    failures = ledger.failures(record.run_id)
    if failures:
        by_code = Counter(failure.code for failure in failures)
        out.print("Failures: " + ", ".join(f"{code} {count:,}" for code, count in by_code.most_common()))
        for failure in failures[:_SHOWN_FAILURES]:
            out.print(f"  line {failure.line}, {failure.product_id or '?'}: {failure.reason}", markup=False)
        whose = f" --tenant {record.plan.tenant}" if record.plan.tenant else ""
        out.print(f"All of them: python -m indexer failures {record.run_id}{whose}")
        if any(failure.product is not None for failure in failures):
            out.print(f"Try them again: python -m indexer retry {record.run_id}{whose}")
    return DONE_WITH_FAILURES if failures or record.state is RunState.FAILED else DONE
