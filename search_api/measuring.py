"""Every request is counted, timed and, where traces go anywhere, traced: in words of the app, not of the request."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexer.telemetry import metrics
from indexer.telemetry.context import current_request_id
from indexer.telemetry.tracing import TRACE_HEADERS, OpenSpan, is_tracing, span

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"
_CLIENT_GONE = 499
_FAILED = 500
_TRACE_HEADERS = {name.encode("ascii"): name for name in TRACE_HEADERS}


class Measuring:
    """Sees each request from its headers to the last byte of its answer.

    Args:
        app: the whole rest but for the ids of requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not is_tracing():
            await self._measured(scope, receive, send, OpenSpan())
            return
        with span("request", "server", carrier=_trace_headers(scope)) as traced:
            traced.note("vitrine.request_id", current_request_id())
            await self._measured(scope, receive, send, traced)

    async def _measured(self, scope: Scope, receive: Receive, send: Send, traced: OpenSpan) -> None:
        status = _CLIENT_GONE

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        start_s = perf_counter()
        metrics.HTTP_IN_PROGRESS.inc()
        try:
            await self._app(scope, receive, noting_send)
        except Exception:
            status = _FAILED
            raise
        finally:
            metrics.HTTP_IN_PROGRESS.dec()
            method = scope["method"] if scope["method"] in _METHODS else _OTHER
            route = getattr(scope.get("route"), "path", _OTHER)
            requests, seconds = self._series_of(method, route, status)
            requests.inc()
            seconds.observe(perf_counter() - start_s)
            traced.rename(f"{method} {route}")
            traced.note("http.request.method", method)
            traced.note("http.route", route)
            traced.note("http.response.status_code", status)
            if status >= _FAILED:
                traced.fail(str(status))

    def _series_of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """Looked up once: finding a series costs more than counting in it."""
        found = self._series.get((method, route, status))
        if found is None:
            requests = metrics.HTTP_REQUESTS.labels(method, route, status)
            found = requests, metrics.HTTP_REQUEST_SECONDS.labels(method, route)
            self._series[method, route, status] = found
        return found


def _trace_headers(scope: Scope) -> Mapping[str, str]:
    return {_TRACE_HEADERS[name]: value.decode("latin-1") for name, value in scope["headers"] if name in _TRACE_HEADERS}
