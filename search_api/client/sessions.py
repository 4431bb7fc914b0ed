"""Calls of the page's sign-in; a program sends its key with each call and needs none of them."""

from __future__ import annotations

from search_api.client.call import Answer, Call, reading
from search_api.schemas import SessionResponse


def sign_in() -> Call[SessionResponse]:
    """Exchanges the client's key for a cookie, which its ``http`` keeps and which counts for searching only."""
    return Call("POST", "/v1/session", reading(SessionResponse), repeatable=False)


def sign_out() -> Call[None]:
    """Ends the session of the cookie that ``http`` keeps, if there is one."""
    return Call("DELETE", "/v1/session", _nothing)


def _nothing(answer: Answer) -> None:
    """There is nothing to be read in an answer that was no error."""
