"""What a call can fail with."""

from __future__ import annotations

from functools import cache

from indexer.errors import error_leaves

_TEMPORARY_STATUSES = frozenset({429, 502, 503, 504})


class ApiError(Exception):
    """Base of the tree; never raised itself.

    ::

        ApiError
        ├── ApiProblem          the API answered that it cannot or may not
        ├── ApiUnreachable      no connection, or it broke before there was an answer
        ├── ApiTimeout          no answer within the deadline
        └── ApiAnswerInvalid    the answer is none of this API's, or of a newer version
    """


class ApiProblem(ApiError):
    """The API answered that it cannot or may not, or something between here and there did.

    Attributes:
        status: of HTTP.
        code: stable, see docs/errors.md; empty where the answer came from something else, such as a proxy.
        detail: what is wrong and what helps, for people.
        field: which field of the request it is about; empty if it is about none.
        request_id: of the header ``X-Request-ID``; the server's log has it too. Empty if a proxy dropped it.
        retry_after_s: how long the API asks to wait; None if it does not.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str = "",
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.request_id = request_id
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        of_request = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.status} {self.code}: {self.detail}{of_request}"

    @property
    def is_temporary(self) -> bool:
        """Whether the same call may succeed later with nothing changed."""
        return self.status in _TEMPORARY_STATUSES and _retryable_by_code().get(self.code, True)


class ApiUnreachable(ApiError):
    """No connection could be made, or it broke.

    Attributes:
        sent: whether the API may have read the request.
    """

    def __init__(self, detail: str, *, sent: bool) -> None:
        super().__init__(detail)
        self.sent = sent


class ApiTimeout(ApiError):
    """There was no answer within the deadline; what a call changes may have been changed all the same."""


class ApiAnswerInvalid(ApiError):
    """The answer cannot be understood: the address is not Vitrine's, or it is of a newer version than this client."""


@cache
def _retryable_by_code() -> dict[str, bool]:
    return {leaf.code: leaf.retryable for leaf in error_leaves()}
