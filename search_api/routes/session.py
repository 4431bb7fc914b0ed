"""``/v1/session``: signing in on the page, whose pictures carry no headers, so that a cookie stands for the key."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from search_api.authentication import Authenticator, cookie_name
from search_api.routes.dependencies import problems
from search_api.routes.scopes import KEY_HEADERS
from search_api.schemas import SessionResponse

router = APIRouter(prefix="/v1/session", tags=["session"])


async def _authenticator(request: Request) -> Authenticator:
    return cast("Authenticator", request.app.state.authenticator)


Judge = Annotated[Authenticator, Depends(_authenticator)]


@router.post("", responses=problems(401, 403, 503), dependencies=KEY_HEADERS)
async def sign_in(request: Request, response: Response, judge: Judge) -> SessionResponse:
    """Sets a cookie that counts for searching and embedding, never for changing the catalog, as long as the key holds.

    Who has a key and can send headers needs no session.
    """
    token, found = await run_in_threadpool(judge.begin_session, request.headers)
    secure = request.url.scheme == "https"
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(cookie_name(secure=secure), token, path="/", secure=secure, httponly=True, samesite="strict")
    return SessionResponse(key=found.name, scopes=sorted(found.scopes), tenant=found.tenant)


@router.delete("", status_code=204, responses=problems(503))
async def sign_out(request: Request, judge: Judge) -> Response:
    """Ends the session of the cookie, if there is one."""
    secure = request.url.scheme == "https"
    await run_in_threadpool(judge.end_session, request.headers, secure=secure)
    response = Response(status_code=204)
    response.delete_cookie(cookie_name(secure=secure), path="/", secure=secure, httponly=True, samesite="strict")
    return response
