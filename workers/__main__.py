"""``python -m workers``: a worker; it takes batches from the queue of its model's space until it is stopped."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from indexer.cli.exit_codes import CANNOT_START
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.errors import VitrineError
from indexer.freed_memory import keep_together
from indexer.telemetry.logs import start_logging


def build_parser() -> argparse.ArgumentParser:
    """The parser of the flags."""
    parser = argparse.ArgumentParser(
        prog="python -m workers",
        description="Index batches that a dispatcher sends, until SIGTERM: then what is in hand is finished first. "
        "Start as many as there are machines or GPUs; each loads the model once.",
    )
    parser.add_argument(
        "--check", action="store_true", help="Start none: exit 0 if one of this machine is at work, 2 if not."
    )
    add_settings_flags(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Works until it is stopped; returns 2 if it cannot start."""
    keep_together()
    try:
        parsed = build_parser().parse_args(arguments)
        settings = settings_of(parsed).settings
        start_logging("worker", settings.log_format)
        logging.getLogger("workers").setLevel(logging.INFO)
        if parsed.check:
            from workers.health import check

            print(check(settings))  # noqa: T201
            return 0
        # Celery takes a second to import, which a check every half minute does not pay
        from workers.serving import serve

        return serve(settings)
    except VitrineError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
