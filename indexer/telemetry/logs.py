"""Log lines: readable ones on a terminal, JSON objects for programs everywhere else."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO, TypeAlias

from indexer.telemetry.context import current_request_id, current_run_id
from indexer.telemetry.secrets import without_keys
from indexer.telemetry.tracing import current_trace_id

LogFormat: TypeAlias = Literal["auto", "json", "text"]

TEXT = "%(levelname)s %(name)s: %(message)s%(of_work)s"
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
"""What some readers end a line at, and JSON leaves as it is."""
_ACCESS = "uvicorn.access"
_ACCESS_FIELDS = ("client", "method", "path", "http_version", "status")


class OfWork(logging.Filter):
    """Gives each record ``of_work``, to end a readable line with: ids of request and run in brackets, or nothing.

    Takes the secret out of API keys that somebody put where they do not belong.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets everything through."""
        ids = [found for found in (current_request_id(), current_run_id()) if found]
        record.of_work = f" [{' '.join(ids)}]" if ids else ""
        record.msg = without_keys(str(record.msg))
        if isinstance(record.args, tuple):
            record.args = tuple(without_keys(item) if isinstance(item, str) else item for item in record.args)
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line, whatever the message holds.

    Members: ``time`` (UTC, milliseconds), ``level``, ``logger``, ``service``, ``message``; where there are any,
    ``request_id``, ``run_id``, ``trace_id`` and ``error`` (``type``, ``stack``); of the access log also ``client``,
    ``method``, ``path`` and ``status``.

    Args:
        service: which program writes: ``api``, ``worker``, ``indexer``.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "service": self._service,
            "message": record.getMessage(),
        }
        ids = {"request_id": current_request_id(), "run_id": current_run_id(), "trace_id": current_trace_id()}
        line |= {name: value for name, value in ids.items() if value}
        line |= _access_fields(record)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = {"type": record.exc_info[0].__name__, "stack": self.formatException(record.exc_info)}
        return without_keys(json.dumps(line, ensure_ascii=False, default=str)).translate(_LINE_ENDS)


def writes_json(log_format: LogFormat, stream: TextIO | None = None) -> bool:
    """Whether lines are JSON.

    Args:
        log_format: ``auto``: wherever nobody reads along, which is where the stream is no terminal.
        stream: None: standard error.
    """
    if log_format == "auto":
        return not (stream or sys.stderr).isatty()
    return log_format == "json"


def start_logging(service: str, log_format: LogFormat, text: str = TEXT) -> None:
    """Sends what this process logs to standard error; called once, where its settings are known.

    Args:
        service: see ``JsonLines``.
        log_format: see ``writes_json``.
        text: format of readable lines.
    """
    handler = logging.StreamHandler()
    handler.addFilter(OfWork())
    handler.setFormatter(JsonLines(service) if writes_json(log_format) else logging.Formatter(text))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _access_fields(record: logging.LogRecord) -> Mapping[str, Any]:
    if record.name != _ACCESS or not isinstance(record.args, tuple) or len(record.args) != len(_ACCESS_FIELDS):
        return {}
    fields = dict(zip(_ACCESS_FIELDS, record.args, strict=True))
    del fields["http_version"]
    path = fields["path"] = str(fields["path"]).partition("?")[0]  # what follows is what a shopper searched for
    return fields | {"message": f"{fields['method']} {path} {fields['status']}"}
