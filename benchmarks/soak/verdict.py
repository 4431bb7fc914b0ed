"""What a soak found: requirements that held or did not, and latencies, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Latency:
    """Of answers of one kind in one part of the soak; milliseconds."""

    part: str
    kind: str
    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    worst_ms: float


@dataclass(frozen=True, slots=True)
class Requirement:
    """What had to be, and what was.

    Attributes:
        held: None where the run was too short to tell.
    """

    name: str
    wanted: str
    found: str
    held: bool | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """All of a soak."""

    latencies: Sequence[Latency]
    requirements: Sequence[Requirement]
    notes: Sequence[str]

    @property
    def held(self) -> bool:
        """Whether nothing was missed."""
        return all(requirement.held is not False for requirement in self.requirements)

    def show(self) -> None:
        """Prints both tables."""
        console = Console(width=140)
        table = Table(title="Latencies, ms")
        for name in ("part", "kind", "answers", "p50", "p95", "p99", "worst"):
            table.add_column(name, justify="left" if name in {"part", "kind"} else "right")
        for item in self.latencies:
            figures = (item.p50_ms, item.p95_ms, item.p99_ms, item.worst_ms)
            table.add_row(item.part, item.kind, str(item.count), *(f"{figure:.1f}" for figure in figures))
        console.print(table)
        table = Table(title="Requirements")
        for name in ("requirement", "wanted", "found", ""):
            table.add_column(name)
        for requirement in self.requirements:
            mark = {True: "held", False: "[bold red]MISSED[/]", None: "too short to tell"}[requirement.held]
            table.add_row(requirement.name, escape(requirement.wanted), escape(requirement.found), mark)
        console.print(table)
        for note in self.notes:
            console.print(escape(note))

    def write(self, path: Path) -> None:
        """As JSON."""
        value = {"held": self.held, "requirements": [asdict(item) for item in self.requirements]}
        value |= {"latencies": [asdict(item) for item in self.latencies], "notes": list(self.notes)}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=1) + "\n", "utf-8")


def latency_of(part: str, kind: str, values_ms: Sequence[float]) -> Latency:
    """Of at least one value."""
    p50, p95, p99, worst = np.percentile(values_ms, [50, 95, 99, 100])
    return Latency(part, kind, len(values_ms), float(p50), float(p95), float(p99), float(worst))
