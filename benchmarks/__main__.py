"""``make bench``: every measurement that needs nothing but this checkout, one after the other."""

from __future__ import annotations

import subprocess
import sys

_RUNS = (
    ("feeds", "--rows", "200000"),
    ("decoding",),
    ("indexing",),
    ("serving",),
    ("events",),
)


def main() -> None:
    """Runs the benchmarks; each prints its own table."""
    for module, *arguments in _RUNS:
        print(f"\n== {module}\n", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *arguments], check=True)


if __name__ == "__main__":
    main()
