"""``calibrate``: work out what scores mean, and show how far that can be believed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from indexer import bootstrap
from indexer.calibration.model import Calibration, KindCalibration
from indexer.cli.console import escaped, messages, output, plain_table
from indexer.cli.exit_codes import CANNOT_START, DONE
from indexer.cli.flags import add_settings_flags, add_tenant_flag, settings_of, tenant_of
from indexer.evaluation.queries import LabelledQuery, read_queries


def add_command(commands: Any) -> None:
    """Adds ``calibrate``."""
    parser = commands.add_parser(
        "calibrate",
        help="Work out what scores mean: probabilities, levels of match, and when nothing is close.",
        description="Fits, on the collection that serves, the probability that a hit is what was asked for, and the "
        "scores from which on hits are the same, similar or related; keeps them with the collection, where the API "
        "finds them within seconds. Index runs do this by themselves where it is due (setting calibrate). Exit codes: "
        "0 done, 2 too few products or nothing indexed.",
    )
    parser.add_argument(
        "--queries", type=Path, metavar="FILE", help="Labelled queries, as for evaluate: photos of shoppers tell most."
    )
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    add_tenant_flag(parser)
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``calibrate``."""
    settings = settings_of(arguments).settings
    tenant = tenant_of(arguments, settings)
    queries: list[LabelledQuery] = [] if arguments.queries is None else read_queries(arguments.queries, where={})
    with bootstrap.indexing(settings) as parts, messages().status("calibrating") as shown:
        assert parts.calibrator is not None  # noqa: S101 - the bootstrap gives one
        fitted = parts.calibrator.of_tenant(tenant).serving(
            parts.alias, queries, lambda doing, done, total: shown.update(f"{doing}: {done} of {total}")
        )
    for note in fitted.notes:
        messages().print(escaped(note))
    if fitted.calibration is None:
        return CANNOT_START
    if arguments.json:
        output().print_json(json.dumps({"collection": fitted.collection} | fitted.calibration.to_json()))
    else:
        _print(fitted.collection, fitted.calibration)
    return DONE


def _print(collection: str, calibration: Calibration) -> None:
    out = output()
    out.print(f"{collection}: {calibration.points:,} pictures; kept with the collection")
    for name, kind in (("photos", calibration.photo), ("texts", calibration.text)):
        if kind is not None:
            out.print(f"\n[bold]{name}[/]: from {kind.queries:,} searches by {escaped(kind.source)}")
            _print_kind(kind)


def _print_kind(kind: KindCalibration) -> None:
    out = output()
    levels = plain_table("level", "from score", "hits", "what was asked for", "of its category")
    for share in kind.shares:
        least = getattr(kind.thresholds, share.level) if share.level else None
        if share.level and least is None:
            continue
        category = "" if share.same_category is None else f"{share.same_category:.0%}"
        cells = [share.level or "below", "" if least is None else f"{least:.3f}", f"{share.hits:,}"]
        levels.add_row(*cells, f"{share.same_product:.0%}", category)
    out.print(levels)
    told = "" if kind.strangers_told is None else f", and to {kind.strangers_told:.0%} of {escaped(kind.strangers)}"
    out.print(f"nothing close: said to {kind.missed:.1%} of these searches by mistake{told}")
    if kind.reliability is None:
        return
    best = f", of best hits alone {kind.best_reliability.error:.3f}" if kind.best_reliability else ""
    out.print(
        f"probabilities against what was true: expected calibration error {kind.reliability.error:.3f}{best}; "
        f"Brier score {kind.reliability.brier:.3f}"
    )
    shown = kind.best_reliability or kind.reliability
    table = plain_table("best hits", "promised", "true")
    for item in shown.bins:
        table.add_row(f"{item.weight:.0%}", f"{item.promised:.3f}", f"{item.true:.3f}")
    out.print(table)
