"""``prune``: delete collections that are needed no more."""

from __future__ import annotations

import argparse
from typing import Any

from indexer import bootstrap
from indexer.cli.console import output
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.reindex.switch import prune


def add_command(commands: Any) -> None:
    """Adds ``prune``."""
    parser = commands.add_parser(
        "prune",
        help="Delete all collections but, of each alias, the one that serves and the one before it.",
        description="What a reindex has filled is kept, too, if it may still be promoted or gone on with; what failed "
        "its checks is deleted.",
    )
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``prune``."""
    with bootstrap.switching(settings_of(arguments).settings) as parts:
        removed = prune(parts)
    for name in removed:
        output().print(f"deleted {name}", markup=False)
    if not removed:
        output().print("There is nothing to delete.")
    return DONE
