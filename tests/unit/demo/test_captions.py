"""Captions: agreement, articles, truth, and what is kept out of training."""

from __future__ import annotations

import string

import numpy as np
import pytest

from indexer.demo.assortment import accents_for, assortment
from indexer.demo.captions import (
    ALWAYS_HELD_OUT_PAIRS,
    Claims,
    caption,
    claims_at,
    fill,
    is_held_out,
    levels_for,
    russian_adjective,
    wordings,
)
from indexer.demo.questions import text_questions
from indexer.demo.rendering.colours import PALETTE
from indexer.demo.rendering.patterns import PATTERNS
from indexer.demo.rendering.scene import Look
from indexer.demo.rendering.shapes import DRAWINGS
from indexer.demo.templates import HELD_OUT, LEVELS, TRAINED
from indexer.demo.training.drawings import training_looks
from indexer.demo.vocabulary import COLOURS, TYPES
from indexer.demo.vocabulary import PATTERNS as PATTERN_WORDS
from indexer.demo.words import LANGUAGES, Language

RED_MUG = Look("mug", "red", "dotted", "white", 1)


class UsualWords(np.random.Generator):
    """A generator that always takes the usual word."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def random(self, *_: object, **__: object) -> float:  # type: ignore[override]
        return 0.49


def said(template: str, language: Language, claims: Claims) -> str:
    return fill(template, language, claims, UsualWords()).replace("ё", "е")


def test_the_words_cover_what_can_be_drawn() -> None:
    assert list(TYPES) == sorted(TYPES, key=list(DRAWINGS).index)
    assert set(TYPES) == set(DRAWINGS)
    assert set(COLOURS) == set(PALETTE)
    assert set(PATTERN_WORDS) == set(PATTERNS)
    assert 24 <= len(TYPES) <= 40


@pytest.mark.parametrize(
    ("product_type", "colour", "expected"),
    [
        ("mug", "red", "красная кружка"),
        ("backpack", "red", "красный рюкзак"),
        ("armchair", "red", "красное кресло"),
        ("trousers", "red", "красные брюки"),
        ("mug", "blue", "синяя кружка"),
        ("bucket", "blue", "синее ведро"),
        ("headphones", "blue", "синие наушники"),
        ("chair", "blue", "синий стул"),
    ],
)
def test_russian_adjectives_agree_in_gender(product_type: str, colour: str, expected: str) -> None:
    assert said("{c} {n}", "ru", Claims(product_type, colour)) == expected


@pytest.mark.parametrize(
    ("template", "claims", "expected"),
    [
        ("купить {c_acc} {n_acc}", Claims("mug", "red"), "купить красную кружку"),
        ("купить {c_acc} {n_acc}", Claims("mug", "blue"), "купить синюю кружку"),
        ("купить {c_acc} {n_acc}", Claims("teapot", "blue"), "купить синий чайник"),
        ("{n} {c_gen} цвета", Claims("vase", "green"), "ваза зеленого цвета"),
        ("{n} {c_gen} цвета", Claims("vase", "blue"), "ваза синего цвета"),
        ("{c} {n} {pa}", Claims("mug", "red", "dotted", "white"), "красная кружка в белый горошек"),
        ("{c} {n} {pa}", Claims("mug", "red", "striped", "blue"), "красная кружка в синюю полоску"),
        ("{c} {n} {pa}", Claims("dress", "red", "zigzag", "blue"), "красное платье с синими зигзагами"),
        ("ищу {q_acc} {n_acc}", Claims("mug", None, "striped"), "ищу полосатую кружку"),
        ("{q} {n}", Claims("trousers", None, "checked"), "клетчатые брюки"),
        ("{q} {c} {n}", Claims("mug", "red", "dotted"), "красная кружка в горошек"),
    ],
)
def test_russian_cases(template: str, claims: Claims, expected: str) -> None:
    assert said(template, "ru", claims) == expected


def test_soft_and_hard_declensions() -> None:
    assert russian_adjective("син", "ins_pl", soft=True) == "синими"
    assert russian_adjective("красн", "ins_pl") == "красными"


@pytest.mark.parametrize(
    ("template", "claims", "expected"),
    [
        ("@ {c} {n}", Claims("mug", "red"), "a red mug"),
        ("@ {c} {n}", Claims("mug", "orange"), "an orange mug"),
        ("@ {n}", Claims("umbrella"), "an umbrella"),
        ("@ {n}", Claims("armchair"), "an armchair"),
        ("buy @ {c} {n}", Claims("trousers", "red"), "buy red trousers"),
        ("@ {c} {n} with {a} {t}", Claims("mug", "red", "dotted", "white"), "a red mug with white dots"),
        ("show me {c} {ns}", Claims("dress", "red"), "show me red dresses"),
        ("one {n} please", Claims("headphones"), "headphones please"),
        ("@ {n} that is {c}", Claims("trousers", "red"), "trousers that are red"),
    ],
)
def test_english_articles_and_plurals(template: str, claims: Claims, expected: str) -> None:
    assert said(template, "en", claims) == expected


def test_chinese_and_vietnamese_examples() -> None:
    spotted = Claims("mug", "red", "dotted", "white")
    assert said("{c}{n}", "zh", Claims("mug", "red")) == "红色马克杯"
    assert said("一{m}{c}的{n}", "zh", Claims("chair", "red")) == "一把红色的椅子"
    assert said("带{a}{p}的{c}{n}", "zh", spotted) == "带白色圆点的红色马克杯"
    assert said("{n} màu {c}", "vi", Claims("mug", "red")) == "cốc màu đỏ"
    assert said("{n} màu {c} có {p} {a}", "vi", spotted) == "cốc màu đỏ có chấm bi trắng"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_sentence_pattern_fills_for_every_type(language: Language, pattern: str) -> None:
    for product_type in TYPES:
        look = Look(product_type, "blue", pattern, "white", 0)
        for level in levels_for(look):
            for held_out in (False, True):
                for text in wordings(language, claims_at(look, level), level, held_out=held_out):
                    assert text == " ".join(text.split())
                    assert not set(text) & set("{}@")
                    assert text.strip(string.punctuation + " "), text


def test_every_language_has_every_level() -> None:
    for language in LANGUAGES:
        assert set(TRAINED[language]) == set(HELD_OUT[language]) == set(LEVELS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_sentence_patterns_are_not_trained(language: Language) -> None:
    for level in LEVELS:
        assert not set(TRAINED[language][level]) & set(HELD_OUT[language][level])


def test_training_draws_nothing_held_out() -> None:
    looks = training_looks(4000, seed=1)
    assert not any(is_held_out(look.product_type, look.colour, look.pattern) for look in looks)
    assert len({(look.product_type, look.colour, look.pattern) for look in looks}) > 1700


def test_catalogs_share_no_shape_with_training() -> None:
    trained = {look.shape_seed for look in training_looks(500, seed=1)}
    assert not trained & {article.look.shape_seed for article in assortment(300, seed=1)}


def test_held_out_combinations_are_few_and_fixed() -> None:
    triples = [
        (name, colour, pattern)
        for name, drawing in DRAWINGS.items()
        for colour in PALETTE
        for pattern in drawing.patterns
    ]
    share = sum(is_held_out(*triple) for triple in triples) / len(triples)
    assert 0.08 < share < 0.2
    assert all(is_held_out(*pair) for pair in ALWAYS_HELD_OUT_PAIRS)
    assert is_held_out("bottle", "pink")
    assert not is_held_out("mug", "green")
    assert not is_held_out("mug", None)


def test_a_caption_is_true_of_what_it_describes() -> None:
    rng = np.random.default_rng(3)
    for level in levels_for(RED_MUG):
        assert caption(RED_MUG, "en", level, rng, held_out=False).claims.true_of(RED_MUG)
    claims = claims_at(RED_MUG, "accent")
    assert not claims.true_of(Look("mug", "red", "dotted", "black", 1))
    assert not claims.true_of(Look("mug", "blue", "dotted", "white", 1))
    assert claims_at(RED_MUG, "colour").true_of(Look("mug", "red", "plain", "white", 9))


def test_a_plain_product_is_never_given_an_accent() -> None:
    plain = Look("mug", "red", "plain", "white", 1)
    assert set(levels_for(plain)) == {"type", "colour", "plain"}
    assert "plain" not in levels_for(RED_MUG)


def test_seen_in_training_is_said_truthfully() -> None:
    rng = np.random.default_rng(0)
    green = Look("mug", "green", "plain", "white", 1)
    assert caption(green, "en", "colour", rng, held_out=False).seen_in_training
    assert not caption(green, "en", "colour", rng, held_out=True).seen_in_training
    assert not caption(RED_MUG, "en", "colour", rng, held_out=False).seen_in_training
    assert caption(RED_MUG, "en", "type", rng, held_out=False).seen_in_training


def test_accents_stand_out() -> None:
    assert all(accents_for(colour) for colour in PALETTE)
    assert "white" not in accents_for("white")
    assert "black" not in accents_for("brown")


def test_questions_are_unseen_and_name_every_right_answer() -> None:
    articles = assortment(120, seed=5)
    questions = text_questions(articles, 30, seed=5)
    assert len(questions) == 120
    for question in questions:
        assert not question.caption.seen_in_training
        expected = {a.product_id for a in articles if question.caption.claims.true_of(a.look)}
        assert set(question.relevant) == expected
        assert expected
    assert len({q.caption.text for q in questions}) == len(questions)
