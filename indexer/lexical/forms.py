"""The forms under which a word is found: as written, without accents, and by its stem."""

from __future__ import annotations

import re
import threading
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

from indexer.lexical.scripts import Part

_LATIN_STEMMERS = ("english", "german", "french", "spanish")
"""All of them for every Latin word: two words of a query do not tell their language, and a catalog may mix several."""
_STEM_MARK = "~"
"""Before a stem, so that it does not equal a word."""
_LEAST_STEMMED = 3
_VIETNAMESE = re.compile("[ăâđêôơưĂÂĐÊÔƠƯ\u1ea0-\u1ef9]")
_GERMAN = {"ä": "ae", "ö": "oe", "ü": "ue"}
_LETTERS = str.maketrans({
    "đ": "d", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "ß": "ss", "ı": "i", "ð": "d", "þ": "th", "ё": "е",
})  # fmt: skip
"""Letters that do not come apart into a letter and an accent, and the Russian one that mostly is written without it."""
_stemming = threading.Lock()  # a stemmer keeps the word that it is at


@dataclass(frozen=True, slots=True)
class Forms:
    """Terms of a word.

    Attributes:
        written: as written, and without its accents where it has any (``schlüssel``, ``schlussel``, ``schluessel``).
        stems: in the languages that its script is read as, each with a mark before it.
    """

    written: tuple[str, ...]
    stems: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Both."""
        return self.written + self.stems


def forms_of(part: Part) -> Forms:
    """Forms of a part of a word."""
    if part.script == "number":
        return Forms((part.text,))
    return _forms(part.text, part.script == "latin", part.script == "cyrillic")


@lru_cache(maxsize=65_536)  # stemming takes a tenth of a millisecond, and catalogs repeat their words
def _forms(word: str, is_latin: bool, is_cyrillic: bool) -> Forms:
    folded = without_accents(word) if is_latin else word.translate(_LETTERS)
    written = {word: None, folded: None}
    if is_latin and any(letter in word for letter in _GERMAN):
        written["".join(_GERMAN.get(letter, letter) for letter in word)] = None
    languages: tuple[str, ...] = ()
    if is_latin and len(word) >= _LEAST_STEMMED and not _VIETNAMESE.search(word):
        languages = _LATIN_STEMMERS
    elif is_cyrillic:
        word, languages = folded, ("russian",)
    stems = {_STEM_MARK + without_accents(_stem(language, word)): None for language in languages}
    return Forms(tuple(written), tuple(stems))


def without_accents(word: str) -> str:
    """A Latin word in plain letters."""
    apart = unicodedata.normalize("NFD", word.translate(_LETTERS))
    return "".join(char for char in apart if not unicodedata.combining(char))


def _stem(language: str, word: str) -> str:
    with _stemming:
        stem: str = _stemmer(language).stemWord(word)
    return stem


@lru_cache
def _stemmer(language: str) -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer(language)
