"""What callers and the log are told of a failure: strangers nothing of the inside, the log nothing that ends a line."""

from __future__ import annotations

from collections.abc import Mapping

from indexer import errors
from indexer.errors import VitrineError
from search_api import access

_SERVER_SIDE = 500

_FIT_FOR_ALL: frozenset[type[VitrineError]] = frozenset(
    {errors.ModelLoading, errors.PatchesUnavailable, errors.CollectionNotFound, errors.Overloaded}
)
"""Failures of the server whose sentences name no path, address or setting's value of it."""

_IN_GENERAL: Mapping[type[VitrineError], str] = {
    errors.EmbedderError: "The model cannot answer now.",
    errors.StoreError: "The store of the index cannot answer now.",
    errors.LedgerError: "The record of index runs cannot answer now.",
    errors.QueueError: "The queues to the workers cannot answer now.",
    errors.EventError: "The record of changes cannot answer now.",
}
_WHERE_IT_SAYS_WHY = "Why is in the server's log under this request's id, and told to whoever asks with an admin key."


def told(error: VitrineError, status: int) -> str:
    """The sentences of an error for the sender of the current request.

    What went wrong on the server's side may name its paths, hosts and settings. Who holds a key with the scope
    ``admin`` is told; others learn what cannot be had now, and the error's code.

    Args:
        error: of the tree.
        status: that it is answered with.
    """
    if status < _SERVER_SIDE or type(error) in _FIT_FOR_ALL or _asked_by_admin():
        return str(error)
    said = next((text for kind, text in _IN_GENERAL.items() if isinstance(error, kind)), "This cannot be had now.")
    return f"{said} {_WHERE_IT_SAYS_WHY}"


def one_line(text: object) -> str:
    """A text that came from outside as part of a log line: what would end the line, or cannot be seen, is escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in str(text))


def _asked_by_admin() -> bool:
    found = access.current.get(None)  # none: refused before anybody asked who it is
    return found is not None and access.Scope.ADMIN in found.scopes
