"""``follow``: the embedded indexer process, for events and requested index runs."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Any

from indexer import bootstrap
from indexer.cli.console import escaped, messages
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.errors import ConfigurationError, StoreLocked
from indexer.settings import Settings
from indexer.store.writer_lock import WriterLock
from indexer.telemetry.logs import start_logging, writes_json

_log = logging.getLogger(__name__)
_LOCKED_RETRY_S = 1.0


def add_command(commands: Any) -> None:
    """Adds ``follow``."""
    parser = commands.add_parser(
        "follow",
        help="Apply events and requested index runs as they come, until stopped.",
        description="The indexer process of an installation without workers. The search API starts one by itself when "
        "an admin key is set. It may be killed at any moment; the next one goes on.",
    )
    parser.add_argument("--attached", action="store_true", help="Stop when standard input is closed.")
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``follow``."""
    settings = settings_of(arguments).settings
    start_logging("indexer", settings.log_format)
    _log.setLevel(logging.INFO)
    say = _log_it if writes_json(settings.log_format) else _say
    if settings.dispatcher != "inline":
        raise ConfigurationError(
            "With the dispatcher celery the workers apply events.", "Start python -m workers instead of this."
        )
    stop = threading.Event()
    with _stopped_by_signals(stop):
        if arguments.attached:
            threading.Thread(target=_stop_at_end_of_input, name="attached", daemon=True).start()
        with suppress(_Stopped):
            _follow(settings, stop, say)
    return DONE


def _follow(settings: Settings, stop: threading.Event, say: Callable[[str], None]) -> None:
    with ExitStack() as stack:
        stack.callback(_only_follower(settings, stop, say).release)
        follower = stack.enter_context(bootstrap.following(settings, say))
        say("following")
        follower.run(stop)


def _only_follower(settings: Settings, stop: threading.Event, say: Callable[[str], None]) -> WriterLock:
    """The lock of the one process that takes requests of a data folder; waits for it."""
    said = ""
    while True:
        try:
            return WriterLock(settings.data_dir / "follower")
        except StoreLocked as error:
            if error.reason != said:
                said = error.reason
                say(f"Waiting: another indexer process follows. {error.reason}")
            if stop.wait(_LOCKED_RETRY_S):
                raise _Stopped from None


class _Stopped(BaseException):
    """Ends the work under way, as a crash would, but with locks released; it is no error and nothing catches it."""


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
        if not stop.is_set():
            stop.set()
            raise _Stopped

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop_at_end_of_input() -> None:
    # not through sys.stdin, whose lock this thread would still hold when the process ends
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _log_it(sentence: str) -> None:
    _log.info("%s", sentence)


def _say(sentence: str) -> None:
    messages().print(escaped(sentence))
