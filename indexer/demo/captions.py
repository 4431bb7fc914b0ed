"""Captions of made-up products in four languages, what each one claims, and which were kept out of training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from indexer.demo.rendering.scene import Look
from indexer.demo.templates import HELD_OUT, LEVELS, TRAINED, Level
from indexer.demo.vocabulary import COLOURS, PATTERNS, TYPES
from indexer.demo.words import ColourWords, EnglishNoun, Language, PatternWords, RussianGender

HELD_OUT_PAIRS_PERCENT = 5
HELD_OUT_TRIPLES_PERCENT = 12

ALWAYS_HELD_OUT_PAIRS = (("mug", "red"), ("backpack", "blue"), ("t-shirt", "white"), ("umbrella", "yellow"))
"""Kept out of training by hand, so that the examples people type first are a fair test."""


@dataclass(frozen=True)
class Claims:
    """What a caption says about a product; None where it says nothing."""

    product_type: str
    colour: str | None = None
    pattern: str | None = None
    accent: str | None = None

    def true_of(self, look: Look) -> bool:
        """Whether every claim holds for the product."""
        return (
            self.product_type == look.product_type
            and self.colour in {None, look.colour}
            and self.pattern in {None, look.pattern}
            and self.accent in {None, look.accent}
        )


@dataclass(frozen=True)
class Caption:
    """A text about a product.

    Attributes:
        text: the caption as a shopper would type it.
        language: one of ``words.LANGUAGES``.
        claims: what it says.
        level: how much it says.
        seen_in_training: False where its sentence pattern or its combination of claims is held out.
    """

    text: str
    language: Language
    claims: Claims
    level: Level
    seen_in_training: bool


def is_held_out(product_type: str, colour: str | None, pattern: str | None = None) -> bool:
    """Whether a combination was never drawn or captioned in training.

    Some (type, colour) pairs are held out with every pattern, some (type, colour, pattern) triples on their own; the
    choice is a checksum of the names, so that it is the same everywhere.
    """
    if colour is None:
        return False
    if (product_type, colour) in ALWAYS_HELD_OUT_PAIRS:
        return True
    if crc32(f"{product_type}|{colour}".encode()) % 100 < HELD_OUT_PAIRS_PERCENT:
        return True
    return pattern is not None and crc32(f"{product_type}|{colour}|{pattern}".encode()) % 100 < HELD_OUT_TRIPLES_PERCENT


def claims_at(look: Look, level: Level) -> Claims:
    """What a caption of this level claims of a product."""
    return Claims(
        look.product_type,
        colour=None if level in {"type", "pattern"} else look.colour,
        pattern=None if level in {"type", "colour"} else look.pattern,
        accent=look.accent if level == "accent" else None,
    )


def levels_for(look: Look) -> tuple[Level, ...]:
    """The levels of caption that fit a product: an accent cannot be named where there is no pattern."""
    fitting: tuple[Level, ...] = ("type", "colour", "plain") if look.pattern == "plain" else LEVELS
    return tuple(level for level in fitting if look.pattern == "plain" or level != "plain")


def caption(look: Look, language: Language, level: Level, rng: np.random.Generator, *, held_out: bool) -> Caption:
    """A random caption of a product.

    Args:
        look: the product.
        language: language of the caption.
        level: one of ``levels_for(look)``.
        rng: chooses the sentence pattern and among synonyms.
        held_out: take the sentence pattern from those kept out of training.
    """
    templates = (HELD_OUT if held_out else TRAINED)[language][level]
    claims = claims_at(look, level)
    text = fill(templates[int(rng.integers(len(templates)))], language, claims, rng)
    seen = not held_out and not is_held_out(claims.product_type, claims.colour, claims.pattern)
    return Caption(text, language, claims, level, seen)


def fill(template: str, language: Language, claims: Claims, rng: np.random.Generator) -> str:
    """A sentence pattern with words in its slots, agreeing with one another; synonyms chosen at random."""
    fillers = {"en": _english, "ru": _russian, "zh": _chinese, "vi": _vietnamese}
    return " ".join(fillers[language](template, claims, rng).split())


def wordings(language: Language, claims: Claims, level: Level, *, held_out: bool, seed: int = 0) -> Iterator[str]:
    """One caption per sentence pattern of a level, for listing and testing."""
    for template in (HELD_OUT if held_out else TRAINED)[language][level]:
        yield fill(template, language, claims, np.random.default_rng(seed))


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    """One of the words: the usual one half of the time. Empty if there are none."""
    if not words:
        return ""
    return words[0] if rng.random() < 0.5 else words[int(rng.integers(len(words)))]


def _colour(name: str | None) -> ColourWords | None:
    return COLOURS[name] if name else None


def _pattern(name: str | None) -> PatternWords | None:
    return PATTERNS[name] if name else None


def _english(template: str, claims: Claims, rng: np.random.Generator) -> str:
    nouns = TYPES[claims.product_type].en
    noun = nouns[0] if rng.random() < 0.5 else nouns[int(rng.integers(len(nouns)))]
    colour, pattern, accent = _colour(claims.colour), _pattern(claims.pattern), _colour(claims.accent)
    text = template.format(
        n=noun.one,
        ns=noun.many,
        c=_pick(rng, colour.en) if colour else "",
        p=_pick(rng, pattern.en_adjectives) if pattern else "",
        t=_pick(rng, pattern.en_things) if pattern else "",
        a=_pick(rng, accent.en) if accent else "",
    )
    return _with_articles(text, noun)


def _with_articles(text: str, noun: EnglishNoun) -> str:
    """``@`` turned into a or an by the sound of the next word, or dropped for a noun without a singular."""
    if noun.plural_only:
        return re.sub(r"\bone (?=\S)", "", text.replace("@ ", "")).replace("that is", "that are").replace("has", "have")
    return re.sub(r"@ (\w)", lambda match: ("an " if match[1].lower() in "aeio" else "a ") + match[1], text).replace(
        "a umbrella", "an umbrella"
    )


_RUSSIAN_ENDINGS: dict[bool, dict[str, str]] = {
    False: {"m": "ый", "f": "ая", "n": "ое", "pl": "ые", "acc_f": "ую", "gen_m": "ого", "ins_m": "ым", "ins_pl": "ыми"},
    True: {"m": "ий", "f": "яя", "n": "ее", "pl": "ие", "acc_f": "юю", "gen_m": "его", "ins_m": "им", "ins_pl": "ими"},
}
"""Adjective endings by case and gender, hard and soft declension (stress on the stem)."""


def russian_adjective(stem: str, form: str, *, soft: bool = False) -> str:
    """A Russian adjective: ``form`` is a gender for the nominative, or acc_f, gen_m, ins_m, ins_pl."""
    return stem + _RUSSIAN_ENDINGS[soft][form]


def _agreeing(stem: str, gender: RussianGender, *, accusative: bool, soft: bool = False) -> str:
    """The adjective that goes with a noun of a gender; inanimate accusatives differ in the feminine only."""
    return russian_adjective(stem, "acc_f" if accusative and gender == "f" else gender, soft=soft)


def _russian(template: str, claims: Claims, rng: np.random.Generator) -> str:
    nouns = TYPES[claims.product_type].ru
    noun = nouns[0] if rng.random() < 0.5 else nouns[int(rng.integers(len(nouns)))]
    colour, pattern, accent = _colour(claims.colour), _pattern(claims.pattern), _colour(claims.accent)
    slots = {"n": noun.nominative, "n_acc": noun.accusative}
    if colour:
        stem, soft = colour.ru_stem, colour.ru_soft
        slots |= {
            "c": _agreeing(stem, noun.gender, accusative=False, soft=soft),
            "c_acc": _agreeing(stem, noun.gender, accusative=True, soft=soft),
            "c_gen": russian_adjective(stem, "gen_m", soft=soft),
            "c_nom": russian_adjective(stem, "m", soft=soft),
        }
    if pattern:
        phrase = _pick(rng, pattern.ru_phrases)
        slots["p"] = phrase
        if pattern.ru_stem:
            slots["q"] = _agreeing(pattern.ru_stem, noun.gender, accusative=False)
            slots["q_acc"] = _agreeing(pattern.ru_stem, noun.gender, accusative=True)
        else:
            # No adjective is in use: the phrase moves behind the noun instead.
            slots["q"] = slots["q_acc"] = ""
            if "{q" in template:
                template += " {p}"
    if pattern and accent:
        forms = {
            form: russian_adjective(accent.ru_stem, form, soft=accent.ru_soft) for form in ("acc_f", "ins_m", "ins_pl")
        }
        forms["acc_m"] = russian_adjective(accent.ru_stem, "m", soft=accent.ru_soft)
        slots["pa"] = _pick(rng, pattern.ru_coloured).format(**forms)
    text = template.format(**slots)
    return text.replace("ё", "е") if rng.random() < 0.5 else text


def _chinese(template: str, claims: Claims, rng: np.random.Generator) -> str:
    nouns = TYPES[claims.product_type].zh
    noun = nouns[0] if rng.random() < 0.5 else nouns[int(rng.integers(len(nouns)))]
    colour, pattern, accent = _colour(claims.colour), _pattern(claims.pattern), _colour(claims.accent)
    return template.format(
        n=noun.noun,
        m=noun.measure,
        c=_pick(rng, colour.zh) if colour else "",
        cs=colour.zh_short if colour else "",
        p=_pick(rng, pattern.zh) if pattern else "",
        a=_pick(rng, accent.zh) if accent else "",
    )


def _vietnamese(template: str, claims: Claims, rng: np.random.Generator) -> str:
    nouns = TYPES[claims.product_type].vi
    noun = nouns[0] if rng.random() < 0.5 else nouns[int(rng.integers(len(nouns)))]
    colour, pattern, accent = _colour(claims.colour), _pattern(claims.pattern), _colour(claims.accent)
    return template.format(
        n=noun.noun,
        cl=noun.classifier,
        c=_pick(rng, colour.vi) if colour else "",
        p=_pick(rng, pattern.vi) if pattern else "",
        a=_pick(rng, accent.vi) if accent else "",
    )
