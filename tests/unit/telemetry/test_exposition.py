"""Figures of several processes on one page."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from indexer.ledger.port import BatchReport, Counts, Failure, Stage
from indexer.telemetry.counting import batch_recorded
from indexer.telemetry.exposition import exporter, exposition, figures_file
from indexer.telemetry.metrics import REGISTRY
from tests.processes import free_port


def samples(page: bytes, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
        if sample.name == name
    }


def test_a_batch_counts_what_became_of_it() -> None:
    before = REGISTRY.get_sample_value("vitrine_failures_total", {"part": "feed", "code": "image_damaged"}) or 0
    failure = Failure("p", 0, "a.jpg", Stage.DECODE, "image_damaged", "torn", retryable=False, line=1)
    batch_recorded("feed", BatchReport(0, Counts(products=3, embedded=2, failed=1), (failure,)))
    after = REGISTRY.get_sample_value("vitrine_failures_total", {"part": "feed", "code": "image_damaged"})
    assert after == before + 1
    page = exposition()
    assert samples(page, "vitrine_index_products_total")[(("source", "feed"),)] >= 3
    assert samples(page, "vitrine_index_pictures_total")[(("outcome", "embedded"), ("source", "feed"))] >= 2


def test_another_processs_figures_are_shown_beside_this_ones_each_family_once(tmp_path: Path) -> None:
    batch_recorded("events", BatchReport(0, Counts(products=5)))
    with figures_file(tmp_path / "figures", "follow"):
        pass
    page = exposition(folder=tmp_path / "figures")
    found = samples(page, "vitrine_index_products_total")
    assert found[(("process", "follow"), ("source", "events"))] == found[(("source", "events"),)] >= 5
    assert page.count(b"# TYPE vitrine_index_products_total counter") == 1
    assert samples(page, "vitrine_figures_age_seconds").keys() == {(("process", "follow"),)}
    assert not any("follow" in str(labels) for labels in samples(page, "vitrine_http_requests_in_progress"))


def test_a_torn_file_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "command.prom").write_text('vitrine_x_total{a="')
    (tmp_path / "follow.prom").write_bytes(b"\xff\xfe")
    assert b"vitrine_http_requests_in_progress" in exposition(folder=tmp_path)
    assert "command.prom cannot be read" in caplog.text


def test_a_folder_that_cannot_be_written_stops_no_work(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    with figures_file(tmp_path / "file" / "figures", "command"):
        pass
    assert "cannot be left in" in caplog.text


def test_figures_worked_out_now_join_their_family() -> None:
    more = CounterMetricFamily("vitrine_more", "More.", labels=["a"])
    more.add_metric(["b"], 7)
    assert samples(exposition([more]), "vitrine_more_total") == {(("a", "b"),): 7}


def test_several_workers_of_a_machine_take_ports_one_after_the_other() -> None:
    first = free_port()
    with ExitStack() as stack:
        taken = stack.enter_context(socket.socket())
        taken.bind(("127.0.0.1", first))
        taken.listen()
        ports = [stack.enter_context(exporter("127.0.0.1", first)) for _ in range(2)]
        assert first < ports[0] < ports[1]
        with urlopen(f"http://127.0.0.1:{ports[1]}/metrics") as answer:
            assert b"vitrine_embeddings_total" in answer.read()
    assert stack.enter_context(exporter("127.0.0.1", 0)) == 0


def test_a_process_that_is_gone_has_its_counts_and_no_memory(tmp_path: Path) -> None:
    batch_recorded("feed", BatchReport(0, Counts(products=1)))
    with figures_file(tmp_path, "command"):
        pass
    label = (("process", "command"),)
    assert label in samples(exposition(folder=tmp_path), "process_resident_memory_bytes")
    os.utime(tmp_path / "command.prom", (1, 1))
    page = exposition(folder=tmp_path)
    assert label not in samples(page, "process_resident_memory_bytes")
    assert (*label, ("source", "feed")) in samples(page, "vitrine_index_products_total")
    assert samples(page, "vitrine_figures_age_seconds")[label] > 1000
