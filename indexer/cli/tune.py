"""``tune``: measure every way to compute embeddings on this machine, and take the best one whose vectors agree."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer import bootstrap
from indexer.cli.console import escaped, messages, output, plain_table
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.precision.agreement import MIN_COSINE, MIN_OVERLAP
from indexer.precision.samples import MEASURED, MIN_MEASURED

if TYPE_CHECKING:
    from indexer.precision.tune import TuneReport, TuneRow, Tuning


def add_command(commands: Any) -> None:
    """Adds ``tune``."""
    parser = commands.add_parser(
        "tune",
        help="Measure how fast and how exact each way to compute is here, and use the best.",
        description="Measures every backend and precision of this machine with the chosen model: its speed, and how "
        "far its vectors agree with float32's on a sample of the catalog. The fastest that agrees is used from then on "
        "by every process with this data_dir whose settings backend and precision are auto.",
    )
    parser.add_argument("feed", type=Path, nargs="?", help="Feed to take the sample from; else that of the latest run.")
    parser.add_argument(
        "--sample", type=_sample_size, default=MEASURED, metavar="N", help="Pictures to measure agreement on."
    )
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``tune``."""
    from indexer.precision.tune import report_json

    settings = settings_of(arguments).settings
    logging.getLogger("indexer.precision").setLevel(logging.INFO)
    with bootstrap.tuning(settings, arguments.feed, arguments.sample) as tuning, messages().status("tuning") as status:
        report = tuning.run(lambda text: status.update(escaped(text)))
        if arguments.json:
            output().print_json(json.dumps(report_json(report, tuning.sample)))
        else:
            _print(report, tuning)
    for name in ("backend", "precision"):
        if (value := getattr(settings, name)) != "auto":
            messages().print(f"The setting {name} is {value}, which stays stronger than this choice; auto follows it.")
    return DONE


def _print(report: TuneReport, tuning: Tuning) -> None:
    out, sample, space = output(), tuning.sample, tuning.space
    out.print(
        f"{escaped(space.model)}, space {space.space_id}: measured on {len(sample.measured)} pictures and "
        f"{len(sample.texts)} texts of {escaped(sample.source)}"
    )
    if not sample.is_catalog:
        out.print("No feed was named and none was indexed before: the pictures are made up, and int8 is left out.")
    table = plain_table(
        "backend",
        "precision",
        "images/s",
        "one image",
        "one text",
        "cosine",
        "lowest 5 %",
        "top-10",
        "texts",
        "",
        whole=2,
    )
    for row in report.rows:
        table.add_row(*_cells(row, is_chosen=row.numerics.has_images_of(report.order[0])))
    out.print(table)
    out.print(
        f"cosine: mean to float32, at least {MIN_COSINE}, the 5th percentile too; top-10: share of the ten nearest "
        f"pictures that stays the same, at least {MIN_OVERLAP}; texts: both of the text tower."
    )
    for row in report.rows:
        if row.refused:
            out.print(f"refused: {row.numerics}: {escaped(row.refused)}")
    out.print(f"chosen: {report.reason}")


def _cells(row: TuneRow, *, is_chosen: bool) -> list[str]:
    numerics, speed = row.numerics, row.speed
    cells = [numerics.backend if numerics.device == "cpu" else f"{numerics.backend} {numerics.device}", numerics.images]
    cells += [f"{speed.images_per_s:.1f}", f"{speed.image_ms:.1f} ms", f"{speed.text_ms:.1f} ms"] if speed else [""] * 3
    by_tower = {item.tower: item for item in row.agreements}
    images, texts = by_tower.get("images"), by_tower.get("texts")
    cells += [f"{images.mean_cosine:.4f}", f"{images.low_cosine:.4f}", f"{images.overlap:.3f}"] if images else [""] * 3
    cells.append(f"{texts.low_cosine:.4f}, {texts.overlap:.3f}" if texts else "")
    return [*cells, "chosen" if is_chosen else "refused" if row.refused else ""]


def _sample_size(text: str) -> int:
    value = int(text)
    if not MIN_MEASURED <= value <= 5000:  # 5000 pictures of 384 px are 2 GB
        raise argparse.ArgumentTypeError(f"must be {MIN_MEASURED} to 5000")
    return value
