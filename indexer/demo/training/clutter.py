"""Words that say nothing, put around captions: shoppers wrap what they want in phrases that training never met."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

_ONSETS = (
    "b",
    "c",
    "ch",
    "d",
    "đ",
    "g",
    "gi",
    "h",
    "k",
    "kh",
    "l",
    "m",
    "n",
    "ng",
    "nh",
    "ph",
    "qu",
    "r",
    "s",
    "t",
    "th",
    "tr",
    "v",
    "x",
    "",
)
_RHYMES = (
    "a",
    "á",
    "à",
    "ai",
    "ái",
    "am",
    "an",
    "ang",
    "ao",
    "ay",
    "ắc",
    "ần",
    "âu",
    "e",
    "em",
    "ẹp",
    "ê",
    "ên",
    "i",
    "ia",
    "in",
    "inh",
    "o",
    "ó",
    "oi",
    "òn",
    "ong",
    "ô",
    "ôi",
    "ống",
    "ơ",
    "ơi",
    "ở",
    "u",
    "ua",
    "uốn",
    "uống",
    "ư",
    "ứa",
    "ước",
    "ương",
)
_CYRILLIC = (
    "ба",
    "ве",
    "го",
    "до",
    "жа",
    "за",
    "и",
    "ку",
    "ла",
    "мо",
    "не",
    "по",
    "ра",
    "со",
    "ту",
    "хо",
    "че",
    "шо",
    "ю",
    "ть",
)
_LATIN = (
    "ba",
    "co",
    "de",
    "fi",
    "go",
    "ha",
    "ke",
    "li",
    "ma",
    "no",
    "pe",
    "qua",
    "ro",
    "se",
    "ti",
    "un",
    "ve",
    "wi",
    "y",
    "ng",
)

AROUND = 0.4
"""Share of captions that get such words."""


class Clutter:
    """Puts a few words around a caption: of grocery descriptions, or made of syllables of no meaning.

    Args:
        texts: whose words may be used.
        meaningful: texts whose words must not be, as they say what a product is.
    """

    def __init__(self, texts: Iterable[str], meaningful: Iterable[str]) -> None:
        taken = {word for text in meaningful for word in _words(text)}
        found = {word for text in texts for word in _words(text)}
        self._words = sorted(found - taken)
        self._taken = taken

    def around(self, caption: str, rng: np.random.Generator) -> str:
        """The caption, for a part of the calls with one to three words before it or after it or both."""
        if rng.random() >= AROUND:
            return caption
        before = self._some(int(rng.integers(0, 4)), rng)
        after = self._some(int(rng.integers(0, 3)), rng) if rng.random() < 0.4 else []
        return " ".join([*before, caption, *after])

    def _some(self, count: int, rng: np.random.Generator) -> list[str]:
        return [word for word in (self._word(rng) for _ in range(count)) if word not in self._taken]

    def _word(self, rng: np.random.Generator) -> str:
        kind = rng.random()
        if kind < 0.4 and self._words:
            return self._words[int(rng.integers(len(self._words)))]
        if kind < 0.7:
            return _pick(_ONSETS, rng) + _pick(_RHYMES, rng)
        syllables = _CYRILLIC if kind < 0.8 else _LATIN
        return "".join(_pick(syllables, rng) for _ in range(int(rng.integers(1, 4))))


def _pick(parts: tuple[str, ...], rng: np.random.Generator) -> str:
    return parts[int(rng.integers(len(parts)))]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
