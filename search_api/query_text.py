"""What counts as a text to ask with."""

from __future__ import annotations

from indexer.errors import QueryTextEmpty, QueryTextTooLong

_QUOTED_CHARS = 40


def check_query_text(text: str, max_chars: int) -> None:
    """Returns if a text can be embedded as a query.

    Args:
        text: of a query, a part of one, or a label in its template.
        max_chars: that it may have.

    Raises:
        QueryTextEmpty: it is nothing but white space.
        QueryTextTooLong: it has more characters.
    """
    if not text.strip():
        raise QueryTextEmpty("A text is empty.", "Type a word, or leave the text out.")
    if len(text) > max_chars:
        raise QueryTextTooLong(
            f"The text {text[:_QUOTED_CHARS]!r}... has {len(text)} characters; the limit is {max_chars}.",
            "Say it shorter.",
        )
