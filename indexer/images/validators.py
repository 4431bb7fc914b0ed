"""Asking a host whether a picture is still the one that is indexed (RFC 9110, section 13), instead of fetching it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime

_MAX_CHARS = 200
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]+")
_SETTLED_AFTER = timedelta(seconds=60)
"""A time of change is in whole seconds; a file younger than this may change again within the same one."""


def validator_of(url: str, headers: Mapping[str, str]) -> str:
    """What to ask with the next time; empty if the answer gives nothing that can be relied on.

    It belongs to the URL that answered at last: the same tag of another one, behind a redirect, means nothing.

    Args:
        url: that answered with the picture.
        headers: of the answer, names in lower case.
    """
    etag = headers.get("etag", "").strip()
    if etag and len(etag) <= _MAX_CHARS and _ETAG.fullmatch(etag):
        return f"{_mark(url)} etag {etag}"
    changed = headers.get("last-modified", "").strip()
    if changed and _is_settled(changed, headers.get("date", "")):
        return f"{_mark(url)} modified {changed}"
    return ""


def condition_of(url: str, validator: str) -> list[tuple[str, str]]:
    """Headers that make the answer 304 if nothing changed; none if the validator is not this URL's.

    Args:
        url: about to be asked.
        validator: by ``validator_of``; may be empty.
    """
    mark, _, rest = validator.partition(" ")
    kind, _, value = rest.partition(" ")
    if mark != _mark(url) or len(value) > _MAX_CHARS:
        return []
    if kind == "etag" and _ETAG.fullmatch(value):
        return [("If-None-Match", value)]
    if kind == "modified" and _DATE.fullmatch(value):
        return [("If-Modified-Since", value)]
    return []


def _is_settled(changed: str, answered: str) -> bool:
    if len(changed) > _MAX_CHARS or not _DATE.fullmatch(changed):
        return False
    try:
        return parsedate_to_datetime(answered) - parsedate_to_datetime(changed) >= _SETTLED_AFTER
    except (ValueError, TypeError):  # no date at all, or one with and one without a zone
        return False


def _mark(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:16]
