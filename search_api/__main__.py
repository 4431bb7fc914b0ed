"""``python -m search_api``: serves the API and the page."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from indexer.cli.exit_codes import CANNOT_START, DONE
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.errors import VitrineError
from search_api.app import create_app
from search_api.serving import ApiServer, check_address


def build_parser() -> argparse.ArgumentParser:
    """The parser of the flags."""
    parser = argparse.ArgumentParser(
        prog="python -m search_api", description="Serve search by photo and by text over an indexed catalog."
    )
    add_settings_flags(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is stopped; returns 2 if it cannot start."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    parsed = build_parser().parse_args(arguments)
    failures: list[VitrineError] = []

    def stop(error: VitrineError) -> None:
        failures.append(error)
        server.stop()

    try:
        settings = settings_of(parsed).settings
        check_address(settings)
        server = ApiServer(create_app(settings, on_load_failure=stop), settings)
    except VitrineError as error:
        failures.append(error)
    else:
        server.run()
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)  # noqa: T201
    return CANNOT_START if failures else DONE


if __name__ == "__main__":
    sys.exit(main())
