"""``failures``: what a run could not index."""

from __future__ import annotations

import argparse
import json
from typing import Any

from indexer import bootstrap
from indexer.cli.console import escaped, output, plain_table
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, add_tenant_flag, settings_of, tenant_of
from indexer.errors import RunNotFound
from indexer.ledger.tenants import TenantRuns


def add_command(commands: Any) -> None:
    """Adds ``failures``."""
    parser = commands.add_parser("failures", help="List what a run could not index.")
    parser.add_argument(
        "run_id", metavar="RUN", nargs="?", default="", help="As status shows it; the latest if absent."
    )
    parser.add_argument("--json", action="store_true", help="Print one JSON object a line.")
    add_tenant_flag(parser)
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``failures``."""
    settings = settings_of(arguments).settings
    tenant = tenant_of(arguments, settings)
    ledger = bootstrap.open_ledger(settings)
    try:
        runs = TenantRuns(ledger, tenant)
        run_id = arguments.run_id or _latest(runs.runs(1))
        failures = runs.failures(run_id)
    finally:
        ledger.close()
    out = output()
    if arguments.json:
        for failure in failures:
            value = {name: getattr(failure, name) for name in failure.__slots__ if name != "product"}
            out.out(json.dumps(value | {"run_id": run_id}, ensure_ascii=False))
        return DONE
    if not failures:
        out.print(f"Run {run_id} has no failures.")
        return DONE
    table = plain_table("line", "product", "image", "stage", "code", "reason")
    for failure in failures:
        cells = (failure.product_id, failure.image_ref, failure.stage, failure.code, failure.reason)
        table.add_row(str(failure.line), *map(escaped, cells))
    out.print(table)
    return DONE


def _latest(runs: Any) -> str:
    if not runs:
        raise RunNotFound("There is no run yet.", "Run: python -m indexer index FEED.")
    return str(runs[0].run_id)
