"""What a benchmark says: rows, each pairing a figure of ours with an alternative's, as a table and as JSON."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, computed_field
from rich.console import Console
from rich.table import Table

Range = tuple[float, float]
"""The lowest and the highest of some figures."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a row is about, before anything is measured.

    Attributes:
        name: what is measured, in words that need no other row.
        unit: of ``ours`` and ``alternative``, such as ``images/s`` or ``ms``.
        alternative_name: what ours is held against; empty if nothing.
        better: which of two figures is the better one.
        target: the limit that is to be reached; None if there is none.
        target_of: what the limit is for: ``ratio`` (ours / alternative) or ``ours``.
        note: how it was measured, as far as a reader must know to believe the figure.
        charted: whether it is one of the main rows, which the chart shows.
    """

    name: str
    unit: str
    alternative_name: str = ""
    better: Literal["higher", "lower"] = "higher"
    target: float | None = None
    target_of: Literal["ratio", "ours"] = "ratio"
    note: str = ""
    charted: bool = False


class Row(BaseModel):
    """A claim and what was measured; see ``Claim`` for the fields that are not listed.

    Attributes:
        ours, alternative: medians; None if not measured.
        ratio: the median of ours / alternative over pairs that were measured right after each other. It can differ a
            little from the ratio of the medians, and is the steadier of the two where the machine's load changes.
        ours_range, alternative_range, ratio_range: lowest and highest.
        repeats: how often it was measured.
        failure: why a figure is missing; empty if none is.
        piece: of ``make bench`` that it is from; set by that.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    unit: str
    ours: float | None = None
    alternative_name: str = ""
    alternative: float | None = None
    ratio: float | None = None
    better: Literal["higher", "lower"] = "higher"
    target: float | None = None
    target_of: Literal["ratio", "ours"] = "ratio"
    ours_range: Range | None = None
    alternative_range: Range | None = None
    ratio_range: Range | None = None
    repeats: int = 1
    note: str = ""
    failure: str = ""
    charted: bool = False
    piece: str = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one. What could not be measured is not reached."""
        if self.target is None:
            return None
        value = self.ratio if self.target_of == "ratio" else self.ours
        if value is None:
            return False
        return value >= self.target if self.better == "higher" else value <= self.target

    @classmethod
    def of(cls, claim: Claim, ours: float | None, alternative: float | None = None) -> Row:
        """A row of figures that were measured once."""
        ratio = ours / alternative if ours is not None and alternative else None
        return cls(**_fields(claim), ours=ours, alternative=alternative, ratio=ratio)

    @classmethod
    def of_repeats(cls, claim: Claim, ours: Sequence[float], alternative: Sequence[float] = ()) -> Row:
        """A row of figures of several rounds, in the order of the rounds.

        Args:
            claim: what it is about.
            ours: figures.
            alternative: of the same rounds; those that have no partner say nothing about the ratio.
        """
        ratios = [mine / other for mine, other in zip(ours, alternative, strict=False) if other]
        return cls(
            **_fields(claim),
            ours=_median(ours),
            alternative=_median(alternative),
            ratio=_median(ratios),
            ours_range=_range(ours),
            alternative_range=_range(alternative),
            ratio_range=_range(ratios),
            repeats=len(ours),
        )

    @classmethod
    def failed(cls, claim: Claim, failure: str) -> Row:
        """A row that could not be measured."""
        return cls(**_fields(claim), failure=failure, repeats=0)

    @property
    def target_text(self) -> str:
        """For people, such as ``ratio ≥ 0.9``."""
        if self.target is None:
            return ""
        sign = "≥" if self.better == "higher" else "≤"
        return f"{self.target_of} {sign} {shown(self.target)}"


def _fields(claim: Claim) -> dict[str, Any]:
    return {name: getattr(claim, name) for name in Claim.__slots__}


def _median(figures: Sequence[float]) -> float | None:
    return statistics.median(figures) if figures else None


def _range(figures: Sequence[float]) -> Range | None:
    return (min(figures), max(figures)) if figures else None


def shown(value: float | None, extent: Range | None = None) -> str:
    """A figure with three or four digits that matter, and its range behind it if there is one."""
    if value is None:
        return "-"
    text = f"{value:,.0f}".replace(",", " ") if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")
    if extent is None or extent[0] == extent[1]:
        return text
    return f"{text} ({shown(extent[0])} to {shown(extent[1])})"


_ROWS: TypeAdapter[list[Row]] = TypeAdapter(list[Row])


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """As a JSON list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_ROWS.dump_json(list(rows), indent=2) + b"\n")


def read_rows(path: Path) -> list[Row]:
    """What ``write_rows`` wrote.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds something else.
    """
    return _ROWS.validate_json(path.read_bytes())


def print_rows(rows: Iterable[Row], title: str = "") -> None:
    """The table."""
    table = Table(title=title or None, title_justify="left", show_lines=False)
    for heading in ("what", "unit", "ours", "alternative", "ratio", "target", "met"):
        table.add_column(heading, justify="right" if heading in {"ours", "ratio"} else "left", overflow="fold")
    for row in rows:
        other = shown(row.alternative, row.alternative_range)
        met = {True: "yes", False: "NO", None: ""}[row.met]
        table.add_row(
            row.name + (f"\n  FAILED: {row.failure}" if row.failure else ""),
            row.unit,
            shown(row.ours, row.ours_range),
            f"{other}: {row.alternative_name}" if row.alternative_name else "",
            shown(row.ratio, row.ratio_range) if row.alternative_name else "",
            row.target_text,
            met,
        )
    console = Console()
    console.width = max(console.width, 140)  # of a pipe rich would assume 80, which folds every cell
    console.print(table, highlight=False, markup=False)


def add_json_flag(parser: argparse.ArgumentParser) -> None:
    """``--json PATH``, by which ``make bench`` gets the rows of a benchmark; hand it to ``report``."""
    parser.add_argument("--json", type=Path, help="also write the rows to this file")


def report(rows: Sequence[Row], json: Path | None = None, title: str = "") -> None:
    """Prints the table, and writes the rows where ``--json`` says."""
    print_rows(rows, title)
    if json:
        write_rows(json, rows)
