"""How commands show the progress of what is counted in bytes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from indexer.backup.progress import BytesListener, BytesProgress
from indexer.cli.console import clock, messages

_PLAIN_EVERY_S = 5.0
_MEGABYTE = 1e6


@contextmanager
def bytes_display() -> Iterator[BytesListener]:
    """A bar on a terminal, a line every few seconds elsewhere; both with the rate and the time that is left."""
    console = messages()
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task("")
            yield lambda moment: bar.update(
                task, description=moment.phase, completed=moment.done_bytes, total=moment.total_bytes
            )
        return
    lines = _Lines()
    yield lines.show


class _Lines:
    def __init__(self) -> None:
        self._start_s = time.monotonic()
        self._printed_s = float("-inf")
        self._phase = ""

    def show(self, moment: BytesProgress) -> None:
        now_s = time.monotonic()
        if moment.phase == self._phase and now_s - self._printed_s < _PLAIN_EVERY_S:
            return
        self._printed_s, self._phase = now_s, moment.phase
        print(f"{moment.phase}: {described(moment, now_s - self._start_s)}", file=sys.stderr, flush=True)  # noqa: T201


def described(moment: BytesProgress, elapsed_s: float) -> str:
    """E.g. ``38%, 120 of 310 MB, 95 MB/s, 0:02 left``."""
    fraction = moment.done_bytes / moment.total_bytes if moment.total_bytes else 0.0
    parts = [f"{fraction:.0%}, {moment.done_bytes / _MEGABYTE:,.0f} of {moment.total_bytes / _MEGABYTE:,.0f} MB"]
    if moment.done_bytes and elapsed_s > 0:
        rate = moment.done_bytes / elapsed_s
        parts.append(f"{rate / _MEGABYTE:,.0f} MB/s")
        parts.append(f"{clock((moment.total_bytes - moment.done_bytes) / rate)} left")
    return ", ".join(parts)
