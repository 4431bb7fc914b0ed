"""What a failed call to a Qdrant server means: whether it passes, and which error of this program it is.

The client's exceptions are told by their attributes, as one file alone imports qdrant_client: ``status_code``,
``content`` and ``headers`` of an HTTP answer, ``source`` of a request that got none, ``retry_after_s`` of a 429.
"""

from __future__ import annotations

from typing import Any

import grpc

from indexer.errors import CollectionNotFound, StoreRefused, StoreUnavailable, VitrineError
from indexer.store.retries import Setback

_NOT_FOUND = 404
_TOO_MANY = 429
_SERVER_FAULT = 500
_SHOWN_CHARS = 300
_NO_VECTOR = "Not existing vector name"
_LOCAL_NO_VECTOR = "Sparse vector"
"""How local mode begins to say that a sparse vector is not there."""
_PASSING_CODES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.ABORTED,
    }
)


def judged(error: Exception) -> Setback:
    """Only what says nothing against the call itself is tried again: no connection, no answer in time, 429, 5xx."""
    if isinstance(error, VitrineError):  # the circuit breaker's: who waits is told so at once
        return Setback(False)
    if hasattr(error, "retry_after_s"):
        return Setback(True, float(error.retry_after_s))
    if isinstance(error, grpc.RpcError):
        return Setback(_grpc_code(error) in _PASSING_CODES)
    if (status := getattr(error, "status_code", None)) is not None:
        return Setback(status == _TOO_MANY or status >= _SERVER_FAULT, _retry_after_s(error))
    if (source := getattr(error, "source", None)) is not None:
        return Setback(not isinstance(source, ValueError))  # which would be an answer that cannot be understood
    return Setback(isinstance(error, OSError))


def store_error(error: Exception) -> VitrineError:
    """The error of this program for one of the client's."""
    reason = _reason(error)
    if judged(error).passing:
        return StoreUnavailable(
            f"The Qdrant server does not answer: {reason}.", "Check qdrant_url and the server's state."
        )
    # a ValueError is the way of qdrant-client's local mode
    gone = isinstance(error, ValueError) and "not found" in reason and not reason.startswith(_LOCAL_NO_VECTOR)
    if gone or getattr(error, "status_code", 0) == _NOT_FOUND or _grpc_code(error) == grpc.StatusCode.NOT_FOUND:
        return CollectionNotFound(f"The Qdrant server has no such collection: {reason}.", "It may have been pruned.")
    return StoreRefused(f"The Qdrant server refuses the call: {reason}.", "Check the API key and its rights.")


def lacks_vector(error: StoreRefused, name: str) -> bool:
    """Whether a call was refused because the collection has no vector of that name."""
    return name in error.reason and (_NO_VECTOR in error.reason or _LOCAL_NO_VECTOR in error.reason)


def _reason(error: Exception) -> str:
    if isinstance(error, grpc.RpcError) and hasattr(error, "details"):
        text = str(error.details())
    elif hasattr(error, "content"):
        text = f"{error.status_code} {error.content.decode('utf-8', 'replace')}"  # type: ignore[attr-defined]
    else:
        text = str(getattr(error, "source", error))
    return (text.strip().splitlines() or [type(error).__name__])[0][:_SHOWN_CHARS].rstrip(".")


def _retry_after_s(error: Any) -> float | None:
    try:
        return float(error.headers.get("retry-after"))
    except (TypeError, ValueError):
        return None  # not said, or said as a date


def _grpc_code(error: Exception) -> Any:
    return error.code() if isinstance(error, grpc.RpcError) and hasattr(error, "code") else None
