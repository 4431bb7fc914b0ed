"""How words are stored: nouns, colours and patterns in the four languages of the demo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "ru", "zh", "vi"]
LANGUAGES: tuple[Language, ...] = ("en", "ru", "zh", "vi")

RussianGender = Literal["m", "f", "n", "pl"]


@dataclass(frozen=True)
class EnglishNoun:
    """An English noun; ``plural_only`` for trousers and headphones, which take no article."""

    one: str
    many: str
    plural_only: bool = False


@dataclass(frozen=True)
class RussianNoun:
    """A Russian noun, possibly with an adjective in front.

    Attributes:
        nominative: the form that names the thing (кружка).
        accusative: the form after "куплю", "ищу" (кружку); inanimate, so only feminine nouns differ.
        gender: what adjectives agree with; ``pl`` for nouns used in the plural (брюки).
    """

    nominative: str
    accusative: str
    gender: RussianGender


@dataclass(frozen=True)
class ChineseNoun:
    """A Chinese noun and its measure word (一个马克杯)."""

    noun: str
    measure: str = "个"


@dataclass(frozen=True)
class VietnameseNoun:
    """A Vietnamese noun and its classifier (một chiếc cốc)."""

    noun: str
    classifier: str = "chiếc"


@dataclass(frozen=True)
class TypeWords:
    """Names of a product type, the usual one first, and its place in a shop's tree of categories (English)."""

    category: str
    en: tuple[EnglishNoun, ...]
    ru: tuple[RussianNoun, ...]
    zh: tuple[ChineseNoun, ...]
    vi: tuple[VietnameseNoun, ...]


@dataclass(frozen=True)
class ColourWords:
    """Words for a colour.

    Attributes:
        en: usual word first.
        ru_stem, ru_soft: stem of the Russian adjective, and whether it is of the soft declension (синий).
        zh: usual word first, each with its 色; zh_short is the bare character where one is used before a noun.
        vi: usual word first.
    """

    en: tuple[str, ...]
    ru_stem: str
    ru_soft: bool
    zh: tuple[str, ...]
    zh_short: str
    vi: tuple[str, ...]


@dataclass(frozen=True)
class PatternWords:
    """Words for a pattern.

    Attributes:
        en_adjectives, en_things: "striped"; "stripes" (with a colour before it).
        ru_stem: stem of a Russian adjective (полосат-), empty if there is none in use.
        ru_phrases: phrases after the noun, no colour (в полоску).
        ru_coloured: phrases with the accent's adjective, as format strings over its forms: {acc_f}, {acc_m},
            {ins_pl}, {ins_m}.
        zh: words before the noun; an accent colour goes straight before them.
        vi: words after the noun; an accent colour goes straight after them.
    """

    en_adjectives: tuple[str, ...]
    en_things: tuple[str, ...]
    ru_stem: str
    ru_phrases: tuple[str, ...]
    ru_coloured: tuple[str, ...]
    zh: tuple[str, ...]
    vi: tuple[str, ...]
