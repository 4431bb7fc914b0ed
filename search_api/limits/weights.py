"""What a request counts for, by what it makes the server do."""

from __future__ import annotations

import re

from starlette.types import Scope

REQUEST = 1.0
PICTURE = 0.1
"""A page of results shows two dozen of them."""
FREE = 0.0

_PROBES = frozenset({"/healthz", "/readyz"})
"""A balancer that is told 429 would take the server away from everybody."""
_PICTURES = re.compile(r"/v1/products/.+/images/[^/]+|/page/[^/]+|/")


def weight_of(scope: Scope) -> float:
    """In tokens of a bucket.

    Args:
        scope: of an HTTP request.
    """
    if scope["path"] in _PROBES:
        return FREE
    return PICTURE if scope["method"] in {"GET", "HEAD"} and _PICTURES.fullmatch(scope["path"]) else REQUEST
