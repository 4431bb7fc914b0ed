"""docs/monitoring.md names every figure, and dashboard and alerts ask for nothing else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from indexer.settings import load_settings
from indexer.telemetry import metrics
from search_api.backlog import Backlog
from search_api.embedding_cache import EmbeddingCache
from search_api.live_figures import LiveFigures
from tests.promql import MONITORING, Asked, alert_expressions, asked, dashboard_expressions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "monitoring.md"
_ROW = re.compile(r"^\| `(vitrine_\w+)` \| (\w+) \| ([^|]*) \| ([^|]+) \|$", re.MULTILINE)
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
_OF_PROMETHEUS = frozenset({"up", "process_resident_memory_bytes"})


@dataclass(frozen=True, slots=True)
class Figure:
    """A family of figures."""

    name: str
    type: str
    labels: tuple[str, ...]


def code_figures() -> list[Figure]:
    """What the code declares, and what it works out when it is asked."""
    kinds = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
    declared = [
        Figure(item._name, kinds[type(item)], tuple(item._labelnames))
        for item in vars(metrics).values()
        if isinstance(item, MetricWrapperBase)
    ]
    settings = load_settings({"data_dir": "/nowhere"}, environment={}).settings
    live = LiveFigures(dict, EmbeddingCache(0).figures, {}, Backlog(settings, str))
    families: Iterable[Metric] = asyncio.run(live.families())
    found = [Figure(family.name, family.type, tuple(family._labelnames)) for family in families]  # type: ignore[attr-defined]
    return [*declared, *found, Figure("vitrine_figures_age_seconds", "gauge", ("process",))]


DOCUMENTED = {
    name: Figure(name, kind, tuple(re.findall(r"`(\w+)`", labels)))
    for name, kind, labels, _ in _ROW.findall(PAGE.read_text("utf-8"))
}


def is_answered(item: Asked, families: Container[str]) -> bool:
    """Whether a series of one of these families has what an expression asks for."""
    if item.name in _OF_PROMETHEUS:
        return True
    for name, figure in DOCUMENTED.items():
        if name in families and item.name in {name + suffix for suffix in _SUFFIXES[figure.type]}:
            more = {"process", "le"} if item.name.endswith("_bucket") else {"process"}
            return item.labels <= set(figure.labels) | more
    return False


def test_every_figure_is_documented_with_its_type_and_labels() -> None:
    assert {figure.name: figure for figure in code_figures()} == DOCUMENTED


@pytest.mark.parametrize(
    ("where", "expression"),
    [*alert_expressions().items(), *dashboard_expressions().items()],
    ids=lambda text: text[:40],
)
def test_expressions_ask_for_documented_figures(where: str, expression: str) -> None:
    found = asked(expression)
    assert found, where
    assert all(is_answered(item, DOCUMENTED) for item in found), (where, found)


def test_the_dashboard_shows_every_figure_but_those_that_name_versions_and_ages() -> None:
    shown = {item.name for expression in dashboard_expressions().values() for item in asked(expression)}
    left_out = {"vitrine_info", "vitrine_figures_age_seconds", "vitrine_index_batches", "vitrine_query_cache_entries"}
    for name, figure in DOCUMENTED.items():
        assert (name in left_out) or shown & {name + suffix for suffix in _SUFFIXES[figure.type]}, name


def test_every_alert_says_what_to_do() -> None:
    page = PAGE.read_text("utf-8")
    assert all(f"| `{name}` |" in page for name in alert_expressions())
    rules = [
        rule
        for group in yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]
    assert all(rule["labels"]["severity"] in {"page", "warn"} and rule["annotations"]["summary"] for rule in rules)


def test_an_expression_that_asks_for_what_nobody_shows_is_found() -> None:
    (renamed,) = asked("sum by (route) (rate(vitrine_http_request_total[5m]))")
    (label,) = asked('rate(vitrine_http_requests_total{path="/"}[5m])')
    (grouped,) = asked("sum by (lane) (rate(vitrine_http_requests_total[5m]))")
    assert not any(is_answered(item, DOCUMENTED) for item in (renamed, label, grouped))
    with pytest.raises(ValueError, match="parenthesis"):
        asked("sum by (route (rate(vitrine_http_requests_total[5m]))")


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    panels = json.loads((MONITORING / "grafana.json").read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
