"""What hostile files cost to decode: ``python -m benchmarks.hostile FOLDER``."""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

from indexer.errors import ImageError
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits

_LIMITS = ImageLimits()


def main() -> None:
    """Prints outcomes, the slowest file, and the peak of the process's memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    warnings.filterwarnings("ignore", module=r"PIL\.")
    outcomes: dict[str, int] = {}
    slowest = (0.0, "")
    for path in sorted(parser.parse_args().folder.rglob("*")):
        if not path.is_file():
            continue
        start_s = time.perf_counter()
        try:
            decode_image(path.read_bytes(), _LIMITS)
            outcome = "picture"
        except ImageError as error:
            outcome = error.code
        slowest = max(slowest, (time.perf_counter() - start_s, path.name))
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    status = Path("/proc/self/status").read_text("utf-8")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"{sum(outcomes.values())} files: {outcomes}")
    print(f"slowest {slowest[0]:.2f} s ({slowest[1]}), peak memory of the process {peak // 1024} MB")


if __name__ == "__main__":
    main()
