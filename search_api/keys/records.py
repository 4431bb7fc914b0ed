"""What a key is, and what is kept of it.

A key has 256 random bits, so its digest needs no slow hash: nobody gets through a share of them worth naming by trying,
however fast. (What people think up is another matter: see ``admin_mark``.)
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from indexer.telemetry.secrets import KEY_PATTERN, KEY_PREFIX
from search_api.access import Access, Scope

_ID_BYTES = 6
_SECRET_BYTES = 32
_SCRYPT = {"n": 2**14, "r": 8, "p": 5}
"""16 MB and some 200 ms for a guess; one of the least that OWASP's cheat sheet on storing passwords names."""

ADMIN_KEY_ID = "admin-key"
"""The id of the key in the settings; no other looks like it."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as it is kept.

    Attributes:
        key_id: its public part.
        name: for people.
        scopes: what it may do.
        tenant: whose products it may see; empty: none is named.
        digest: SHA-256 of the whole key; ``bytes (32,)``.
        created_at: as all times here, in seconds since 1970.
        expires_at: from then on it is refused; None: never.
        revoked_at: None: it was not.
        last_used_at: to the hour; None: not yet.
    """

    key_id: str
    name: str
    scopes: frozenset[Scope]
    tenant: str
    digest: bytes = field(repr=False)
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None

    def is_live(self, now: float) -> bool:
        """Whether it is accepted at that time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def access(self) -> Access:
        """What whoever sends it may do."""
        return Access(self.key_id, self.name, self.scopes, self.tenant)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """Somebody signed in on the page.

    Attributes:
        digest: SHA-256 of the cookie; ``bytes (32,)``.
        key_id: of the key that was shown; the session ends with it.
        mark: of the admin key that was shown, so that the session ends when another is set; else empty.
        expires_at: seconds since 1970.
    """

    digest: bytes = field(repr=False)
    key_id: str
    mark: bytes = field(repr=False)
    expires_at: int


def new_key() -> str:
    """A key that nobody had before."""
    return f"{KEY_PREFIX}_{secrets.token_hex(_ID_BYTES)}_{secrets.token_hex(_SECRET_BYTES)}"


def new_session_token() -> str:
    """The value of a session's cookie, as good as a key."""
    return secrets.token_hex(_SECRET_BYTES)


def key_id_of(key: str) -> str:
    """The public part of what has the form of a key; empty for anything else."""
    matched = KEY_PATTERN.fullmatch(key)
    return matched[1] if matched else ""


def digest_of(secret: bytes) -> bytes:
    """What is kept of a key or a cookie, ``bytes (32,)``."""
    return hashlib.sha256(secret).digest()


def is_same(first: bytes, second: bytes) -> bool:
    """Whether two digests are the same, in a time that does not tell how much of them is."""
    return hmac.compare_digest(first, second)


def admin_mark(admin_key: str, salt: bytes) -> bytes:
    """Tells admin keys apart in the file of keys: a slow hash, as people may have thought them up. 200 ms."""
    return hashlib.scrypt(admin_key.encode(), salt=salt, **_SCRYPT)
