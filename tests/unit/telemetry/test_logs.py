"""Log lines for programs."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from indexer.errors import ConfigurationError
from indexer.telemetry.context import of_request, of_run
from indexer.telemetry.logs import JsonLines, writes_json
from indexer.telemetry.tracing import carried, current_trace_id, span, tracing


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    text = JsonLines("api").format(record)
    assert len(text.splitlines()) == 1
    value: dict[str, Any] = json.loads(text)
    return value


def record(message: str, *args: object, name: str = "search_api.problems") -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, __file__, 1, message, args, None)


def test_a_line_names_request_and_run_where_there_are_any() -> None:
    with of_request("r-1"), of_run("20260101-000000-ab"):
        line = line_of(record("%s failed", "it"))
    assert (line["message"], line["level"], line["service"]) == ("it failed", "warning", "api")
    assert (line["request_id"], line["run_id"]) == ("r-1", "20260101-000000-ab")
    assert line["time"].endswith("Z")
    assert {"request_id", "run_id", "trace_id", "error"}.isdisjoint(line_of(record("outside")))


def test_what_is_sent_cannot_end_a_line_or_begin_a_member() -> None:
    hostile = 'x\n{"level": "error"}\r\u2028\x00"}'
    assert line_of(record("%s", hostile))["message"] == hostile


def test_an_error_is_a_member_with_its_stack() -> None:
    try:
        json.loads("{\n!")
    except ValueError as error:
        made = record("failed")
        made.exc_info = (type(error), error, error.__traceback__)
    error_of = line_of(made)["error"]
    assert error_of["type"] == "JSONDecodeError"
    assert "line 2 column 1" in error_of["stack"]


def test_the_access_log_has_members_and_not_what_was_searched_for() -> None:
    arguments = ("127.0.0.1:5", "GET", "/v1/find?text=secret+wish", "1.1", 200)
    line = line_of(record('%s - "%s %s HTTP/%s" %d', *arguments, name="uvicorn.access"))
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/find", 200)
    assert "secret" not in json.dumps(line)


def test_lines_are_readable_on_a_terminal_alone() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert not writes_json("auto", Terminal())
    assert writes_json("auto", io.StringIO())
    assert writes_json("json", Terminal())
    assert not writes_json("text", io.StringIO())


def test_without_a_collector_spans_are_nothing() -> None:
    with tracing("test", ""), span("work", "server", carrier={"traceparent": "x"}) as traced:
        traced.note("a", 1)
        assert (carried(), current_trace_id()) == ({}, "")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="otlp_endpoint is no address"), tracing("test", "localhost:4318"):
        pass
