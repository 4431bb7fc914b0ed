"""Errors as problem documents (RFC 9457), and the one table of HTTP statuses."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexer import errors
from indexer.errors import VitrineError
from indexer.telemetry.context import current_request_id
from indexer.telemetry.metrics import access_refused, failed
from search_api.disclosure import one_line, told

_log = logging.getLogger(__name__)
PROBLEM_MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 2.0
_CLIENT_GONE = 499
"""Nobody reads it; the status that nginx made customary for access logs."""

STATUS_BY_ERROR: Mapping[type[VitrineError], int] = {
    errors.ConfigurationError: 500,
    errors.FeedNotFound: 422,
    errors.FeedFormatUnknown: 422,
    errors.FeedUnreadable: 422,
    errors.FeedTooLarge: 413,
    errors.FeedUnsafe: 422,
    errors.ImageNotFound: 404,
    errors.ImageRefForbidden: 422,
    errors.ImageFetchFailed: 502,
    errors.ImageEmpty: 422,
    errors.ImageTooLarge: 413,
    errors.ImageTooManyPixels: 413,
    errors.ImageNotAnImage: 415,
    errors.ImageDamaged: 422,
    errors.ImageTooManyFrames: 422,
    errors.ImageMemory: 422,
    errors.ImageTimeout: 422,
    errors.ImageCrashedDecoder: 422,
    errors.DecoderUnavailable: 503,
    errors.ModelNotFound: 503,
    errors.ModelHubUnreachable: 503,
    errors.ModelLoading: 503,
    errors.ModelWeightsMissing: 503,
    errors.ModelMismatch: 503,
    errors.PrecisionRefused: 503,
    errors.ModelFailed: 503,
    errors.PatchesUnavailable: 501,
    errors.CollectionNotFound: 503,
    errors.SpaceMismatch: 409,
    errors.StoreLocked: 503,
    errors.StoreUnavailable: 503,
    errors.StoreRefused: 503,
    errors.StoreDamaged: 503,
    errors.CollectionOutdated: 503,
    errors.BackupUnreadable: 500,
    errors.BackupDamaged: 500,
    errors.RunNotFound: 404,
    errors.PromotionImpossible: 409,
    errors.LedgerUnavailable: 503,
    errors.QueueUnavailable: 503,
    errors.MessageInvalid: 500,
    errors.WorkerLost: 500,
    errors.WorkerFailed: 500,
    errors.EventsUnavailable: 503,
    errors.KeyRequired: 401,
    errors.AdminKeyRequired: 401,
    errors.ScopeMissing: 403,
    errors.AdminDisabled: 403,
    errors.TenantRequired: 403,
    errors.InstallationOnly: 403,
    errors.KeyNotFound: 404,
    errors.KeysUnavailable: 503,
    errors.AuditUnavailable: 503,
    errors.QueryTextEmpty: 422,
    errors.QueryTextTooLong: 422,
    errors.BoxInvalid: 422,
    errors.FilterInvalid: 422,
    errors.FilterFieldUnknown: 422,
    errors.CursorInvalid: 422,
    errors.QueryNotPossible: 422,
    errors.ProductNotFound: 404,
    errors.ProductImageNotFound: 404,
    errors.RequestMalformed: 400,
    errors.RequestLineTooLong: 414,
    errors.RequestHeadTooLarge: 431,
    errors.RequestSlow: 408,
    errors.JsonTooLarge: 413,
    errors.JsonTooDeep: 422,
    errors.RateLimited: 429,
    errors.TooManyAtOnce: 429,
    errors.Overloaded: 503,
}
"""Every leaf of the error tree; a test fails if one is missing."""

_COME_AGAIN = frozenset({429, 503})
"""Statuses that say when."""
_CODE_BY_STATUS = {404: "route_not_found", 405: "method_not_allowed", 413: "image_too_large"}
_TITLES = {
    400: "Not understood",
    401: "Not authorised",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Conflict",
    413: "Too large",
    414: "Address too long",
    415: "Unsupported media type",
    422: "Cannot be processed",
    429: "Too many requests",
    431: "Headers too large",
    500: "Internal error",
    502: "Bad gateway",
    501: "Not available with this model",
    503: "Not available now",
}


def problem_response(
    status: int, code: str, detail: str, *, retry_after_s: float | None = None, extra: Mapping[str, Any] | None = None
) -> JSONResponse:
    """A problem document.

    Args:
        status: HTTP status.
        code: stable, for programs.
        detail: one or two sentences, for people.
        retry_after_s: rounded up to the header's whole seconds.
        extra: further members.
    """
    failed("api", code)
    if status in {401, 403}:
        access_refused(code)
    headers = {}
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in {408, 413}:
        headers["Connection"] = "close"  # the rest of the body is not read, so nothing can follow it
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "code": code}
    body |= {"detail": detail} | dict(extra or {})
    if request_id := current_request_id():
        body["request_id"] = request_id
    return JSONResponse(body, status_code=status, media_type=PROBLEM_MEDIA_TYPE, headers=headers)


def problem_of(error: VitrineError) -> JSONResponse:
    """The problem document of an error of the tree."""
    status = STATUS_BY_ERROR.get(type(error), 500)
    retry_after_s = None
    if status in _COME_AGAIN:
        retry_after_s = _RETRY_AFTER_S if error.retry_after_s is None else error.retry_after_s
    return problem_response(status, error.code, told(error, status), retry_after_s=retry_after_s)


def install_problem_handlers(app: FastAPI) -> None:
    """Makes every error of the app a problem document; unexpected ones say nothing of the inside."""

    @app.exception_handler(VitrineError)
    async def on_known(request: Request, error: VitrineError) -> JSONResponse:
        # a model that is being loaded is asked for every second by whoever waits for it, and nothing is wrong
        if STATUS_BY_ERROR.get(type(error), 500) >= 500 and not isinstance(error, errors.ModelLoading):
            _log.warning("%s %s: %s", request.method, one_line(request.url.path), one_line(error))
        return problem_of(error)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:  # noqa: ARG001
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in {"body", "query", "path"})
        detail = f"{where or 'The request'}: {first['msg']}."
        return problem_response(422, "request_invalid", detail, extra={"field": where})

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODE_BY_STATUS.get(error.status_code, "request_invalid")
        detail = f"{request.method} {request.url.path}: {error.detail}."
        return problem_response(error.status_code, code, detail)

    @app.exception_handler(ClientDisconnect)
    async def on_gone(request: Request, error: ClientDisconnect) -> Response:  # noqa: ARG001
        return Response(status_code=_CLIENT_GONE)

    app.add_middleware(_UnexpectedErrors)


class _UnexpectedErrors:
    """Answers what no handler knows, and lets the connection live; Starlette's own handler would end it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except Exception as error:
            _log.error("%s %s failed", scope["method"], one_line(scope["path"]), exc_info=error)
            if started:
                raise  # half an answer is out; only the end of the connection can tell
            answer = problem_response(500, "internal_error", "Something went wrong here; it is in the server's log.")
            await answer(scope, receive, send)
