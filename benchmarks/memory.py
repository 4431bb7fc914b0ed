"""Whether memory stays flat as the catalog grows: ``python -m benchmarks.memory [--sizes 20000 100000]``.

Each size is indexed by the command line in a process of its own, into an empty folder. What is compared is the
highest resident memory of that process (VmHWM). The model is tiny, as its size does not depend on the catalog's;
pictures are 600 tiny JPEG files that come round again under other products; the feed's texts are of usual length. The
search index is built by a process of its own and is not in it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from benchmarks.generate_feed import products as made_up_products
from benchmarks.rows import Claim, Row, add_json_flag, report
from benchmarks.vectors_memory import status_bytes
from tests.checkpoints import write_tiny_checkpoint
from tests.pictures import drawn_picture, encoded, write_feed
from tests.processes import REPOSITORY, program_environment

_PICTURES = 600
_TARGET = 1.15
_POLL_S = 0.2
_BYTES_PER_MB = 2**20


@dataclass(frozen=True, slots=True)
class Peaks:
    """Of one process, MB: resident memory, and the part of it that is its own and no page of a mapped file."""

    resident_mb: float
    own_mb: float

    def raised(self, sizes: Mapping[str, int]) -> Peaks:
        """These or, where they are higher, those that ``status_bytes`` tells now."""
        resident, own = sizes.get("VmHWM", 0), sizes.get("RssAnon", 0)
        return Peaks(max(self.resident_mb, resident / _BYTES_PER_MB), max(self.own_mb, own / _BYTES_PER_MB))


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
        "and RssAnon of the indexing process, looked at five times a second"
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
    with TemporaryDirectory() as name:
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
        return watched([sys.executable, "-m", "indexer", *flags])


def watched(command: Sequence[str]) -> Peaks:
    """Of a process, to its end."""
    peaks = Peaks(0.0, 0.0)
    with (
        TemporaryFile() as errors,  # no pipe: nobody reads it meanwhile, and a full one would stop the process
        subprocess.Popen(
            command, cwd=REPOSITORY, env=program_environment(), stdout=subprocess.DEVNULL, stderr=errors
        ) as process,
    ):
        while process.poll() is None:
            with suppress(OSError):  # it has just ended
                peaks = peaks.raised(status_bytes(process.pid))
            time.sleep(_POLL_S)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(errors.read().decode()[-500:])
    return peaks


if __name__ == "__main__":
    main()
