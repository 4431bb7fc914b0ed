"""What benchmarks say: targets, ratios of pairs, failures that leave the other rows alone."""

from pathlib import Path

import pytest

from benchmarks.rounds import Rounds
from benchmarks.rows import Claim, Row, print_rows, read_rows, shown, write_rows

_CLAIM = Claim("end to end", "images/s", "raw", target=0.9)


@pytest.mark.parametrize(
    ("claim", "ours", "alternative", "met"),
    [
        (Claim("a", "images/s", "raw", target=0.9), 90.0, 100.0, True),
        (Claim("a", "images/s", "raw", target=0.9), 89.0, 100.0, False),
        (Claim("a", "ms", "raw", better="lower", target=1.15), 11.5, 10.0, True),
        (Claim("a", "ms", "raw", better="lower", target=1.15), 11.6, 10.0, False),
        (Claim("a", "products/s", target=2000, target_of="ours"), 2001.0, None, True),
        (Claim("a", "products/s", target=2000, target_of="ours"), 1999.0, None, False),
        (Claim("a", "MB"), 1.0, None, None),
    ],
)
def test_target_is_met_in_its_direction(claim: Claim, ours: float, alternative: float | None, met: bool | None) -> None:
    assert Row.of(claim, ours, alternative).met is met


def test_what_could_not_be_measured_is_not_met() -> None:
    assert Row.failed(_CLAIM, "no network").met is False


def test_rows_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [Row.of(_CLAIM, 90.0, 100.0), Row.failed(_CLAIM, "no network")]
    write_rows(tmp_path / "deep" / "rows.json", rows)
    assert read_rows(tmp_path / "deep" / "rows.json") == rows
    assert '"met": true' in (tmp_path / "deep" / "rows.json").read_text("utf-8")


def test_contestants_alternate() -> None:
    order: list[str] = []

    def contestant(name: str) -> float:
        order.append(name)
        return float(len(order))

    Rounds({"a": lambda: contestant("a"), "b": lambda: contestant("b")}).run(3)
    assert order == ["a", "b"] * 3


def test_ratio_is_of_pairs_of_the_same_round() -> None:
    ours, theirs = iter([100.0, 10.0, 50.0]), iter([50.0, 5.0, 50.0])
    row = Rounds({"ours": lambda: next(ours), "theirs": lambda: next(theirs)}).run(3).row(_CLAIM, "ours", "theirs")
    assert (row.ours, row.alternative, row.ratio) == (50.0, 50.0, 2.0)
    assert (row.ours_range, row.ratio_range, row.repeats) == ((10.0, 100.0), (1.0, 2.0), 3)


def test_one_that_fails_leaves_the_others() -> None:
    def fails() -> float:
        raise OSError("no index")

    rounds = Rounds({"ours": lambda: 2.0, "theirs": fails}).run(2)
    row = rounds.row(_CLAIM, "ours", "theirs")
    assert (row.ours, row.alternative, row.met) == (2.0, None, False)
    assert "no index" in row.failure
    assert rounds.row(Claim("alone", "images/s"), "ours").failure == ""


def test_a_round_that_would_end_too_late_is_not_begun() -> None:
    rounds = Rounds({"ours": lambda: 1.0}).run(1000, longest_s=0.0)
    assert len(rounds.figures["ours"]) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.98765, "0.988"), (12.0, "12.0"), (174.4, "174"), (2140.2, "2 140")]
)
def test_figures_have_the_digits_that_matter(value: float | None, text: str) -> None:
    assert shown(value) == text


def test_table_names_failures_and_missed_targets(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([Row.of(_CLAIM, 50.0, 100.0), Row.failed(_CLAIM, "no network")])
    printed = capsys.readouterr().out
    assert "ratio ≥ 0.9" in printed
    assert "NO" in printed
    assert "FAILED: no network" in printed
