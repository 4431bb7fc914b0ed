"""The lexical side of a product and of a query: weighted terms, and which words of a query a product has.

A product's terms are weighted as BM25 has it (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and
Beyond", 2009, with fields as in its section on BM25F); how rare a term is in the catalog is the store's part of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from indexer.lexical.forms import Forms, forms_of
from indexer.lexical.scripts import Part, Word, words_of
from indexer.lexical.stopwords import STOP_WORDS, UNSPACED_STOP_WORDS
from indexer.lexical.terms import joined_forms, pairs, terms_of, windows

K1 = 1.2
"""How soon a word that is repeated says nothing new; the usual value, also that of Qdrant's own BM25."""
B = 0.75
"""How much a long text is held against its words; the usual value."""
AVERAGE_WORDS = 12.0
"""Taken for the average of words a product has. A constant, as a true average would change every stored vector."""
ATTRIBUTE_WEIGHT = 0.6
"""Of a word in an attribute; in title and brand it counts 1."""
MAX_WORDS = 128
"""Of a product, title and brand first; what is behind them is a description that was put into an attribute."""
MAX_QUERY_WORDS = 32
NUMBER_EMPHASIS = 2.0
"""Of a word with a number in it: who types an article or model number means that one, and no picture shows it."""

_SINGLE_LETTERS = 0.3
"""Of a Han letter beside the pairs that it is in: in a query 裙 is to find 连衣裙, but 连衣裙 not every 裙."""
_WRITTEN = 0.5
"""Of a word: that a product has it as written; the rest is for its stems."""
_JOINED = 0.75
"""Of words written together, for each of them, beside what it weighs by itself."""


class LexicalSource(Protocol):
    """What of a product is searched by words; a ``PointPayload`` and a ``CatalogProduct`` are one."""

    @property
    def title(self) -> str:
        """One line."""
        ...

    @property
    def brand(self) -> str:
        """May be empty."""
        ...

    @property
    def attributes(self) -> Mapping[str, str]:
        """Values by name; the names are not searched."""
        ...


@dataclass(frozen=True, slots=True)
class QueryWord:
    """A word of a query.

    Attributes:
        text: of the word, casefolded.
        wholes: terms each of which stands for the whole word, alone or written together with its neighbours.
        pieces: for each of its parts the terms that stand for it; of a run of Han letters the pairs.
        weights: of all its terms.
        has_digit: whether a number is in it.
    """

    text: str
    wholes: frozenset[str]
    pieces: tuple[frozenset[str], ...]
    weights: Mapping[str, float]
    has_digit: bool = False

    def found_in(self, terms: frozenset[str]) -> float:
        """How much of the word a product has, 0 to 1."""
        if not self.wholes.isdisjoint(terms):
            return 1.0
        return sum(not piece.isdisjoint(terms) for piece in self.pieces) / len(self.pieces)


@dataclass(frozen=True, slots=True)
class LexicalText:
    """A query as words; without any it finds nothing."""

    words: tuple[QueryWord, ...]

    def weights(self) -> dict[str, float]:
        """Weight by term."""
        found: defaultdict[str, float] = defaultdict(float)
        for word in self.words:
            for term, weight in word.weights.items():
                found[term] = max(found[term], weight)
        return dict(found)


@dataclass(frozen=True, slots=True)
class WordMatch:
    """What a product has of a query.

    Attributes:
        words: that it has, whole or in part, as in the query.
        shares: of each word of the query how much it has, 0 to 1.
        emphases: of each word of the query how much more it says than others by its form alone.
    """

    words: tuple[str, ...]
    shares: tuple[float, ...]
    emphases: tuple[float, ...]

    @property
    def coverage(self) -> float:
        """How much of the query it has, 0 to 1, each word counting the same."""
        return sum(self.shares) / len(self.shares) if self.shares else 0.0


def product_weights(product: LexicalSource) -> dict[str, float]:
    """Weight by term of a product, between 0 and ``K1 + 1``; without title, brand and attributes there are none."""
    counts: defaultdict[str, float] = defaultdict(float)
    length = 0.0
    for field, weight in _fields(product):
        length += field.words * weight
        for term in field.terms:
            counts[term] += weight
    norm = K1 * (1 - B + B * length / AVERAGE_WORDS)
    return {term: count * (K1 + 1) / (count + norm) for term, count in counts.items()}


def query_text(text: str) -> LexicalText:
    """A query's words but those that say nothing, unless there are no others.

    Args:
        text: of any language; words behind the 32nd are not searched.
    """
    every = words_of(text)
    words = ([word for given in every for word in _telling(given)] or every)[:MAX_QUERY_WORDS]
    together: list[dict[str, float]] = [{} for _ in words]
    for start, end in windows(words):
        for weights in together[start:end]:
            weights.update(_together(words[start:end]))
    return LexicalText(tuple(_query_word(word, forms) for word, forms in zip(words, together, strict=True)))


def match_of(query: LexicalText, product: LexicalSource) -> WordMatch:
    """Which words of a query a product has."""
    terms = frozenset[str]().union(*(field.terms for field, _ in _fields(product)))
    shares = tuple(word.found_in(terms) for word in query.words)
    found = tuple(word.text for word, share in zip(query.words, shares, strict=True) if share > 0)
    return WordMatch(found, shares, tuple(NUMBER_EMPHASIS if word.has_digit else 1.0 for word in query.words))


@dataclass(frozen=True, slots=True)
class _Field:
    """A text of a product: how many words it has, and every term as often as it is in it."""

    words: int
    terms: tuple[str, ...]


def _fields(product: LexicalSource) -> Iterator[tuple[_Field, float]]:
    left = MAX_WORDS
    texts = [(product.title, 1.0), (product.brand, 1.0)]
    texts += [(value, ATTRIBUTE_WEIGHT) for _, value in sorted(product.attributes.items())]
    for text, weight in texts:
        field = _field(text)
        if field.words > left:
            field = _cut_field(text, left)
        left -= field.words
        if field.words:
            yield field, weight


@lru_cache(maxsize=4096)  # brands and attributes repeat, and so do the products that are found
def _field(text: str) -> _Field:
    return _cut_field(text, MAX_WORDS)


def _cut_field(text: str, most: int) -> _Field:
    words = words_of(text)[:most]
    return _Field(len(words), tuple(terms_of(words)))


def _telling(word: Word) -> list[Word]:
    if word.is_unspaced:
        runs = UNSPACED_STOP_WORDS.sub(" ", word.text).split()
        return [Word(run, (Part(run, "unspaced"),)) for run in runs]
    return [] if word.text.replace("ё", "е") in STOP_WORDS else [word]


def _query_word(word: Word, together: Mapping[str, float]) -> QueryWord:
    if word.is_unspaced:
        two = pairs(word.text)
        weights = dict.fromkeys(word.text, _SINGLE_LETTERS if two else 1.0) | dict.fromkeys(two, 1.0)
        return QueryWord(word.text, frozenset(), tuple(frozenset((item,)) for item in two or word.text), weights)
    parts = [forms_of(part) for part in word.parts]
    weights = dict(together)
    if len(parts) > 1:
        weights |= _together([word])
    wholes = frozenset(weights)
    for forms in parts:
        weights |= _weighted(forms)
    pieces = tuple(frozenset(forms.all) for forms in parts)
    return QueryWord(word.text, wholes, pieces, weights, word.has_digit)


def _together(words: Sequence[Word]) -> dict[str, float]:
    each = _JOINED * sum(len(word.parts) for word in words)
    return {term: weight * each for term, weight in _weighted(joined_forms(words)).items()}


def _weighted(forms: Forms) -> dict[str, float]:
    """1 in all, so that a word with many forms counts no more than a number."""
    written = _WRITTEN if forms.stems else 1.0
    weights = dict.fromkeys(forms.written, written / len(forms.written))
    return weights | {stem: (1 - written) / len(forms.stems) for stem in forms.stems}
