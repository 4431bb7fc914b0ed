"""Searches over HTTP: ``python -m benchmarks.serving``; ``--part`` takes one half alone.

``online``: single searches, many clients and repeated queries against the model alone. ``beside``: searches while an
index run writes.
"""

from __future__ import annotations

import argparse
from typing import get_args

from benchmarks.checkpoints import B32_256
from benchmarks.rows import Row, add_json_flag, report
from benchmarks.serving_beside_index import measure_beside_index
from benchmarks.serving_online import CLIENTS, Served, measure_online
from indexer.embedding.choice import DEMO_MODEL, Backend, Precision


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("online", "beside", "both"), default="both")
    parser.add_argument(
        "--model",
        action="append",
        help="of online: open_clip name (random weights), demo or local-dir:PATH",
    )
    parser.add_argument("--backend", default="auto", choices=get_args(Backend), help="of online: as in the settings")
    parser.add_argument("--precision", default="auto", choices=get_args(Precision), help="of online: likewise")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a measurement of online; rates take twice that")
    parser.add_argument("--products", type=int, default=1500, help="of beside")
    parser.add_argument("--flag", action="append", default=[], help="of online's server: --flag=--query-batch=8")
    add_json_flag(parser)
    arguments = parser.parse_args()
    rows: list[Row] = []
    if arguments.part != "beside":
        for model in arguments.model or [DEMO_MODEL, B32_256]:
            served = Served(model, arguments.backend, arguments.precision, tuple(arguments.flag))
            rows += measure_online(served, arguments.rounds, arguments.seconds)
    if arguments.part != "online":
        rows += measure_beside_index(DEMO_MODEL, arguments.products, arguments.rounds)
    report(rows, arguments.json, f"Searches over HTTP, {CLIENTS} clients where there are many")


if __name__ == "__main__":
    main()
