"""``retry RUN``: index again what failed."""

from __future__ import annotations

import argparse
from typing import Any

from indexer import bootstrap
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.cli.run_summary import supervise
from indexer.indexing.run import retry_failures


def add_command(commands: Any) -> None:
    """Adds ``retry``."""
    parser = commands.add_parser("retry", help="Index again the products on a run's failure list.")
    parser.add_argument("run_id", metavar="RUN", help="As status shows it.")
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``retry``."""
    settings = settings_of(arguments).settings
    run_id, size = arguments.run_id, settings.batch_products
    with bootstrap.dispatching(settings) as dispatcher:
        return supervise(lambda listen: retry_failures(run_id, size, dispatcher, listen), dispatcher.ledger)
