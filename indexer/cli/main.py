"""The command line's entry point: parses, dispatches, and turns errors into sentences and exit codes."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from indexer.cli import (
    backup,
    calibrate,
    doctor,
    evaluate,
    failures,
    follow,
    index,
    info,
    promote,
    prune,
    reindex,
    restore,
    retry,
    rollback,
    status,
    tag,
    tune,
    verify_model,
)
from indexer.cli.console import escaped, messages
from indexer.cli.exit_codes import CANNOT_START, INTERRUPTED
from indexer.errors import VitrineError
from indexer.freed_memory import keep_together

_COMMANDS = (
    index,
    follow,
    status,
    failures,
    retry,
    reindex,
    promote,
    rollback,
    prune,
    calibrate,
    tag,
    evaluate,
    verify_model,
    tune,
    doctor,
    backup,
    restore,
    info,
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m indexer", description="Index a shop's catalog for search by photo and by text."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in _COMMANDS:
        module.add_command(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        Exit code: 0 done; 3 done, with failures listed; 2 cannot start; 1 stopped on the way, can be resumed;
        130 interrupted from the keyboard.
    """
    keep_together()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    parsed = build_parser().parse_args(arguments)
    try:
        code: int = parsed.run(parsed)
    except VitrineError as error:
        messages().print(f"[bold red]error[/]: {escaped(str(error))}")
        return CANNOT_START
    except KeyboardInterrupt:
        messages().print("interrupted")
        return INTERRUPTED
    return code
