"""Contestants measured in turn, round after round, so that a machine that gets busy gets busy for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from benchmarks.rows import Claim, Row

Contestant = Callable[[], float]
"""Does the work once and returns its figure, such as images a second."""


def per_second(count: int, work: Callable[[], object]) -> float:
    """Items a second of work on so many."""
    start_s = time.perf_counter()
    work()
    return count / (time.perf_counter() - start_s)


def elapsed_ms(work: Callable[[], object]) -> float:
    """Milliseconds that it took."""
    start_s = time.perf_counter()
    work()
    return (time.perf_counter() - start_s) * 1000


class Rounds:
    """Measures contestants in turn: A B C, A B C, ...

    One that raises is out from then on, with its reason; the others go on.

    Attributes:
        figures: by contestant, one of each round.
        failures: by contestant, why it is out.
    """

    def __init__(self, contestants: Mapping[str, Contestant]) -> None:
        self._contestants = dict(contestants)
        self.figures: dict[str, list[float]] = {name: [] for name in contestants}
        self.failures: dict[str, str] = {}

    def run(self, rounds: int, *, longest_s: float | None = None) -> Rounds:
        """Measures; may be called again for more rounds.

        Args:
            rounds: how many.
            longest_s: no further round is begun that would probably end later than this, counted from now; one is
                always run.
        """
        start_s = time.perf_counter()
        for number in range(rounds):
            spent_s = time.perf_counter() - start_s
            if longest_s is not None and number and spent_s / number * (number + 1) > longest_s:
                break
            for name, work in self._contestants.items():
                if name in self.failures:
                    continue
                try:
                    self.figures[name].append(work())
                except Exception as error:  # noqa: BLE001 - a peer may fail in any way, and the other rows must stay
                    self.failures[name] = f"{name}: {type(error).__name__}: {error}"
        return self

    def row(self, claim: Claim, ours: str, alternative: str | None = None) -> Row:
        """The row that holds one contestant against another."""
        named = replace(claim, alternative_name=claim.alternative_name or alternative or "")
        names = [ours, alternative] if alternative else [ours]
        row = Row.of_repeats(named, *(self.figures[name] for name in names))
        failure = "; ".join(self.failures[name] for name in names if name in self.failures)
        return row.model_copy(update={"failure": failure})
