"""``rollback``: let the collection before serve again."""

from __future__ import annotations

import argparse
from typing import Any

from indexer import bootstrap
from indexer.cli.console import output
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.reindex.switch import roll_back
from indexer.tenants import refuse_for_tenants


def add_command(commands: Any) -> None:
    """Adds ``rollback``."""
    parser = commands.add_parser(
        "rollback",
        help="Let the collection serve that served before the last promotion or index run.",
        description="Switches the alias in one step, then brings in what events said since a reindex, which needs "
        "the model. A second rollback undoes the first; after an interruption it finishes it instead.",
    )
    parser.add_argument("--space", default="", metavar="SPACE_ID", help="Of the alias; needed if there are several.")
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``rollback``."""
    settings = settings_of(arguments).settings
    refuse_for_tenants(
        settings,
        "A rollback, which brings events into the collection before,",
        "Let a collection serve as it is: promote COLLECTION.",
    )
    with bootstrap.switching(settings) as parts:
        done = roll_back(parts, arguments.space)
    output().print(f"{done.collection} serves again, instead of {done.instead_of}.")
    if done.products:
        output().print(f"Events of {done.products:,} products were brought in.")
    return DONE
