"""``python -m tests.chaos``: fifty rounds of kill -9, half of them on one machine, half in a fleet; ``make chaos``.

A round: threads change products over HTTP while a feed is indexed, a process dies at a random moment (API, indexer,
worker, Redis, dispatcher), all is mended, and then what was acknowledged must be found, what was deleted gone, and all
counts exact. Exit code: 0 if that held in every round.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from indexer.embedding.choice import LOCAL_DIR
from tests.chaos.installations import Installation, embedded_shop, fleet_shop
from tests.chaos.rounds import Chaos
from tests.checkpoints import write_tiny_checkpoint
from tests.pictures import draw_catalog
from tests.qdrant_server import REAL_URL, remove_catalog, running_stand_in

_PRODUCTS = 20


def run(kind: str, rounds: int, seed: int, folder: Path) -> Chaos:
    """So many rounds of ``embedded`` or ``fleet``; raises AssertionError where something does not hold."""
    folder.mkdir()
    model = f"{LOCAL_DIR}{write_tiny_checkpoint(folder / 'model')}"
    catalog = draw_catalog(folder / "catalog", products=_PRODUCTS)
    with ExitStack() as stack:
        shop: Installation
        if kind == "embedded":
            shop = stack.enter_context(embedded_shop(folder, catalog, model))
        else:
            url = REAL_URL or stack.enter_context(running_stand_in())
            name = f"chaos_{secrets.token_hex(6)}"
            stack.callback(remove_catalog, url, name)
            shop = stack.enter_context(fleet_shop(folder, catalog, model, url, name))
        chaos = Chaos(shop, catalog, seed)
        chaos.begin()
        for number in range(1, rounds + 1):
            start_s = time.monotonic()
            chaos.round(number)
            print(  # noqa: T201
                f"{kind} round {number}: {sum(chaos.killed.values())} killed {dict(chaos.killed)}, "
                f"{chaos.expected.acknowledged} changes acknowledged and found, {chaos.expected.cut_off} cut off, "
                f"{time.monotonic() - start_s:.1f} s",
                flush=True,
            )
        return chaos


def main() -> int:
    """Runs both kinds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="of both kinds together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("embedded", "fleet"))
    arguments = parser.parse_args()
    kinds = [arguments.only] if arguments.only else ["embedded", "fleet"]
    killed = 0
    for place, kind in enumerate(kinds):
        rounds = arguments.rounds // len(kinds) + (place < arguments.rounds % len(kinds))
        with tempfile.TemporaryDirectory(prefix="vitrine-chaos-") as folder:
            try:
                chaos = run(kind, rounds, arguments.seed, Path(folder) / kind)
            except AssertionError as error:
                print(f"{kind}: did not hold: {error}", file=sys.stderr)  # noqa: T201
                return 1
        killed += sum(chaos.killed.values())
    print(f"{killed} rounds, and all of it held")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
