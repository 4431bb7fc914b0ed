"""Resident memory of a process, by what it costs the machine.

*Anonymous* pages exist nowhere else: the process has them until it ends, so they are what a machine must have.
*File-mapped* pages are copies of what lies on disk: the kernel drops them when memory runs short and reads them again,
so they make searches fast but are no need. Pages that were locked into memory (mlock) count as file-mapped yet cannot
be dropped; they are told apart as *locked*.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_BYTES_PER_KB = 1024
_SAMPLE_S = 0.25


@dataclass(frozen=True, slots=True)
class Resident:
    """Bytes of resident memory; see the module's text."""

    anonymous: int
    mapped: int
    locked: int

    def grown(self, before: Resident) -> Resident:
        """What came since ``before``."""
        return Resident(self.anonymous - before.anonymous, self.mapped - before.mapped, self.locked - before.locked)


def resident(pid: int | str = "self") -> Resident:
    """Of a process, by default this one; Linux only.

    Raises:
        OSError: there is no such process, or no ``/proc``.
    """
    sizes = status_bytes(pid)
    return Resident(sizes.get("RssAnon", 0), sizes.get("RssFile", 0) + sizes.get("RssShmem", 0), sizes.get("VmLck", 0))


def status_bytes(pid: int | str = "self") -> Mapping[str, int]:
    """All sizes that ``/proc/PID/status`` tells, by name; few of a process that has just ended.

    Raises:
        OSError: see ``resident``.
    """
    lines = Path(f"/proc/{pid}/status").read_text("ascii", errors="replace").splitlines()
    told = (line.partition(":") for line in lines)
    return {name: int(rest.split()[0]) * _BYTES_PER_KB for name, _, rest in told if "kB" in rest}


class ChildrenPeak:
    """The most anonymous memory that the children of this process had at any look, four times a second."""

    def __init__(self) -> None:
        self.anonymous_bytes = 0
        self._stop = threading.Event()

    def watch(self) -> None:
        """Looks until ``stop``."""
        while not self._stop.wait(_SAMPLE_S):
            for child in psutil.Process().children(recursive=True):
                try:
                    self.anonymous_bytes = max(self.anonymous_bytes, resident(child.pid).anonymous)
                except OSError:
                    continue  # it has ended

    def stop(self) -> None:
        """Ends ``watch``."""
        self._stop.set()


@contextmanager
def children_peak() -> Iterator[ChildrenPeak]:
    """Watches the children of this process while the block runs."""
    peak = ChildrenPeak()
    thread = threading.Thread(target=peak.watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak.stop()
        thread.join()
