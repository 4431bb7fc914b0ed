"""Where a walk through the pages of a query stands.

A cursor holds what was shown, as short hashes, and nothing of the order. A page is then the first hits of the query's
ranking, as it is now, that are not among them. So no product can come twice, whatever happens to the catalog, the
approximate index or the server that answers in between; and none is left out, as the walk ends only where everything
that is ranked was shown. Positions or scores would hold only as long as every page sees the same ranking.

Layout, in base64url without padding: ``version 1 byte · check 8 bytes · window 1 byte · length 1 byte · place · hashes
of 6 bytes``. The check is a hash of the rest and of the query, so a cursor that was changed, cut, or that belongs to
another query or catalog is told from a good one. It is no secret: a cursor gives no right to anything.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from indexer.errors import CursorInvalid

MAX_SHOWN = 10_000
"""Products that a walk can show: then its cursor has 80 kB. Whoever wants more narrows the query."""

_VERSION = 1
_CHECK_BYTES = 8
_KEY_BYTES = 6
"""48 bits: two of 10 000 products share a hash in 2 of 10 million walks, and then one of them is not shown."""
_HEAD_BYTES = 1 + _CHECK_BYTES + 2


def shown_key(name: str) -> bytes:
    """The hash that stands for a product or a group in a cursor: 6 bytes."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest()


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a walk.

    Attributes:
        window: number of the candidate window that the last page came from; every hit of the ones before was shown.
        shown: keys of what was shown.
        place: where an order without a query goes on, not to read it from its beginning; at most 255 letters of ASCII.
            It may come from anywhere: whoever reads it checks it.
    """

    window: int = 0
    shown: frozenset[bytes] = frozenset()
    place: str = ""

    def after(self, window: int, names: frozenset[str], place: str = "") -> Cursor:
        """The place behind a page that showed these."""
        return Cursor(window, self.shown | {shown_key(name) for name in names}, place)


def write_cursor(cursor: Cursor, query: bytes) -> str:
    """A cursor as text.

    Args:
        cursor: the place.
        query: hash of all that makes the ranking: the query, its photos, the catalog.
    """
    place = cursor.place.encode("ascii")
    body = bytes([cursor.window, len(place)]) + place + b"".join(sorted(cursor.shown))
    return base64.urlsafe_b64encode(bytes([_VERSION]) + _check(body, query) + body).rstrip(b"=").decode()


def read_cursor(text: str, query: bytes) -> Cursor:
    """A cursor that ``write_cursor`` made for the same query.

    Raises:
        CursorInvalid: it did not.
    """
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise _invalid("cannot be read") from error
    if len(data) < _HEAD_BYTES or data[0] != _VERSION:
        raise _invalid("cannot be read")
    body = data[1 + _CHECK_BYTES :]
    if data[1 : 1 + _CHECK_BYTES] != _check(body, query):
        raise _invalid("is not of this query and catalog, or was changed")
    place, keys = body[2 : 2 + body[1]], body[2 + body[1] :]
    # the check is no secret, so whoever made one may have put anything behind it
    if len(place) != body[1] or len(keys) % _KEY_BYTES or not place.isascii():
        raise _invalid("cannot be read")
    shown = frozenset(keys[at : at + _KEY_BYTES] for at in range(0, len(keys), _KEY_BYTES))
    return Cursor(body[0], shown, place.decode("ascii"))


def _check(body: bytes, query: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES, key=hashlib.sha256(query).digest()).digest()


def _invalid(what: str) -> CursorInvalid:
    return CursorInvalid(
        f"The cursor {what}.", "Send the query as it was, with the cursor of its last answer; or begin without one."
    )
