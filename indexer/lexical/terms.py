"""The terms of a row of words: each word in its forms, and neighbours as they would be written together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from indexer.lexical.forms import Forms, forms_of
from indexer.lexical.scripts import Part, Word

_SHORT = 2
"""Letters of a part that is written apart or joined (``t shirt``), as are numbers (``ab 1200``)."""


def terms_of(words: Sequence[Word]) -> Iterator[str]:
    """Every term of a product's text, as often as it is in it."""
    for word in words:
        if word.is_unspaced:
            yield from word.text
            yield from pairs(word.text)
            continue
        for part in word.parts:
            yield from forms_of(part).all
        if len(word.parts) > 1:
            yield from joined_forms([word]).all
    for start, end in windows(words):
        if any(word.has_digit or len(word.text) <= _SHORT for word in words[start:end]):
            yield from joined_forms(words[start:end]).all


def windows(words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """First and end of neighbours that may be written as one word: two, or three with a number among them."""
    for start in range(len(words) - 1):
        for end in range(start + 2, min(start + 3, len(words)) + 1):
            window = words[start:end]
            if any(word.is_unspaced for word in window):
                break
            if end == start + 2 or any(word.has_digit for word in window):
                yield start, end


def joined_forms(words: Sequence[Word]) -> Forms:
    """Forms of words written together; of letters alone also their stems: ``t-shirts`` is found by ``tshirt``."""
    text = "".join(word.joined for word in words)
    scripts = {part.script for word in words for part in word.parts}
    return forms_of(Part(text, scripts.pop())) if len(scripts) == 1 else Forms((text,))


def pairs(run: str) -> list[str]:
    """Neighbouring letters of a text without spaces between its words."""
    return [run[at : at + 2] for at in range(len(run) - 1)]
