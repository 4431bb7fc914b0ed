"""Cutting text into words, whatever its script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Script = Literal["latin", "cyrillic", "unspaced", "number", "other"]

_UNSPACED = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Myanmar, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # iteration mark, Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00020000-\U0003ffff"  # Han beyond the first plane
    "]"
)
"""Letters of scripts that put no spaces between words."""
_RUN = re.compile(f"{_UNSPACED.pattern}+")
_APOSTROPHES = str.maketrans(dict.fromkeys("’ʼ‘`´", "'"))
_LETTER = r"[\w\u0300-\u036f\u064b-\u065f\u0900-\u0eff\u1000-\u109f\u1780-\u17ff]"
"""What words are made of; to Python the vowel signs of Indian and South-East Asian scripts are none."""
_COMPOUND = re.compile(rf"{_LETTER}+(?:['&+.,/_\-\u2010-\u2015]+{_LETTER}+)*")
_LEFT_OUT = re.compile(rf"'s\b|\b(?:[cdjlmnst]|qu)'(?={_LETTER})")
"""English possessives and French elisions: ``women's``, ``l'été``."""
_INNER = re.compile(r"['&+.,/_\-\u2010-\u2015]+")
_DECIMAL = re.compile(r"\d+[.,]\d+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word in one script: letters, digits, or a run of letters without spaces between the words."""

    text: str
    script: Script


@dataclass(frozen=True, slots=True)
class Word:
    """What stands between spaces.

    Attributes:
        text: as typed, in one form (NFKC, casefolded).
        parts: ``ab-1200/2`` has ``ab``, ``1200`` and ``2``; most words have one.
    """

    text: str
    parts: tuple[Part, ...]

    @property
    def joined(self) -> str:
        """The parts without what is between them, as other people write the word."""
        if _DECIMAL.fullmatch(self.text):
            return self.text.replace(",", ".")  # 1.5 is not 15
        return "".join(part.text for part in self.parts)

    @property
    def has_digit(self) -> bool:
        """Whether a number is in it."""
        return any(part.script == "number" for part in self.parts)

    @property
    def is_unspaced(self) -> bool:
        """Whether it is a run of words without spaces."""
        return self.parts[0].script == "unspaced"


def normal(text: str) -> str:
    """Text in one form: NFKC, casefolded, apostrophes alike, nothing invisible."""
    if text.isascii():
        return text.casefold()
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold().translate(_APOSTROPHES)
    return unicodedata.normalize("NFKC", folded)


def words_of(text: str) -> list[Word]:
    """Words of a text in their order; ``Nike红色T恤`` has three, as Han letters stand alone."""
    found: list[Word] = []
    for match in _COMPOUND.finditer(_LEFT_OUT.sub("", normal(text))):
        found += _words(match[0])
    return found


def _words(compound: str) -> Iterator[Word]:
    start = 0
    for run in _RUN.finditer(compound):
        yield from _spaced(compound[start : run.start()])
        yield Word(run[0], (Part(run[0], "unspaced"),))
        start = run.end()
    yield from _spaced(compound[start:])


def _spaced(text: str) -> Iterator[Word]:
    if text.isalnum():
        yield Word(text, tuple(_parts(text)))
    elif parts := tuple(part for piece in _INNER.split(text) for part in _parts(piece)):
        yield Word(text, parts)


def _parts(piece: str) -> Iterator[Part]:
    """Letters and digits apart: ``ab1200`` is written ``ab 1200`` too."""
    if piece.isalpha():
        yield Part(piece, _script(piece))
        return
    start = 0
    for index in range(1, len(piece) + 1):
        if index == len(piece) or piece[index].isdigit() != piece[start].isdigit():
            yield Part(piece[start:index], _script(piece[start:index]))
            start = index


def _script(piece: str) -> Script:
    if piece[0].isdigit():
        return "number"
    if piece[0].isascii() and piece[0].isalpha():
        return "latin"
    letter = next((char for char in piece if char.isalpha()), piece[0])
    name = unicodedata.name(letter, "")
    if name.startswith("LATIN"):
        return "latin"
    return "cyrillic" if name.startswith("CYRILLIC") else "other"
