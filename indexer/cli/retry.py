"""``retry RUN``: index again what failed."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import Any

from indexer import bootstrap
from indexer.cli.console import output
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, add_tenant_flag, settings_of, tenant_of
from indexer.cli.run_summary import supervise
from indexer.events.pending import retry_events
from indexer.indexing.run import retry_failures
from indexer.ledger.tenants import TenantRuns
from indexer.settings import Settings


def add_command(commands: Any) -> None:
    """Adds ``retry``."""
    parser = commands.add_parser("retry", help="Index again the products on a run's failure list.")
    parser.add_argument("run_id", metavar="RUN", help="As status shows it.")
    add_tenant_flag(parser)
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``retry``."""
    settings = settings_of(arguments).settings
    run_id, size, tenant = arguments.run_id, settings.batch_products, tenant_of(arguments, settings)
    if _is_events(run_id, settings, tenant):
        return _retry_events(run_id, settings, tenant)
    with bootstrap.dispatching(settings) as dispatcher:
        return supervise(lambda listen: retry_failures(run_id, size, dispatcher, listen, tenant), dispatcher.ledger)


def _is_events(run_id: str, settings: Settings, tenant: str) -> bool:
    ledger = bootstrap.open_ledger(settings)
    try:
        return TenantRuns(ledger, tenant).run(run_id).plan.is_events
    finally:
        ledger.close()


def _retry_events(run_id: str, settings: Settings, tenant: str) -> int:
    """Events are applied by whoever follows them; they only need to be told."""
    with ExitStack() as stack:
        ledger, log = bootstrap.open_ledger(settings), bootstrap.open_event_log(settings, tenant)
        queue = bootstrap.open_work_queue(settings)
        for part in (ledger, log, queue):
            stack.callback(part.close)
        again = retry_events(run_id, TenantRuns(ledger, tenant), log)
        queue.announce(again, tenant)
    products = f"{len(again):,} product" + ("s are" if len(again) > 1 else " is")
    output().print(f"{products} applied again by whoever follows events.")
    return DONE
