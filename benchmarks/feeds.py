"""How fast feeds are read, and in how much memory: a feed of a million rows in each format, each in a process
of its own.

    python -m benchmarks.feeds [--rows 1000000] [--formats yml csv ...] [--gzip] [--folder /tmp/feeds]

Prints one line for each: rows, rows a second by the clock and by CPU time (user and system; on a busy machine that is
the steadier figure), and the peak of the whole process's resident memory. The target is 20 000 rows a second below
300 MB. Feeds in ``--folder`` are kept and used again; without it they go to a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.generate_feed import FORMATS, write_feed
from benchmarks.rows import Claim, Row, add_json_flag, report

_STATUS: Final = Path("/proc/self/status")
_PEAK: Final = "VmHWM:"
_MIN_RATE: Final = 20_000
_MAX_PEAK_MB: Final = 300


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading one feed took."""

    rows: int
    errors: int
    wall_s: float
    cpu_s: float
    peak_mb: int


def read(path: Path) -> Reading:
    """Read a feed to its end; meant for a process that has done nothing else."""
    from indexer.catalog import open_feed
    from indexer.products import CatalogProduct

    wall, cpu = time.perf_counter(), time.process_time()
    rows = errors = 0
    for entry in open_feed(path):
        rows += 1
        if type(entry) is not CatalogProduct:
            errors += 1
    # Not ru_maxrss: a process that was forked begins with the peak of the one it came from.
    peak_kb = int(_STATUS.read_text().partition(_PEAK)[2].split()[0])
    return Reading(rows, errors, time.perf_counter() - wall, time.process_time() - cpu, peak_kb // 1024)


def _measure(path: Path) -> Reading:
    arguments = [sys.executable, "-m", "benchmarks.feeds", "--read", str(path)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return Reading(**json.loads(done.stdout))


def _feed(folder: Path, feed_format: str, rows: int, *, packed: bool) -> Path:
    path = folder / f"{feed_format}-{rows}{'.gz' if packed else ''}"
    if not path.exists():
        part = path.with_suffix(".part")
        write_feed(part, feed_format, rows, packed=packed)
        part.rename(path)
    return path


def _run(arguments: argparse.Namespace, folder: Path) -> None:
    rows: list[Row] = []
    print("| format | size MB | rows | bad rows | rows/s wall | rows/s CPU | peak RSS MB |")
    print("|---|---|---|---|---|---|---|")
    for feed_format in arguments.formats:
        for packed in (False, True) if arguments.gzip and feed_format != "parquet" else (False,):
            path = _feed(folder, feed_format, arguments.rows, packed=packed)
            size_mb = path.stat().st_size // 1_000_000
            best = min((_measure(path) for _ in range(arguments.repeat)), key=lambda reading: reading.cpu_s)
            name = f"{feed_format}{' .gz' if packed else ''}"
            wall, cpu = best.rows / best.wall_s, best.rows / best.cpu_s
            print(f"| {name} | {size_mb} | {best.rows} | {best.errors} | {wall:.0f} | {cpu:.0f} | {best.peak_mb} |")
            rows += _rows_of(name, best)
            if not arguments.folder:
                path.unlink()
    report(rows, arguments.json)


def _rows_of(name: str, reading: Reading) -> list[Row]:
    note = f"{reading.rows} rows in a process of its own; user and system time, the best of the repeats"
    rate = Claim(f"feed read: {name}", "rows/s of CPU", target=_MIN_RATE, target_of="ours", note=note)
    peak = Claim(
        f"feed read: {name}, peak memory", "MB", target=_MAX_PEAK_MB, target_of="ours", better="lower", note=note
    )
    return [Row.of(rate, reading.rows / reading.cpu_s), Row.of(peak, reading.peak_mb)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how feeds are read.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--gzip", action="store_true", help="each text format packed as well")
    parser.add_argument("--repeat", type=int, default=1, help="read each so often and print the fastest")
    parser.add_argument("--folder", type=Path, help="keep the feeds here and use those that are there")
    add_json_flag(parser)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(asdict(read(arguments.read))))
        return
    with tempfile.TemporaryDirectory() as folder:
        if arguments.folder:
            arguments.folder.mkdir(parents=True, exist_ok=True)
        _run(arguments, arguments.folder or Path(folder))


if __name__ == "__main__":
    main()
