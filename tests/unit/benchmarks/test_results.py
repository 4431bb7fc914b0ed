"""The file of results: pieces measured at different times, and the chart drawn from it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from xml.parsers import expat

import pytest

from benchmarks import __main__ as bench
from benchmarks.chart import chart_of
from benchmarks.results import Machine, Piece, Results, commit, read_results, this_machine, write_results
from benchmarks.rows import Claim, Row

_CLAIM = Claim("index run", "images/s", "open_clip's <loop>", target=6.0, charted=True)


def piece(name: str, *rows: Row, failure: str = "") -> Piece:
    return Piece(
        name=name, command="", measured_at="2026-01-01T00:00:00Z", seconds=1.0, load=0.1, failure=failure, rows=rows
    )


def test_a_piece_measured_anew_replaces_its_own_rows_alone() -> None:
    results = Results(machine=this_machine())
    results = results.with_piece(piece("one", Row.of(_CLAIM, 60.0, 10.0)))
    results = results.with_piece(piece("other", Row.of(_CLAIM, 70.0, 10.0)))
    results = results.with_piece(piece("one", Row.of(_CLAIM, 50.0, 10.0)))
    assert [(row.piece, row.ours) for row in results.rows] == [("other", 70.0), ("one", 50.0)]
    assert [item.name for item in results.pieces] == ["other", "one"]


def test_results_are_read_back_with_what_the_issue_asks_of_a_row(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    results = Results(machine=this_machine()).with_piece(piece("one", Row.of(_CLAIM, 60.0, 10.0)))
    write_results(results, path)
    assert read_results(path) == results
    (row,) = json.loads(path.read_text("utf-8"))["rows"]
    assert {"name", "unit", "ours", "alternative", "ratio", "target", "met"} <= row.keys()


def test_rows_of_another_machine_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    other = Machine(cpu="another", cores=64, memory_gb=1.0, system="?")
    write_results(Results(machine=other).with_piece(piece("one", Row.of(_CLAIM, 60.0, 10.0))), path)
    assert read_results(path).rows == []


def test_a_piece_that_fails_says_so_and_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = bench.measured(bench.Plan("broken", ("no_such_module",)))
    assert "exit code" in failed.failure
    assert [row.failure for row in failed.rows] == [failed.failure]
    monkeypatch.setattr(bench, "PLANS", ())
    assert bench.chosen(None, full=True) == []


def test_a_piece_that_takes_too_long_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    program = f"sleep 300 & echo $! > {noted}; wait"
    assert bench._failure_of(["sh", "-c", program], 0.6) == "it took longer than 0.6 s"
    left = Path("/proc") / noted.read_text().strip() / "cmdline"
    deadline_s = time.monotonic() + 30
    while left.exists() and left.read_bytes():  # a process that was killed may wait to be reaped, with nothing in it
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
def test_a_program_file_that_was_changed_since_the_commit_shows(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        named = ("-c", "user.name=a", "-c", "user.email=a@shop.example", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *named, *arguments], cwd=tmp_path, check=True, capture_output=True)

    assert commit(tmp_path) == ""
    program, note = tmp_path / "indexer" / "points.py", tmp_path / "note.md"
    program.parent.mkdir()
    for file in (program, note):
        file.write_text("1")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    assert re.fullmatch("[0-9a-f]{10}", commit(tmp_path))
    note.write_text("2")
    assert not commit(tmp_path).endswith("+")
    program.write_text("2")
    assert re.fullmatch(r"[0-9a-f]{10}\+", commit(tmp_path))


def test_the_million_needs_to_be_asked_for() -> None:
    default = {plan.name for plan in bench.chosen(None, full=False)}
    assert {plan.name for plan in bench.chosen(None, full=True)} > default
    assert "vectors-1m" not in default


@pytest.mark.parametrize(
    ("claim", "ours", "theirs", "shown"),
    [
        (_CLAIM, 60.0, 10.0, "6.00×"),
        (Claim("latency", "ms", "raw", better="lower", target=1.15, charted=True), 5.0, 10.0, "2.00×"),
        (Claim("alone", "images/s", "loop", charted=True), 5.0, 10.0, "0.500×"),
    ],
)
def test_the_chart_shows_how_many_times_better(claim: Claim, ours: float, theirs: float, shown: str) -> None:
    results = Results(machine=this_machine()).with_piece(piece("one", Row.of(claim, ours, theirs)))
    drawn = chart_of(results)
    expat.ParserCreate().Parse(drawn, True)
    texts = re.findall(r">([^<]*)</text>", drawn)
    assert claim.name in texts
    assert shown in texts


def test_the_chart_leaves_out_what_has_no_ratio_or_is_no_main_row() -> None:
    rows = [Row.failed(_CLAIM, "no network"), Row.of(Claim("minor", "ms", "raw"), 1.0, 2.0)]
    drawn = chart_of(Results(machine=this_machine()).with_piece(piece("one", *rows)))
    assert "<circle" not in drawn
