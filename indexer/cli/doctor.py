"""``doctor``: what is wrong with the installation, and what to do about it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from indexer.cli.console import escaped, output, plain_table
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.doctor.examine import examine, worst
from indexer.doctor.findings import Finding, Level, Notes
from indexer.errors import ConfigurationError

EXIT_CODES = {Level.OK: 0, Level.WARNING: 1, Level.ERROR: 2}
"""Of this command alone: the worst of what was found."""
_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "bold red"}


def add_command(commands: Any) -> None:
    """Adds ``doctor``."""
    parser = commands.add_parser(
        "doctor",
        help="Look for what is wrong with the installation, and say what to do about it.",
        description="Looks at settings, versions, disk, permissions, clock, model, alias, store, leftovers, ledger, "
        "events and broker; changes nothing. Exit code: 0 all is well, 1 warnings, 2 errors.",
    )
    parser.add_argument("--load-model", action="store_true", help="Load the model, and compare its space too.")
    parser.add_argument("--timeout", type=float, default=20.0, metavar="SECONDS", help="Longest check (default 20).")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``doctor``."""
    try:
        settings = settings_of(arguments).settings
    except ConfigurationError as error:
        notes = Notes("settings")
        notes.error(error.code, error.reason, error.remedy)
        return _told(notes.made, as_json=arguments.json)
    findings = examine(settings, limit_s=max(0.1, arguments.timeout), load_model=arguments.load_model)
    return _told(findings, as_json=arguments.json)


def _told(findings: Sequence[Finding], *, as_json: bool) -> int:
    level = worst(findings)
    out = output()
    if as_json:
        out.print_json(json.dumps({"level": level, "findings": [item.to_json() for item in findings]}))
        return EXIT_CODES[level]
    if out.is_terminal:
        out.print(_table(findings))
    for item in () if out.is_terminal else findings:  # a table would fill each line up to the longest one
        remedy = f"\n  → {item.remedy}" if item.remedy else ""
        out.print(f"{item.check:<12} {item.level:<8} {item.what}{remedy}", markup=False)
    counts = {level: sum(item.level is level for item in findings) for level in (Level.ERROR, Level.WARNING)}
    out.print(
        "All is well." if level is Level.OK else f"{counts[Level.ERROR]} errors, {counts[Level.WARNING]} warnings."
    )
    return EXIT_CODES[level]


def _table(findings: Sequence[Finding]) -> Table:
    table = plain_table("check", "", "what", whole=2)
    for item in findings:
        remedy = f"\n[dim]→[/] {escaped(item.remedy)}" if item.remedy else ""
        table.add_row(item.check, f"[{_COLOURS[item.level]}]{item.level}[/]", f"{escaped(item.what)}{remedy}")
    return table
