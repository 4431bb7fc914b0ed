"""How long answers may be kept, and by whom: what needs a key to be seen is nothing for caches that all share."""

from __future__ import annotations

from collections.abc import Mapping

from search_api import access

_WHO_ASKS = "Authorization, Cookie, X-API-Key"


def cache_headers(max_age_s: int, *, private: bool = False) -> Mapping[str, str]:
    """Headers of an answer to the current request.

    Args:
        max_age_s: seconds for which it may be used unasked.
        private: whether only the asker may keep it, whoever that is.
    """
    is_open = access.current.get() == access.OPEN
    kind = "public" if is_open and not private else "private"
    headers = {"Cache-Control": f"{kind}, max-age={max_age_s}"}
    # the same address shows others something else, or nothing; a browser keeps what each of its users was shown apart
    return headers if is_open else headers | {"Vary": _WHO_ASKS}
