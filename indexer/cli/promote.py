"""``promote``: let a verified reindex serve."""

from __future__ import annotations

import argparse
from typing import Any

from indexer import bootstrap
from indexer.cli.console import messages, output
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.cli.reindex_summary import conclude
from indexer.reindex.switch import promote_collection, promote_latest
from indexer.tenants import refuse_for_tenants


def add_command(commands: Any) -> None:
    """Adds ``promote``."""
    parser = commands.add_parser(
        "promote",
        help="Let the latest verified reindex serve.",
        description="Brings in what events said since, which needs the model of the reindex, then switches the alias "
        "in one step. With COLLECTION that very collection serves, as it is: after a restore, for one.",
    )
    parser.add_argument("collection", nargs="?", default="", metavar="COLLECTION", help="As status shows it.")
    parser.add_argument("--space", default="", metavar="SPACE_ID", help="Of the reindex; needed if several wait.")
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``promote``."""
    settings = settings_of(arguments).settings
    if not arguments.collection:
        refuse_for_tenants(settings, "A reindex, hence its promotion,", "Name a collection to let that very one serve.")
    with bootstrap.switching(settings) as parts, messages().status("promoting"):
        if arguments.collection:
            alias = promote_collection(parts, arguments.collection)
            output().print(f"{arguments.collection} serves as {alias}.", markup=False)
            return DONE
        return conclude(promote_latest(parts, arguments.space), parts.ledger)
