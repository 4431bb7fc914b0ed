"""Which parts of a query may be an identifier: an article number, a GTIN, a product's id."""

from __future__ import annotations

import re

from indexer.identifiers import normalized_identifier

_PIECE = re.compile(r"\S+")
MAX_PIECES = 24
"""Of a query; who types more describes something."""
MOST_TOGETHER = 5
"""Pieces that one identifier may be typed in, as ``4 006381 333931``."""
_LEAST_CHARS = 4
"""Of an identifier amid other words. A query that is nothing else may be shorter."""
_LEAST_DIGITS = 6
"""Of one that is digits alone: prices, years and sizes have fewer."""
_EDGES = ".,;:!?()[]{}\"'«»„“”№#"
_LABEL = re.compile(r"^(?:sku|gtin|ean|mpn|upc|isbn|art|article|артикул|арт)[.:#№]+(?=\w)", re.IGNORECASE)


def identifier_guesses(text: str) -> tuple[str, ...]:
    """What of a query may be an identifier, normalised; the whole query first, then longer ones before shorter.

    Anything that is the whole query may be one. Amid other words it needs a digit and four characters, six digits where
    it is digits alone: "mug 2024" asks for no product with the id 2024.

    Args:
        text: as typed.
    """
    pieces = [_LABEL.sub("", match[0]).strip(_EDGES) for match in _PIECE.finditer(text)][:MAX_PIECES]
    pieces = [piece for piece in pieces if piece]
    whole = normalized_identifier(" ".join(pieces))
    found = {
        normalized_identifier(" ".join(pieces[start:end]))
        for start in range(len(pieces))
        for end in range(start + 1, min(start + MOST_TOGETHER, len(pieces)) + 1)
    }
    likely = sorted((guess for guess in found if guess != whole and _may_be_one(guess)), key=lambda it: (-len(it), it))
    return (whole, *likely) if whole else tuple(likely)


def _may_be_one(guess: str) -> bool:
    if len(guess) < _LEAST_CHARS or not any(char.isdigit() for char in guess):
        return False
    return not guess.isdigit() or len(guess) >= _LEAST_DIGITS
