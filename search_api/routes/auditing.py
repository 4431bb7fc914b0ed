"""Routes whose every use is on record in the audit log, before it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from indexer.errors import VitrineError
from indexer.telemetry.context import current_request_id
from search_api import access
from search_api.audit import AuditEntry, AuditLog
from search_api.problems import STATUS_BY_ERROR
from search_api.routes.scopes import ScopedRoute

_TARGET_KEY = "audit_target"
_TELLING_METHODS = frozenset({"GET", "HEAD"})


class AuditedRoute(ScopedRoute):
    """A scoped route that is on record with whoever used it, unless it only tells something.

    Requests without a key that is accepted are refused, and not on record here: strangers could otherwise fill the log
    until what matters is gone. They are in the server's access log.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, between a look whether the log can be written and the entry."""
        handle = super().get_route_handler()
        if (self.methods or set()) <= _TELLING_METHODS:
            return handle
        action = self.endpoint.__name__

        async def handle_on_record(request: Request) -> Response:
            if not access.current.get().key_id:
                return await handle(request)
            log = cast("AuditLog", request.app.state.audit)
            await run_in_threadpool(log.check)
            try:
                response = await handle(request)
            except asyncio.CancelledError:
                log.append_after(_entry(request, action, 0, "cancelled"))
                raise
            except Exception as error:
                await run_in_threadpool(log.append_after, _entry(request, action, *_outcome(error)))
                raise
            await run_in_threadpool(log.append_after, _entry(request, action, response.status_code, "done"))
            return response

        return handle_on_record


def name_target(request: Request, target: str) -> None:
    """Says in the audit log what a request is about, where its path does not."""
    request.scope["state"][_TARGET_KEY] = target


def _entry(request: Request, action: str, status: int, outcome: str) -> AuditEntry:
    found = access.current.get()
    target = request.scope["state"].get(_TARGET_KEY) or "/".join(map(str, request.path_params.values()))
    return AuditEntry(
        who=found.key_id,
        name=found.name,
        tenant=found.tenant,
        action=action,
        target=target,
        outcome=outcome,
        status=status,
        request_id=current_request_id(),
        address=request.client.host if request.client is not None else "",
    )


def _outcome(error: Exception) -> tuple[int, str]:
    if isinstance(error, VitrineError):
        return STATUS_BY_ERROR.get(type(error), 500), error.code
    if isinstance(error, RequestValidationError):
        return 422, "request_invalid"
    if isinstance(error, HTTPException):
        return error.status_code, "request_invalid"
    return 500, "internal_error"
