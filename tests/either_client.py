"""Both clients behind one face, so that each test of one is a test of the other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from search_api.client import AsyncClient, Client, RetryPolicy

Kind = Literal["blocking", "awaiting"]


@dataclass(frozen=True, slots=True)
class EitherClient:
    """Calls methods by name."""

    kind: Kind
    url: str
    admin_key: str = ""
    policy: RetryPolicy | None = None

    def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """What the method gives; all of it, where it gives one thing after the other."""
        if self.kind == "awaiting":
            return asyncio.run(self._awaited(method, *args, **kwargs))
        with Client(self.url, admin_key=self.admin_key, policy=self.policy) as client:
            found = getattr(client, method)(*args, **kwargs)
            return list(found) if method in {"search_all", "search_pages"} else found

    async def _awaited(self, method: str, *args: Any, **kwargs: Any) -> Any:
        async with AsyncClient(self.url, admin_key=self.admin_key, policy=self.policy) as client:
            found = getattr(client, method)(*args, **kwargs)
            return [item async for item in found] if method in {"search_all", "search_pages"} else await found
