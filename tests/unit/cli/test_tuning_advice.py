"""Whoever waits for the slowest way to compute is told how to find a faster one, and nobody else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from indexer.cli.run_summary import supervise
from indexer.cli.tuning_advice import tuning_advice
from indexer.embedding.numerics import Numerics
from indexer.ledger.port import Counts, RunPlan, RunRecord, RunState
from indexer.ledger.sqlite import SqliteLedger
from indexer.precision.records import SpaceRecords, Tuned
from indexer.settings import Settings, load_settings

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
SPACE = "0be1738c1eb0"
RUN = RunRecord(
    run_id="run",
    plan=RunPlan("products", "/shop/my feed.xml", "1"),
    state=RunState.FINISHED,
    collection=f"products--{SPACE}--000001",
    counts=Counts(products=1000, images=1000, embedded=1000),
    batches=4,
    reason="",
    started_at=STARTED,
    updated_at=STARTED + timedelta(minutes=5),
    embedded_with=("torch float32 on cpu",),
)


def settings_with(data_dir: Path, **values: Any) -> Settings:
    return load_settings({"data_dir": data_dir, **values}, environment={}).settings


def test_a_long_run_in_float32_names_the_command(tmp_path: Path) -> None:
    said = tuning_advice(RUN, settings_with(tmp_path))
    assert said.endswith("python -m indexer tune '/shop/my feed.xml'")


@pytest.mark.parametrize(
    "record",
    [
        replace(RUN, updated_at=STARTED + timedelta(seconds=5)),
        replace(RUN, counts=Counts(products=9000, images=9000, unchanged=9000)),
        replace(RUN, embedded_with=("openvino int8 on cpu, texts float32",)),
        replace(RUN, embedded_with=("torch bf16 on cuda",)),
        replace(RUN, embedded_with=("openvino float32 on cpu", "torch float32 on cpu")),
    ],
)
def test_other_runs_say_nothing(record: RunRecord, tmp_path: Path) -> None:
    assert tuning_advice(record, settings_with(tmp_path)) == ""


@pytest.mark.parametrize("values", [{"backend": "torch"}, {"precision": "float32"}])
def test_a_choice_is_not_questioned(values: dict[str, str], tmp_path: Path) -> None:
    assert tuning_advice(RUN, settings_with(tmp_path, **values)) == ""


def test_what_was_measured_already_is_not_asked_for_again(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    tuned = Tuned(SPACE, "model", "processor", (Numerics(),), "2026-01-01T00:00:00Z", {})
    SpaceRecords(settings.models_dir / "another").save_tuned(replace(tuned, space_id="another"))
    assert tuning_advice(RUN, settings)
    SpaceRecords(settings.models_dir / SPACE).save_tuned(tuned)
    assert tuning_advice(RUN, settings) == ""


def test_it_is_said_at_the_end_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    settings = settings_with(tmp_path)
    record = replace(RUN, run_id=ledger.begin(RUN.plan).record.run_id)
    assert supervise(lambda _: record, ledger, lambda ended: tuning_advice(ended, settings)) == 0
    ledger.close()
    told = capsys.readouterr()
    assert "1,000 embedded" in told.out
    assert "indexer tune '/shop/my feed.xml'" in " ".join(told.err.split())
