"""What commands print on, and how they show progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from indexer.indexing.progress import IndexProgress, Phase, ProgressListener

_PLAIN_EVERY_S = 5.0
_UNFOLDED_WIDTH = 4000


def output() -> Console:
    """For results: standard output, with colours on a terminal only; elsewhere no line is ever folded or cut."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _UNFOLDED_WIDTH
    return console


def messages() -> Console:
    """For progress and errors: standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def escaped(text: str) -> str:
    """Text in which rich finds no markup."""
    return text.replace("[", r"\[")


def plain_table(*columns: str, whole: int = 1) -> Table:
    """A table without lines whose first ``whole`` columns are never cut, so that ids can be copied."""
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number < whole, overflow="fold")
    return table


class Rate:
    """Products a second since the start of this session, and what time is left at that rate."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()
        self._first: IndexProgress | None = None

    def describe(self, progress: IndexProgress) -> str:
        """E.g. ``1,280 products, 231/s, 0:42 left, 3 failures``."""
        first = self._first = self._first or progress
        elapsed_s = time.monotonic() - self._start_s
        done = progress.counts.products - first.counts.products
        parts = [f"{progress.counts.products:,} products"]
        if done and elapsed_s > 0:
            parts.append(f"{done / elapsed_s:,.0f}/s")
        advanced = progress.fraction - first.fraction
        if advanced > 0 and progress.fraction < 1:
            parts.append(f"{clock(elapsed_s * (1 - progress.fraction) / advanced)} left")
        if progress.counts.failed:
            parts.append(f"{progress.counts.failed:,} failure{'s' if progress.counts.failed > 1 else ''}")
        return ", ".join(parts)


@contextmanager
def progress_display() -> Iterator[ProgressListener]:
    """A bar on a terminal, a line every few seconds elsewhere."""
    console = messages()
    rate = Rate()
    if console.is_terminal:
        with Progress(
            TextColumn("{task.fields[phase]}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            console=console,
        ) as bar:
            task = bar.add_task("", total=1.0, phase=Phase.INDEXING, text="")

            def show(progress: IndexProgress) -> None:
                bar.update(task, completed=progress.fraction, phase=progress.phase, text=rate.describe(progress))

            yield show
        return
    printed_s = float("-inf")
    phase: Phase | None = None

    def print_line(progress: IndexProgress) -> None:
        nonlocal printed_s, phase
        now_s = time.monotonic()
        if progress.phase == phase and now_s - printed_s < _PLAIN_EVERY_S:
            return
        printed_s, phase = now_s, progress.phase
        print(f"{progress.phase}: {progress.fraction:.0%}, {rate.describe(progress)}", file=sys.stderr, flush=True)  # noqa: T201

    yield print_line


def clock(seconds: float) -> str:
    """E.g. ``0:42``, ``1:05:00``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
