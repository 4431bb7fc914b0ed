"""What is said of a reindex, to people and to programs."""

from __future__ import annotations

from typing import Any

from indexer.cli.console import output, plain_table
from indexer.cli.exit_codes import DONE, DONE_WITH_FAILURES, STOPPED
from indexer.ledger.port import RunLedger
from indexer.ledger.reindexes import ReindexRecord, ReindexState


def conclude(record: ReindexRecord, ledger: RunLedger) -> int:
    """Prints what came of a reindex.

    Returns:
        The exit code.
    """
    out = output()
    if record.checks:
        table = plain_table("check", "", "value", "limit", "")
        for check in record.checks:
            passed = "passed" if check.passed else "FAILED"
            table.add_row(check.name, passed, f"{check.value:.3f}", f"{check.limit:.3f}", check.detail)
        out.print(table)
    failures = ledger.failures(record.run_id) if record.run_id else ()
    if record.run_id:
        counts = ledger.run(record.run_id).counts
        out.print(
            f"{counts.products:,} products, {counts.images:,} pictures: {counts.embedded:,} embedded, "
            f"{counts.reused:,} copied or already known, {counts.failed:,} failed (reindex {record.reindex_id}, "
            f"run {record.run_id})"
        )
    if failures:
        out.print(f"Failures: python -m indexer failures {record.run_id}")
    out.print(_outcome(record), markup=False)
    if record.state not in {ReindexState.PROMOTED, ReindexState.VERIFIED} or record.reason:
        return STOPPED
    return DONE_WITH_FAILURES if failures else DONE


def reindex_json(record: ReindexRecord) -> dict[str, Any]:
    """A record as plain JSON values."""
    return {
        "reindex_id": record.reindex_id,
        "state": record.state,
        "alias": record.alias,
        "feed": record.feed,
        "target": record.target,
        "donor": record.donor,
        "run_id": record.run_id,
        "checks": [
            {"name": item.name, "value": item.value, "limit": item.limit, "passed": item.passed, "detail": item.detail}
            for item in record.checks
        ],
        "reason": record.reason,
        "started_at": record.started_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
    }


def _outcome(record: ReindexRecord) -> str:
    if record.reason:
        return f"Not promoted, and nothing else changed: {record.reason}"
    if record.state is ReindexState.PROMOTED:
        back = f" {record.donor} is kept: python -m indexer rollback" if record.donor else ""
        return f"{record.target} serves now.{back}"
    return f"{record.target} is verified and waits: python -m indexer promote"
