"""Whether memory stays flat as the catalog grows: ``python -m benchmarks.memory [--sizes 20000 100000]``.

Each size is indexed by the command line in a process of its own, into an empty folder. What is compared is the
highest resident memory of that process (VmHWM, which it reads at its end). The model is tiny, as its size does not
depend on the catalog's; pictures are 600 tiny JPEG files that come round again under other products; the feed's texts
are of usual length. The search index is built by a process of its own and is not in it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generate_feed import products as made_up_products
from benchmarks.rows import Claim, Row, add_json_flag, report
from tests.checkpoints import write_tiny_checkpoint
from tests.pictures import drawn_picture, encoded, write_feed
from tests.processes import REPOSITORY, program_environment

_PICTURES = 600
_TARGET = 1.15
_PROGRAM = """
import sys, threading
from pathlib import Path
from indexer.cli.main import main
def field(name):
    return int(Path("/proc/self/status").read_text().partition(name + ":")[2].split()[0])
own_kb, done = 0, threading.Event()
def watch():
    global own_kb
    while not done.wait(0.2):
        own_kb = max(own_kb, field("RssAnon"))
watcher = threading.Thread(target=watch)
watcher.start()
try:
    code = main()
finally:
    done.set()
    watcher.join()
    print("PEAKS", field("VmHWM"), own_kb, flush=True)
sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class Peaks:
    """Of one process, MB: resident memory, and the part of it that is its own and no page of a mapped file."""

    resident_mb: float
    own_mb: float


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs=2, default=(20_000, 100_000), metavar=("SMALL", "LARGE"))
    add_json_flag(parser)
    arguments = parser.parse_args()
    small, large = arguments.sizes
    peaks = {size: peaks_of(size) for size in (small, large)}
    note = (
        "a tiny model with random weights, one picture of 48 x 40 px a product, 600 files that come round again; VmHWM "
        "of the indexing process, and its RssAnon five times a second"
    )
    claims = [
        Claim(
            f"{what} of an index run of {large:,} products".replace(",", " "),
            "MB",
            f"of {small:,} products".replace(",", " "),
            better="lower",
            target=_TARGET,
            note=note,
        )
        for what in ("peak resident memory", "peak memory without mapped files")
    ]
    rows = [
        Row.of(claims[0], peaks[large].resident_mb, peaks[small].resident_mb),
        Row.of(claims[1], peaks[large].own_mb, peaks[small].own_mb),
    ]
    report(rows, arguments.json)


def peaks_of(size: int) -> Peaks:
    """Of an index run of so many products."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        model = write_tiny_checkpoint(folder / "model")
        for number in range(_PICTURES):
            (folder / f"images/{number}.jpg").write_bytes(encoded(drawn_picture(number, size=(48, 40))))
        rows: list[dict[str, object]] = [
            {
                "id": product["id"],
                "title": product["title"],
                "description": product["description"],
                "image_link": f"images/{number % _PICTURES}.jpg",
                "price": "9.90 EUR",
                "availability": "in_stock",
            }
            for number, product in enumerate(made_up_products(size, seed=1))
        ]
        write_feed(folder / "feed.jsonl", rows)
        flags = ["index", str(folder / "feed.jsonl"), "--data-dir", str(folder / "data"), f"--model=local-dir:{model}"]
        command = [sys.executable, "-c", _PROGRAM, *flags]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=program_environment(), check=True, capture_output=True, text=True
        )
        resident_kb, own_kb = done.stdout.rpartition("PEAKS ")[2].split()[:2]
        return Peaks(int(resident_kb) / 1024, int(own_kb) / 1024)


if __name__ == "__main__":
    main()
