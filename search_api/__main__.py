"""``python -m search_api``: serves the API and the page; ``python -m search_api keys``: its keys."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from indexer.cli.exit_codes import CANNOT_START, DONE
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.errors import VitrineError
from indexer.processors import share_cores_between_threads
from indexer.settings import Settings
from indexer.telemetry.logs import start_logging
from search_api.authentication import Authenticator
from search_api.indexer_process import IndexerProcess
from search_api.keys import commands

_log = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the flags."""
    parser = argparse.ArgumentParser(
        prog="python -m search_api",
        description="Serve search by photo and by text over an indexed catalog.",
        epilog="Keys are made, listed and revoked by: python -m search_api keys --help",
    )
    add_settings_flags(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is stopped; returns 2 if it cannot start. After ``keys`` it does what was asked of the keys."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["keys"]:
        return commands.main(given[1:])
    # they take a second to import, which a command about keys does not pay
    from search_api.app import create_app
    from search_api.serving import ApiServer, check_address, check_open_search

    parsed = build_parser().parse_args(given)
    share_cores_between_threads()
    failures: list[VitrineError] = []

    def stop(error: VitrineError) -> None:
        failures.append(error)
        server.stop()

    try:
        settings = settings_of(parsed).settings
        start_logging("api", settings.log_format)
        check_open_search(settings)
        check_address(settings)
        app = create_app(settings, on_load_failure=stop)
        server = ApiServer(app, settings)
    except VitrineError as error:
        failures.append(error)
    else:
        _warn_if_nobody_may_search(settings, app.state.authenticator)
        with _indexer_beside(settings, app.state.authenticator):
            server.run()
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)  # noqa: T201
    return CANNOT_START if failures else DONE


def _warn_if_nobody_may_search(settings: Settings, authenticator: Authenticator) -> None:
    if not settings.open_search and not authenticator.has_any_key:
        _log.warning(
            "Searching needs a key, and there is none yet. Make one, while this runs, with: "
            "python -m search_api keys create --name NAME --scope search"
        )


@contextmanager
def _indexer_beside(settings: Settings, authenticator: Authenticator) -> Iterator[None]:
    """The indexer process, once the catalog can be changed here, where no workers are there to do it."""
    if settings.dispatcher != "inline":
        yield
        return
    indexer = IndexerProcess(settings, wanted=lambda: authenticator.can_administrate)
    indexer.start()
    try:
        yield
    finally:
        indexer.stop()


if __name__ == "__main__":
    sys.exit(main())
