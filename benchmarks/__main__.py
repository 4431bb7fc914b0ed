"""``make bench``: every benchmark that gives rows, one after the other, into ``benchmarks/results/latest.json``.

    python -m benchmarks                       # all pieces, about ten minutes; BENCH=full adds the pieces marked so
    python -m benchmarks --only indexing-b16   # one piece anew; the rows of the others stay
    python -m benchmarks --list

A piece that fails says so in the table and in the file, and costs no other piece its rows.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.chart import CHART, chart_of
from benchmarks.results import LATEST, Piece, commit, read_results, versions, write_results
from benchmarks.rows import Claim, Row, print_rows, read_rows

_TIDYING_S = 20.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A piece to be run.

    Attributes:
        name: of the piece.
        arguments: module below ``benchmarks``, and its flags.
        longest_s: after which it is stopped and counts as failed.
        full: whether ``BENCH=full`` is needed.
    """

    name: str
    arguments: tuple[str, ...]
    longest_s: float = 300
    full: bool = False


PLANS = (
    Plan(
        "indexing-b16",
        (
            "indexing",
            "--model",
            "ViT-B-16-SigLIP2",
            "--precisions",
            "bf16",
            "int8",
            "--seconds",
            "6",
            "--longest-s",
            "100",
        ),
    ),
    Plan(
        "indexing-demo", ("indexing", "--model", "demo", "--precisions", "float32", "--rounds", "3", "--seconds", "3")
    ),
    Plan("reruns", ("reruns",)),
    Plan(
        "online-b16",
        (
            "serving",
            "--part",
            "online",
            "--model",
            "ViT-B-16-SigLIP2",
            "--backend",
            "openvino",
            "--precision",
            "float32",
            "--rounds",
            "2",
            "--seconds",
            "4",
        ),
    ),
    Plan("online-demo", ("serving", "--part", "online", "--model", "demo", "--rounds", "2", "--seconds", "3")),
    Plan("feeds", ("feeds", "--rows", "100000")),
    Plan("vectors", ("vectors", "--size", "50000")),
    Plan("indexing-b32", ("indexing", "--precisions", "float32", "int8", "--seconds", "4"), 600, full=True),
    Plan("backends", ("backends",), 600, full=True),
    Plan(
        "online-b32",
        ("serving", "--part", "online", "--model", "ViT-B-32-SigLIP2-256", "--rounds", "2", "--seconds", "4"),
        600,
        full=True,
    ),
    Plan("peers", ("peers",), 1800, full=True),
    Plan("memory-100k", ("memory", "--sizes", "20000", "100000"), 3600, full=True),
    Plan("vectors-1m", ("vectors", "--size", "1000000"), 24 * 3600, full=True),
)


def main() -> int:
    """Runs the pieces.

    Returns:
        Exit code: 0 if all could be measured, 1 if a piece failed. A target that was missed is no failure: it is told
        in the table.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[plan.name for plan in PLANS], help="run these alone")
    parser.add_argument("--list", action="store_true", help="name the pieces")
    parser.add_argument("--results", type=Path, default=LATEST, help="file that is written")
    parser.add_argument("--chart", type=Path, default=CHART, help="picture that is drawn")
    arguments = parser.parse_args()
    plans = chosen(arguments.only, full=os.environ.get("BENCH") == "full")
    if arguments.list:
        for plan in PLANS:
            print(f"{plan.name:15} python -m benchmarks.{' '.join(plan.arguments)}{'  (full)' if plan.full else ''}")
        return 0
    failed = False
    for plan in plans:
        print(f"\n== {plan.name}\n", flush=True)
        piece = measured(plan)
        failed |= bool(piece.failure)
        # read anew: another piece may have been measured meanwhile
        write_results(read_results(arguments.results).with_piece(piece), arguments.results)
    results = read_results(arguments.results)
    print_rows(results.rows, f"{results.machine.cpu}, {results.machine.cores} cores, {results.machine.memory_gb} GB")
    arguments.chart.write_text(chart_of(results), "utf-8")
    print(f"{arguments.results}, {arguments.chart}")
    return int(failed)


def chosen(only: Sequence[str] | None, *, full: bool) -> list[Plan]:
    """The pieces to run."""
    if only:
        return [plan for plan in PLANS if plan.name in only]
    return [plan for plan in PLANS if full or not plan.full]


def measured(plan: Plan) -> Piece:
    """Runs a piece in a process of its own, and takes the rows that it wrote."""
    start_s, load = time.perf_counter(), os.getloadavg()[0]
    began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    command = ["-m", f"benchmarks.{plan.arguments[0]}", *plan.arguments[1:]]
    rows: Sequence[Row] = ()
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "rows.json"
        failure = _failure_of([sys.executable, *command, "--json", str(file)], plan.longest_s)
        try:
            rows = read_rows(file)
        except (OSError, ValueError) as error:
            failure = failure or f"no rows: {error}"
    if failure:
        print(f"FAILED: {plan.name}: {failure}", flush=True)
        rows = [*rows, Row.failed(Claim(f"piece {plan.name}", ""), failure)]
    return Piece(
        name=plan.name,
        command=" ".join(["python", *command]),
        measured_at=began,
        seconds=round(time.perf_counter() - start_s, 1),
        load=round(load, 2),
        versions=versions(),
        commit=commit(),
        failure=failure,
        rows=tuple(rows),
    )


def _failure_of(command: list[str], longest_s: float) -> str:
    """Runs a command with its output shown; why it failed, empty if it did not.

    All that it started ends with it: a server left behind would take its share of the cores from the next pieces.
    """
    piece = subprocess.Popen(command, process_group=0)
    try:
        code = piece.wait(longest_s)
    except subprocess.TimeoutExpired:
        return f"it took longer than {longest_s:g} s"
    finally:
        _end(piece)
    return f"exit code {code}" if code else ""


def _end(piece: subprocess.Popen[bytes]) -> None:
    """Ends a process, which may tidy up first if it still runs, and its whole group."""
    if piece.poll() is None:
        os.killpg(piece.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            piece.wait(_TIDYING_S)
    with suppress(ProcessLookupError):
        os.killpg(piece.pid, signal.SIGKILL)
    piece.wait()


if __name__ == "__main__":
    sys.exit(main())
