"""Finds out who each request comes from, before a route or its body is looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from indexer.errors import KeyRequired, KeysUnavailable, ScopeMissing
from search_api import access
from search_api.access import ALL_SCOPES, NOBODY, OPEN, SESSION_SCOPES, Access, Scope
from search_api.keys.records import (
    ADMIN_KEY_ID,
    SessionRecord,
    admin_mark,
    digest_of,
    is_same,
    key_id_of,
    new_session_token,
)
from search_api.keys.ring import KeyRing

FAILURE_KEY = "access_failure"
"""Where ``scope["state"]`` has the error, if the request's key could not be judged; its access then is nobody's."""
_ADMIN = Access(ADMIN_KEY_ID, "VITRINE_ADMIN_KEY", ALL_SCOPES)
_NO_DIGEST = bytes(32)
_HOUR_S = 3600


class Authenticator:
    """Judges keys and cookies.

    Args:
        ring: the keys.
        admin_key: of the settings; empty: there is none.
        open_search: whether requests without a key may search and embed.
        session_hours: how long who signed in stays so.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        ring: KeyRing,
        admin_key: str,
        *,
        open_search: bool,
        session_hours: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ring = ring
        self._admin_key = admin_key
        self._admin_digest = digest_of(admin_key.encode())
        self._without_key = OPEN if open_search else NOBODY
        self._session_s = session_hours * _HOUR_S
        self._clock = clock
        self._marks: dict[bytes, bytes] = {}
        if admin_key and ring.has_session_of(ADMIN_KEY_ID):
            self._mark(ring.salt)  # now, rather than while somebody waits

    @property
    def can_administrate(self) -> bool:
        """Whether there is any key that may change the catalog."""
        return bool(self._admin_key) or self.ring.has_key_for(Scope.ADMIN)

    @property
    def has_any_key(self) -> bool:
        """Whether there is any key at all that is accepted."""
        return bool(self._admin_key) or any(self.ring.has_key_for(scope) for scope in Scope)

    def identify(self, headers: Mapping[str, str], *, secure: bool) -> Access:
        """Who sends a request; nobody, if it has a key that is not accepted.

        A key counts in ``X-API-Key`` or ``Authorization: Bearer``. Only a request without one is looked at for the
        cookie of the page, which counts for searching and embedding alone.

        Args:
            headers: names in lower case, values as Latin-1.
            secure: whether it came by HTTPS.

        Raises:
            KeysUnavailable: the keys could not be read for too long.
        """
        if given := key_in(headers):
            return self._of_key(given)
        if digest := _cookie_digest(headers, secure=secure):
            return self._of_session(digest) or self._without_key
        return self._without_key

    def begin_session(self, headers: Mapping[str, str]) -> tuple[str, Access]:
        """Signs in who sends a key; the value of the cookie, and what it is good for. Blocks.

        Raises:
            KeyRequired: there is no key that is accepted.
            ScopeMissing: it is neither for searching nor for embedding.
            KeysUnavailable: the session cannot be kept.
        """
        found = self._of_key(key_in(headers))
        if not found.key_id:
            raise KeyRequired("Signing in needs a key.", "Send it in the header X-API-Key.")
        limited = _in_session(found)
        if not limited.scopes:
            raise ScopeMissing(
                "This key is neither for searching nor for embedding, so nobody can sign in with it.",
                "Make one with: python -m search_api keys create --scope search.",
            )
        token = new_session_token()
        mark = self._mark(self.ring.making_file()) if found.key_id == ADMIN_KEY_ID else b""
        expires_at = int(self._clock()) + self._session_s
        self.ring.begin_session(SessionRecord(digest_of(token.encode()), found.key_id, mark, expires_at))
        return token, limited

    def end_session(self, headers: Mapping[str, str], *, secure: bool) -> None:
        """Signs out whoever the cookie is of; nothing happens without one. Blocks.

        Raises:
            KeysUnavailable: the session cannot be ended.
        """
        if digest := _cookie_digest(headers, secure=secure):
            self.ring.end_session(digest)

    def _of_key(self, given: str) -> Access:
        # headers come as Latin-1, whatever their bytes meant
        digest = digest_of(given.encode("latin-1", "replace"))
        if self._admin_key and is_same(digest, self._admin_digest):
            return _ADMIN
        record = self.ring.key(key_id_of(given))
        # compared for unknown ids too, so that the time does not tell which there are
        if not is_same(digest, record.digest if record is not None else _NO_DIGEST) or record is None:
            return NOBODY
        self.ring.note_use(record.key_id)
        return record.access

    def _of_session(self, digest: bytes) -> Access | None:
        session = self.ring.session(digest)
        if session is None:
            return None
        if session.key_id == ADMIN_KEY_ID:
            holds = bool(self._admin_key) and is_same(session.mark, self._mark(self.ring.salt))
            return _in_session(_ADMIN) if holds else None
        record = self.ring.key(session.key_id)
        if record is None:
            return None
        self.ring.note_use(record.key_id)
        return _in_session(record.access)

    def _mark(self, salt: bytes) -> bytes:
        if salt not in self._marks:  # slow, once in the life of a process
            self._marks = {salt: admin_mark(self._admin_key, salt)}
        return self._marks[salt]


class Authentication:
    """Sets ``access.current`` for each request. It refuses none: what a route needs, the route says.

    Args:
        app: what is protected.
        authenticator: judges the keys.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        try:
            found = self._authenticator.identify(Headers(scope=scope), secure=scope["scheme"] == "https")
        except KeysUnavailable as error:
            found = NOBODY
            state[FAILURE_KEY] = error
        token = access.current.set(found)
        try:
            await self._app(scope, receive, send)
        finally:
            access.current.reset(token)


def key_in(headers: Mapping[str, str]) -> str:
    """The key that a request sends, in ``X-API-Key`` or as ``Authorization: Bearer``; empty if it sends none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")


def cookie_name(*, secure: bool) -> str:
    """Of the page's cookie. Browsers take ``__Host-`` from this very host alone, and by HTTPS alone."""
    return "__Host-vitrine_session" if secure else "vitrine_session"


def _cookie_digest(headers: Mapping[str, str], *, secure: bool) -> bytes:
    """Of the page's cookie, by which its session is known; empty if a request sends none."""
    token = cookie_parser(headers.get("cookie", "")).get(cookie_name(secure=secure), "")
    return digest_of(token.encode("latin-1", "replace")) if token else b""


def _in_session(found: Access) -> Access:
    return Access(found.key_id, found.name, found.scopes & SESSION_SCOPES, found.tenant)
