"""Traces for an OpenTelemetry collector, where one is named; elsewhere every function here does next to nothing.

OpenTelemetry is an optional part of the installation (``tracing``), imported only where an address is set. What goes
into a span are this program's own words and numbers: no text that is searched for, no picture, no key.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from indexer.errors import ConfigurationError, VitrineError

if TYPE_CHECKING:
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

SpanKind: TypeAlias = Literal["internal", "server", "client", "producer", "consumer"]
Value: TypeAlias = str | int | float | bool

TRACE_HEADERS = ("traceparent", "tracestate")
"""W3C Trace Context, https://www.w3.org/TR/trace-context/; the same names in HTTP and in messages."""
_FLUSH_S = 3.0
_EXPORT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Tracing:
    provider: TracerProvider
    tracer: Tracer
    propagator: TextMapPropagator


_tracing: _Tracing | None = None
"""Of this process."""


class OpenSpan:
    """A span under way, or nothing where there are no traces.

    Args:
        span: None: there are none.
    """

    def __init__(self, span: Span | None = None) -> None:
        self._span = span

    def note(self, name: str, value: Value) -> None:
        """Adds an attribute."""
        if self._span is not None:
            self._span.set_attribute(name, value)

    def rename(self, name: str) -> None:
        """Gives it the name that is known only now."""
        if self._span is not None:
            self._span.update_name(name)

    def fail(self, code: str) -> None:
        """Marks it as failed, with a code of the error tree."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR, code)
            self._span.set_attribute("error.type", code)


_NO_SPAN = OpenSpan()


@contextmanager
def tracing(service: str, endpoint: str, ratio: float = 1.0) -> Iterator[None]:
    """Sends the spans of this process to a collector, for the length of the block.

    Args:
        service: name of the program, such as ``vitrine-api``.
        endpoint: address of a collector that takes OTLP over HTTP, without ``/v1/traces``; empty: no traces.
        ratio: share 0..1 of traces that are kept, decided by the trace's id and so alike in every process.

    Raises:
        ConfigurationError: the optional part is not installed, or the address is none.
    """
    global _tracing  # noqa: PLW0603 - one tracer a process, as its spans come from everywhere
    if not endpoint or _tracing is not None:
        yield
        return
    _tracing = _started(service, endpoint, ratio)
    try:
        yield
    finally:
        started, _tracing = _tracing, None
        started.provider.force_flush(int(_FLUSH_S * 1000))
        started.provider.shutdown()


def is_tracing() -> bool:
    """Whether spans go anywhere."""
    return _tracing is not None


@contextmanager
def span(
    name: str, kind: SpanKind = "internal", *, carrier: Mapping[str, str] | None = None, **attributes: Value
) -> Iterator[OpenSpan]:
    """A span for the length of the block; within it every other one of this task or thread is its child.

    Args:
        name: a word of the program's; never one of a request's.
        kind: whose part of a conversation it is.
        carrier: headers of who asked for it, elsewhere; None: it belongs to the span that is under way here.
        attributes: a double underscore stands for a dot: ``http__route``.
    """
    if _tracing is None:
        yield _NO_SPAN
        return
    from opentelemetry.trace import SpanKind as Kind

    parent = None if carrier is None else _tracing.propagator.extract(dict(carrier))
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    with _tracing.tracer.start_as_current_span(
        name,
        context=parent,
        kind=Kind[kind.upper()],
        attributes=named,
        record_exception=False,  # messages may hold what a user sent
        set_status_on_exception=False,
    ) as started:
        opened = OpenSpan(started)
        try:
            yield opened
        except Exception as error:
            opened.fail(error.code if isinstance(error, VitrineError) else type(error).__name__)
            raise


def carried() -> dict[str, str]:
    """Headers that let whoever gets them go on with the trace under way; empty without one."""
    headers: dict[str, str] = {}
    if _tracing is not None:
        _tracing.propagator.inject(headers)
    return headers


def current_trace_id() -> str:
    """32 hexadecimal digits of the trace under way; empty without one."""
    if _tracing is None:
        return ""
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def _started(service: str, endpoint: str, ratio: float) -> _Tracing:
    if not endpoint.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"otlp_endpoint is no address: {endpoint}.", "It looks like http://127.0.0.1:4318; leave it empty for none."
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError as error:
        raise ConfigurationError(
            "otlp_endpoint is set, but OpenTelemetry is not installed.",
            "Install it with: pip install 'vitrine[tracing]'; or leave otlp_endpoint empty.",
        ) from error
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    kept = TraceIdRatioBased(ratio)
    provider = TracerProvider(
        # what a stranger's traceparent asks for does not override the share that is kept
        sampler=ParentBased(kept, remote_parent_sampled=kept, remote_parent_not_sampled=kept),
        resource=Resource.create({"service.name": service}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    return _Tracing(provider, provider.get_tracer("vitrine"), TraceContextTextMapPropagator())
