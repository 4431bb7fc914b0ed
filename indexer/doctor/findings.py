"""What the doctor finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from indexer.settings import Settings


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and will not for long, or not as well as it could."""
    ERROR = "error"
    """Something does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: part of the installation: ``store``.
        level: how bad it is.
        code: stable, for programs: ``collection_damaged``; for what is well, the check's own name.
        what: in words, naming the thing.
        remedy: what to do about it; empty where nothing is to be done.
    """

    check: str
    level: Level
    code: str
    what: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """Plain JSON values; ``from_json`` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Reads what ``to_json`` wrote."""
        return cls(**dict(value) | {"level": Level(value["level"])})


class Notes:
    """Findings of one check as they are made.

    Args:
        check: see ``Finding``.
    """

    def __init__(self, check: str) -> None:
        self._check = check
        self.made: list[Finding] = []

    def ok(self, what: str) -> None:
        """Notes what is well."""
        self.made.append(Finding(self._check, Level.OK, self._check, what))

    def warning(self, code: str, what: str, remedy: str) -> None:
        """Notes what will not work for long, or not well."""
        self.made.append(Finding(self._check, Level.WARNING, code, what, remedy))

    def error(self, code: str, what: str, remedy: str) -> None:
        """Notes what does not work."""
        self.made.append(Finding(self._check, Level.ERROR, code, what, remedy))


CheckFunction = Callable[[Settings], Iterable[Finding]]
"""Looks at one part; may raise, which is a finding too."""
