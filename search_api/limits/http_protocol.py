"""HTTP as uvicorn reads it with httptools, with bounds where these two have none.

Neither bounds the bytes or the number of headers, nor the time that a client may take to send a request or to read an
answer; a connection that says nothing stays open, and trailers of a body become headers of a request that was looked at
already. What is refused here is answered as a problem document, as the app would, and the connection is closed.
"""

from __future__ import annotations

import asyncio
import http
from typing import Any, cast

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from indexer.errors import (
    RequestHeadTooLarge,
    RequestLineTooLong,
    RequestMalformed,
    RequestSlow,
    VitrineError,
)
from indexer.rate_limits.addresses import client_of, is_in
from indexer.telemetry import metrics
from search_api.limits.connections import MAX_TURNED_AWAY, ConnectionLimits
from search_api.problems import problem_of
from search_api.security_headers import HEADERS as SECURITY_HEADERS

MAX_HEADERS = 100
MAX_TARGET_BYTES = 16_384
"""Of a request line's address; the page keeps a whole query in it."""
MAX_PIPELINED = 16
"""Requests of one connection that are read before the first is answered."""
_LINE_BYTES = 4
"""Colon, space and end of line of a header."""
_UNREAD_BODY_S = 5.0
"""How long a body may go on that the answer came before: clients that never look up still get to see it."""
_UNTAKEN_ANSWER_S = 30.0
"""How long an answer may lie here while the client takes nothing of it."""


class _Refused(Exception):
    """Ends the parser's work; what is wrong is noted at the connection."""


class _LingeringTransport:
    """The connection as the answer to a request sees it: it closes when the client had its time to see the answer.

    A socket that is closed with something unread in it resets the connection, and the client loses the answer.
    """

    def __init__(self, protocol: BoundedHttpProtocol) -> None:
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        self._protocol.transport.write(data)

    def is_closing(self) -> bool:
        return self._protocol.transport.is_closing()

    def close(self) -> None:
        self._protocol.close_kindly()


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection; see the module. Made by ``bounded_protocol``."""

    limits: ConnectionLimits

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._client: str | None = None
        self._refusal: VitrineError | None = None
        self._ignoring = False
        self._expects_head = True
        self._head_begun = False
        self._begun = 0
        self._head_fed_bytes = 0
        self._head_bytes = 0
        self._framing_bytes = 0
        self._body_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None
        self._taking_timer: asyncio.TimerHandle | None = None

    # connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counts it; too many are told so."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.limits.head_timeout_s, self._head_is_late)
        host = self.client[0] if self.client else ""
        client = "" if not host or is_in(host, self.limits.proxies) else client_of(host)
        if refusal := self.limits.admit(client):
            self._turn_away(refusal)
        else:
            self._client = client

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it."""
        super().connection_lost(exc)
        self._stop_timers()
        if self._client is None:
            self.limits.turned_away -= 1
        else:
            self.limits.leave(self._client)

    def data_received(self, data: bytes) -> None:
        """What came, counted before and after the parser had it."""
        if self._ignoring:
            return
        begun_in_head, begun, body_bytes = self._expects_head, self._begun, self._body_bytes
        if begun_in_head:
            self._head_fed_bytes += len(data)
        super().data_received(data)
        if self._ignoring:
            return
        if self._expects_head:
            if self._head_begun and self._head_fed_bytes > self.limits.head_max_bytes:
                self._refuse(self._too_large())
        elif self._begun == begun or (begun_in_head and self._begun == begun + 1):  # all of it is this request's
            head_bytes, body_bytes = (self._head_bytes, 0) if begun_in_head else (0, body_bytes)
            self._framing_bytes += len(data) - head_bytes - (self._body_bytes - body_bytes)
            if self._framing_bytes > self.limits.head_max_bytes + self._body_bytes:
                self._refuse(RequestMalformed("The body is hardly more than the marks of its chunks."))
        self._watch_head()

    # what the parser finds

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(RequestMalformed("Too many requests were sent without waiting for an answer."))
        super().on_message_begin()
        self._begun += 1
        self._head_begun = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        if len(self.url) + len(url) > MAX_TARGET_BYTES:
            self._stop(RequestLineTooLong(f"The address is longer than {MAX_TARGET_BYTES} bytes.", "Send a body."))
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; those behind a body are no headers of the request (RFC 9110, 6.5.1) and are dropped."""
        if not self._head_begun:
            return
        self._head_bytes += len(name) + len(value) + _LINE_BYTES
        if self._head_bytes > self.limits.head_max_bytes or len(self.headers) >= MAX_HEADERS:
            self._stop(self._too_large())
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The request goes to the app."""
        super().on_headers_complete()
        self._expects_head = self._head_begun = False
        self._head_fed_bytes = self._framing_bytes = self._body_bytes = 0
        self._cancel_head_timer()
        self.cycle.transport = cast("asyncio.Transport", _LingeringTransport(self))
        if self.parser.should_upgrade():  # to nothing; what follows must not be read as another request
            self.cycle.keep_alive = False
            self._ignoring = True

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is complete; what follows is another request."""
        self._expects_head = True
        super().on_message_complete()
        if self._end_timer is not None and not self._ignoring:
            self._end_timer.cancel()
            self._end_timer = None

    def on_response_complete(self) -> None:
        """The answer is written; of a body that nobody asked for the end must come soon."""
        super().on_response_complete()
        if not self._expects_head and self._end_timer is None:
            self._end_timer = self.loop.call_later(_UNREAD_BODY_S, self._close)

    # the end

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """Called where the parser gives up."""
        self._refuse(
            self._refusal or RequestMalformed("This is no request of HTTP/1.1, or one that can be read in two ways.")
        )

    def _unsupported_upgrade_warning(self) -> None:
        """Whoever asks for another protocol is answered in this one, as RFC 9110, 7.8 has it; nobody needs to know."""

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for a while."""
        self._close()

    def pause_writing(self) -> None:
        """The client takes the answer slower than it is written."""
        super().pause_writing()
        self._watch_taking()

    def resume_writing(self) -> None:
        """It caught up."""
        super().resume_writing()
        if self._taking_timer is not None and not self.transport.is_closing():
            self._taking_timer.cancel()
            self._taking_timer = None

    def close_kindly(self) -> None:
        """Closes the connection now, or soon if the client is still sending."""
        if self._expects_head:
            self._close()
        else:
            self._linger()

    @property
    def _under_way(self) -> RequestResponseCycle | None:
        """The latest request, until it is answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return None if cycle is None or cycle.response_complete else cycle

    def _turn_away(self, error: VitrineError) -> None:
        """Says why, if not too many are being told already."""
        self.limits.turned_away += 1
        if self.limits.turned_away > MAX_TURNED_AWAY:
            self._ignoring = True
            self.transport.abort()
        else:
            self._refuse(error)

    def _refuse(self, error: VitrineError) -> None:
        """Answers, if no other answer is under way, and reads no more."""
        metrics.failed("http", error.code)
        cycle = self._under_way
        is_of_body = not self._expects_head and not self.pipeline
        self.pipeline.clear()
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started or not is_of_body:
                self._ignoring = True
                self._close()
                return
        self.transport.write(_encoded(problem_of(error)))
        self._linger()

    def _linger(self) -> None:
        self._ignoring = True
        self._stop_timers()
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._end_timer = self.loop.call_later(_UNREAD_BODY_S, self._close)

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
        self._watch_taking()

    def _stop(self, error: VitrineError) -> None:
        self._refusal = error
        raise _Refused

    # time

    def _watch_head(self) -> None:
        """Where a request is awaited and no other clock runs, this one does."""
        idle = self._under_way is None and not self.pipeline
        awaited = self._expects_head and (self._head_begun or (idle and self.timeout_keep_alive_task is None))
        if awaited and self._head_timer is None and not self._ignoring:
            self._head_timer = self.loop.call_later(self.limits.head_timeout_s, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._under_way is not None:
            self._watch_head()  # the answer to the request before is under way; this one may wait as long
        elif self._head_begun:
            seconds = f"{self.limits.head_timeout_s:g} s"
            self._refuse(RequestSlow(f"Request line and headers did not come within {seconds}."))
        else:
            self._close()

    def _watch_taking(self) -> None:
        """Cuts the connection if the client takes nothing of the answer for a while."""
        if self._taking_timer is None:
            size = self.transport.get_write_buffer_size()
            self._taking_timer = self.loop.call_later(_UNTAKEN_ANSWER_S, self._look_at_taking, size)

    def _look_at_taking(self, size_before: int) -> None:
        self._taking_timer = None
        if self.transport.get_write_buffer_size() >= size_before:
            self.transport.abort()
        else:
            self._watch_taking()

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_timers(self) -> None:
        self._cancel_head_timer()
        self._unset_keepalive_if_required()
        for timer in (self._end_timer, self._taking_timer):
            if timer is not None:
                timer.cancel()
        self._end_timer = self._taking_timer = None

    def _too_large(self) -> VitrineError:
        limit = self.limits.head_max_bytes
        return RequestHeadTooLarge(
            f"Request line and headers have more than {limit} bytes, or there are more than {MAX_HEADERS} headers.",
            "Send less in cookies and headers.",
        )


def bounded_protocol(limits: ConnectionLimits) -> type[BoundedHttpProtocol]:
    """The class of connections that share these limits, for uvicorn."""
    return type("ServedHttpProtocol", (BoundedHttpProtocol,), {"limits": limits})


def _encoded(answer: Response) -> bytes:
    """A whole answer, which ends the connection."""
    phrase = http.HTTPStatus(answer.status_code).phrase
    headers = {**answer.headers, **SECURITY_HEADERS, "connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status_code} {phrase}\r\n{head}\r\n".encode("latin-1") + bytes(answer.body)
