"""What the process has in hand, on disk: so the next one knows which product killed this one, and can leave it out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from indexer.atomic_file import replace_file
from indexer.errors import EventsUnavailable

POISON_DEATHS = 2
"""So often must a process die with a product alone in its hands before that is taken for the cause."""


class InHand:
    """A note beside the work.

    Whatever was in the hands of a process that died is done one by one by the next; what was in them alone twice is
    poison. A process that ends in order leaves nothing behind.

    Args:
        path: of the note; its folder is created.

    Raises:
        EventsUnavailable: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        note = self._read()
        self._suspects = set(note.get("suspects", []))
        self._deaths: dict[str, int] = dict(note.get("deaths", {}))
        now: list[str] = note.get("now", [])
        self._suspects.update(now)
        if len(now) == 1:
            self._deaths[now[0]] = self._deaths.get(now[0], 0) + 1
        self._write([])

    def is_suspect(self, key: str) -> bool:
        """Whether a process died with it in its hands, so that it is to be done alone."""
        return key in self._suspects

    def is_poison(self, key: str) -> bool:
        """Whether it is to be left out."""
        return self._deaths.get(key, 0) >= POISON_DEATHS

    @contextmanager
    def holding(self, keys: Sequence[str]) -> Iterator[None]:
        """Notes what is in hand inside the block; afterwards it is above suspicion."""
        self._write(keys)
        try:
            yield
        finally:
            for key in keys:
                self._suspects.discard(key)
                self._deaths.pop(key, None)
            self._write([])

    def _read(self) -> dict[str, Any]:
        try:
            value = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):  # none, or one that broke off: then nothing is known
            return {}
        return value if isinstance(value, dict) else {}

    def _write(self, now: Sequence[str]) -> None:
        note = {"now": list(now), "suspects": sorted(self._suspects), "deaths": self._deaths}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # of use to the next process on this machine: what outlives this one will do
            replace_file(self._path, json.dumps(note), durable=False)
        except OSError as error:
            raise EventsUnavailable(
                f"{self._path} cannot be written: {error.strerror}.", "Check the folder's rights and the disk's space."
            ) from error
