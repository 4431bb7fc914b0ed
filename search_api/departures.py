"""Clients that do not wait for their answer: what is done for them ends, and their place is free."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

_T = TypeVar("_T")


async def unless_gone(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """The result of the work, which is cancelled as soon as the client of the request has hung up.

    Args:
        request: its body has been read, if it has one.
        work: what the client waits for.

    Raises:
        ClientDisconnect: the client is gone.
        Exception: what the work raises.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientDisconnect
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _hung_up(request: Request) -> None:
    # nothing else can come: what is left of the body at most
    while (await request.receive())["type"] != "http.disconnect":
        pass
