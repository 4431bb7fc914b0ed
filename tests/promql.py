"""What PromQL expressions ask for, by the grammar of Prometheus itself (``promql-parser``)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml

MONITORING = Path(__file__).resolve().parents[1] / "configs" / "monitoring"
_OF_PROMETHEUS = frozenset({"instance", "job"})
"""Labels that Prometheus gives each series."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A series that an expression names, and the labels that it expects of it."""

    name: str
    labels: frozenset[str]


def asked(expression: str) -> list[Asked]:
    """What an expression asks for.

    Raises:
        ValueError: it is none.
    """
    return list(_asked(promql_parser.parse(expression), frozenset()))


def alert_expressions() -> dict[str, str]:
    """Of the alert rules, by their names."""
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def dashboard_expressions() -> dict[str, str]:
    """Of the dashboard, by panel and letter; with the interval that Grafana puts in."""
    board = json.loads((MONITORING / "grafana.json").read_text("utf-8"))
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "1m")
        for panel in board["panels"]
        for target in panel.get("targets", ())
    }


def _asked(node: Any, grouped: frozenset[str]) -> Iterator[Asked]:
    match type(node).__name__:
        case "VectorSelector":
            named = {matcher.name for matcher in node.matchers.matchers}
            yield Asked(node.name, frozenset(named | grouped) - _OF_PROMETHEUS)
        case "MatrixSelector" | "SubqueryExpr":
            yield from _asked(getattr(node, "vector_selector", None) or node.expr, grouped)
        case "AggregateExpr":
            by = frozenset(node.modifier.labels) if node.modifier is not None else frozenset()
            yield from _asked(node.expr, by)
        case "BinaryExpr":
            matching = node.modifier.matching if node.modifier is not None else None
            on = frozenset(matching.labels) if matching is not None else frozenset()
            yield from _asked(node.lhs, grouped | on)
            yield from _asked(node.rhs, grouped | on)
        case "Call":
            for argument in node.args:
                yield from _asked(argument, grouped)
        case "ParenExpr" | "UnaryExpr":
            yield from _asked(node.expr, grouped)
        case "NumberLiteral" | "StringLiteral":
            return
        case other:
            raise AssertionError(f"what {other} asks for is not known here")
