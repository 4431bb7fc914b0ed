"""What the work under way belongs to: written into log lines and spans, wherever in the work they come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_run_id: ContextVar[str] = ContextVar("run_id", default="")


def current_request_id() -> str:
    """Of the request that this task or thread works for; empty outside of one."""
    return _request_id.get()


def current_run_id() -> str:
    """Of the index run that this thread works for; empty outside of one."""
    return _run_id.get()


@contextmanager
def of_request(request_id: str) -> Iterator[None]:
    """The block is work for this request."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


@contextmanager
def of_run(run_id: str) -> Iterator[None]:
    """The block is work for this run."""
    token = _run_id.set(run_id)
    try:
        yield
    finally:
        _run_id.reset(token)
