"""Who a request comes from and what it may do."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a key may be used for; none includes another."""

    SEARCH = "search"
    """Products by photo, text or filter, their pictures, regions, duplicates."""
    EMBED = "embed"
    """Plain embeddings and labels: the model's time, and nothing of the catalog."""
    ADMIN = "admin"
    """Changing the catalog, and what is told of that."""


@dataclass(frozen=True, slots=True)
class Access:
    """What was found out about the sender of a request, before anything else of it was looked at.

    Attributes:
        key_id: public part of the key; empty where no key was needed.
        name: what the key is called, for people; empty where no key was needed.
        scopes: what it may do.
        tenant: whose products it may see; empty: none is named.
    """

    key_id: str
    name: str
    scopes: frozenset[Scope]
    tenant: str = ""


ALL_SCOPES = frozenset(Scope)
SESSION_SCOPES = frozenset({Scope.SEARCH, Scope.EMBED})
"""What a cookie counts for, at most: a browser sends it by itself, so it must not be able to change anything."""
NOBODY = Access("", "", frozenset())
"""Of requests without a key that is accepted, where one is needed."""
OPEN = Access("", "", frozenset({Scope.SEARCH, Scope.EMBED}))
"""Of requests without a key, where searching is open."""

current: ContextVar[Access] = ContextVar("access")
"""Of the request that this task or thread works for.

It has no default: reading it where no request was authenticated is an error (LookupError), never access."""
