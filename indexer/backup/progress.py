"""How far a backup or a restore is, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BytesProgress:
    """A moment.

    Attributes:
        phase: what is being done, in words.
        done_bytes: so far, of ``total_bytes``.
        total_bytes: as it is known by now; the content of files, holes included.
    """

    phase: str
    done_bytes: int
    total_bytes: int


BytesListener = Callable[[BytesProgress], None]


def nobody_listens(progress: BytesProgress) -> None:
    """Shows nothing."""


class Telling:
    """Adds up what is done.

    Args:
        listen: told of every step.
        total_bytes: expected; ``expect`` corrects it.
    """

    def __init__(self, listen: BytesListener, total_bytes: int) -> None:
        self._listen = listen
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._phase = ""

    def begin(self, phase: str) -> None:
        """Says what is done next."""
        self._phase = phase
        self.done(0)

    def expect(self, remaining_bytes: int) -> None:
        """Corrects how much is left."""
        self._total_bytes = self._done_bytes + remaining_bytes

    def done(self, size_bytes: int) -> None:
        """Says that so much more is done."""
        self._done_bytes += size_bytes
        self._listen(BytesProgress(self._phase, self._done_bytes, max(self._total_bytes, self._done_bytes)))
