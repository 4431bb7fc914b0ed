"""What is asked of the sample catalog to see whether search works: texts and changed photos not met in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.demo.assortment import Article
from indexer.demo.captions import Caption, caption, is_held_out, levels_for
from indexer.demo.photographs import CHANGES, Change
from indexer.demo.words import LANGUAGES, Language


@dataclass(frozen=True)
class TextQuestion:
    """A caption and the ids of all products in the catalog that it truthfully describes."""

    caption: Caption
    relevant: tuple[str, ...]


@dataclass(frozen=True)
class PhotoQuestion:
    """A changed photo to be taken of an article, whose id is the one right answer."""

    article: Article
    change: Change


def text_questions(articles: Sequence[Article], per_language: int, seed: int) -> list[TextQuestion]:
    """Captions unseen in training, about products of the catalog, each text once.

    A caption is unseen because its sentence pattern is held out, or because the product's combination of type, colour
    and pattern is. Half of the questions are about such products where there are any.
    """
    return [
        question
        for index, language in enumerate(LANGUAGES)
        for question in _in_language(articles, language, per_language, np.random.default_rng([seed, 41, index]))
    ]


def _in_language(
    articles: Sequence[Article], language: Language, count: int, rng: np.random.Generator
) -> list[TextQuestion]:
    novel = [a for a in articles if is_held_out(a.look.product_type, a.look.colour, a.look.pattern)]
    asked: dict[str, TextQuestion] = {}
    for _ in range(count * 20):
        if len(asked) == count:
            break
        group = novel if novel and rng.random() < 0.5 else articles
        look = group[int(rng.integers(len(group)))].look
        levels = levels_for(look)
        level = levels[int(rng.integers(len(levels)))]
        asking = caption(look, language, level, rng, held_out=bool(rng.random() < 0.6))
        if not asking.seen_in_training:
            relevant = tuple(a.product_id for a in articles if asking.claims.true_of(a.look))
            asked.setdefault(asking.text, TextQuestion(asking, relevant))
    return list(asked.values())


def photo_questions(articles: Sequence[Article], per_change: int, seed: int) -> list[PhotoQuestion]:
    """For each kind of change, as many products as asked for, chosen without repeats."""
    questions: list[PhotoQuestion] = []
    for index, change in enumerate(CHANGES):
        rng = np.random.default_rng([seed, 51, index])
        chosen = rng.permutation(len(articles))[:per_change]
        questions += [PhotoQuestion(articles[int(i)], change) for i in chosen]
    return questions
