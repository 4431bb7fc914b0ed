"""``python -m indexer.demo catalog FOLDER``: draw the sample catalog."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from indexer.demo.catalog import Plan, write_sample_catalog
from indexer.errors import VitrineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0, or 2 where it could not start."""
    default = Plan()
    parser = argparse.ArgumentParser(prog="python -m indexer.demo", description="The demo's sample data.")
    commands = parser.add_subparsers(dest="command", required=True)
    catalog = commands.add_parser("catalog", help="draw the sample catalog: pictures, feed.xml, queries.jsonl")
    catalog.add_argument("folder", type=Path, help="where it goes; nothing is done if it is already there")
    catalog.add_argument("--products", type=int, default=default.products)
    catalog.add_argument("--image-size-px", type=int, default=default.image_size_px)
    catalog.add_argument("--seed", type=int, default=default.seed)
    options = parser.parse_args(arguments)
    started_s = time.monotonic()

    def show(done: int, total: int) -> None:
        if done % 20 == 0 or done == total:
            spent_s = time.monotonic() - started_s
            left_s = spent_s / done * (total - done)
            sys.stderr.write(f"\r{done}/{total} pictures, {done / spent_s:.1f}/s, {left_s:.0f} s left   ")
            sys.stderr.flush()

    try:
        feed = write_sample_catalog(
            options.folder,
            products=options.products,
            image_size_px=options.image_size_px,
            seed=options.seed,
            progress=show,
        )
    except (VitrineError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.write("\n")
    sys.stdout.write(f"{feed}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
