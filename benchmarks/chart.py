"""The chart of the main rows: ``python -m benchmarks.chart`` draws ``docs/benchmarks.svg`` from the latest results.

One line for each row: how many times better ours is than the alternative, on a logarithmic scale on which twice as
good is as far from even as half as good. A line through the dot goes from the lowest to the highest of the repeats, a
tick is the target. The chart has a ground of its own, so that it can be read on light and dark pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.results import Results, read_results
from benchmarks.rows import Range, Row, shown

CHART = Path(__file__).parents[1] / "docs" / "benchmarks.svg"

_WIDTH, _LEFT, _RIGHT, _TOP, _LINE, _FOOT = 920, 430, 96, 62, 46, 58
_INK, _SOFT, _GRID, _GROUND, _FRAME = "#1f2328", "#59636e", "#e4e8ec", "#ffffff", "#d1d9e0"
_MET, _MISSED, _PLAIN = "#1a7f37", "#bc4c00", "#0969da"
_FONT = "font-family=\"-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\""
_TICKS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """A row as it is drawn; every number is times better than the alternative."""

    row: Row
    times: float
    extent: Range
    target: float | None

    @classmethod
    def of(cls, row: Row) -> Bar | None:
        """None for a row that is not charted or has no ratio."""
        if not row.charted or not row.ratio or row.ratio <= 0:
            return None
        low, high = row.ratio_range or (row.ratio, row.ratio)
        target = row.target if row.target_of == "ratio" else None
        if row.better == "higher":
            return cls(row, row.ratio, (low, high), target)
        return cls(row, 1 / row.ratio, (1 / high, 1 / low), 1 / target if target else None)

    @property
    def colour(self) -> str:
        """By whether the target is reached."""
        return {True: _MET, False: _MISSED, None: _PLAIN}[self.row.met]


class Scale:
    """From times better to a place, px.

    Args:
        bars: all that must have room.
    """

    def __init__(self, bars: Sequence[Bar]) -> None:
        values = [value for bar in bars for value in (*bar.extent, bar.target or 1.0)]
        self.low = max((tick for tick in _TICKS if tick <= min(values, default=1.0)), default=_TICKS[0])
        self.high = min((tick for tick in _TICKS if tick >= max(values, default=2.0)), default=_TICKS[-1])
        self.high = max(self.high, 2 * self.low)

    def x(self, times: float) -> float:
        """Px from the left edge."""
        share = math.log(times / self.low) / math.log(self.high / self.low)
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)

    @property
    def ticks(self) -> list[float]:
        """Round numbers on it."""
        return [tick for tick in _TICKS if self.low <= tick <= self.high]


def main() -> None:
    """Draws the chart."""
    CHART.write_text(chart_of(read_results()), "utf-8")
    print(CHART)


def chart_of(results: Results) -> str:
    """The picture as SVG."""
    bars = [bar for row in results.rows if (bar := Bar.of(row)) is not None]
    scale = Scale(bars)
    bottom = _TOP + _LINE * len(bars)
    height = bottom + _FOOT
    machine = results.machine
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img" aria-label="Vitrine against alternatives" {_FONT}>'
        ),
        f'<rect x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="8" fill="{_GROUND}" stroke="{_FRAME}"/>',
        _text(20, 30, "Times better than the alternative, measured in turn on the same files", 16, _INK, weight=600),
    ]
    for tick in scale.ticks:
        x, is_even = scale.x(tick), tick == 1.0
        parts.append(
            f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="{_SOFT if is_even else _GRID}" '
            f'stroke-width="{1.5 if is_even else 1}"/>'
        )
        parts.append(_text(x, bottom + 18, "even" if is_even else f"{tick:g}×", 12, _SOFT, anchor="middle"))
    for number, bar in enumerate(bars):
        parts += _bar(bar, scale, _TOP + _LINE * number + _LINE / 2)
    legend = "dot: median; line: lowest to highest; tick: target (green reached, orange missed, blue none set)"
    parts.append(
        _text(20, height - 12, f"{machine.cpu.partition(' (')[0]}, {machine.cores} cores. {legend}", 12, _SOFT)
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(bar: Bar, scale: Scale, y: float) -> list[str]:
    row, colour = bar.row, bar.colour
    even, at = scale.x(1.0), scale.x(bar.times)
    low, high = (scale.x(value) for value in bar.extent)
    figures = f"{shown(row.ours)} to {shown(row.alternative)} {row.unit}"
    parts = [
        _text(20, y - 4, row.name, 13, _INK, weight=600),
        _text(20, y + 12, f"{figures}; {row.alternative_name}", 11, _SOFT, most_px=_LEFT - 30),
        (
            f'<line x1="{even:.1f}" y1="{y:.1f}" x2="{at:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="8" '
            f'stroke-opacity="0.35"/>'
        ),
        f'<line x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="2"/>',
        f'<circle cx="{at:.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>',
        _text(_WIDTH - _RIGHT + 14, y + 5, f"{shown(bar.times)}×", 14, colour, weight=600),
    ]
    if bar.target:
        x = scale.x(bar.target)
        parts.append(
            f'<line x1="{x:.1f}" y1="{y - 13:.1f}" x2="{x:.1f}" y2="{y + 13:.1f}" stroke="{_INK}" stroke-width="2"/>'
        )
    return parts


def _text(x: float, y: float, text: str, size: int, colour: str, **more: int | str) -> str:
    """A line of text; ``weight``, ``anchor``, and ``most_px``: what is longer is cut."""
    most_px = more.get("most_px")
    if isinstance(most_px, int):
        most = int(most_px / (size * 0.53))  # letters are about half as wide as high
        text = text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" font-weight="{more.get("weight", 400)}" '
        f'text-anchor="{more.get("anchor", "start")}">{escape(text)}</text>'
    )


if __name__ == "__main__":
    main()
