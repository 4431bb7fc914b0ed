"""``python -m indexer.demo.measure_regions``: what looking for the object in a photo does for finding the product.

Queries are made of the products of a sample catalog whose seed was not used in training: pasted into photos of shelves
(``real``), into drawn rooms (``drawn``), and taken as the catalog's own questions are (``clean``). Each is asked as a
whole and as ``region=auto`` asks: by the very functions that the API calls. hit@1 ranks products by the cosine of their
one picture.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from zlib import crc32

import numpy as np
from PIL import Image

from indexer.demo.assortment import Article, assortment
from indexer.demo.compositions import busy_backgrounds, compose
from indexer.demo.measure import TEST_SEED
from indexer.demo.photographs import CHANGES, changed_photo, shop_photo
from indexer.embedding.choice import DEMO_MODEL, ModelChoice
from indexer.embedding.load import load_embedder
from indexer.embedding.port import Embedder
from indexer.points import Vectors
from indexer.regions.box import Box, Crop
from indexer.regions.choice import DRAWN_MARGIN, FOUND_MARGIN, SEARCHED, closest
from indexer.regions.finder import PatchFinder, RegionFinder

Kind = Literal["real", "drawn", "clean"]

_QUERY_PX = 384
_FOUND = 0.5
"""Intersection over union from which a box counts as found."""


@dataclass(frozen=True)
class Question:
    """A photo, the number of the product in it, and its box; None where the whole photo is of it."""

    photo: Image.Image
    product: int
    box: Box | None = None


@dataclass(frozen=True)
class RegionFigures:
    """What came out for one kind of photo; shares of the questions.

    Attributes:
        whole, auto: hit@1 of the photo as it is, and of what ``region=auto`` searches with.
        drawn: hit@1 of the true box, as somebody would draw it; None where there is none.
        crops_won: how often ``auto`` took a crop.
        first_box, any_box: how often the first box, or any that is searched, covers the product (IoU above 0.5);
            None where the true box is not known.
        questions: how many.
    """

    whole: float
    auto: float
    drawn: float | None
    crops_won: float
    first_box: float | None
    any_box: float | None
    questions: int


class Shelf:
    """A shop's pictures, in memory, compared one by one.

    Args:
        embedder: the model.
        pictures: one of each product, as a small shop has.
    """

    def __init__(self, embedder: Embedder, pictures: Sequence[Image.Image]) -> None:
        self._embedder = embedder
        self._finder: RegionFinder = PatchFinder(embedder.open_patches(), most=SEARCHED)
        self._pictures = self._vectors(pictures)

    def ask(self, questions: Sequence[Question]) -> RegionFigures:
        """Figures of some questions."""
        asked = [self._asked(question) for question in questions]
        drawn = [item.drawn for item in asked if item.drawn is not None]
        overlaps = [item.overlaps or (0.0,) for item in asked if item.drawn is not None]
        return RegionFigures(
            whole=_share([item.whole for item in asked]),
            auto=_share([item.auto for item in asked]),
            drawn=_share(drawn) if drawn else None,
            crops_won=_share([item.crop_won for item in asked]),
            first_box=_share([item[0] > _FOUND for item in overlaps]) if overlaps else None,
            any_box=_share([max(item) > _FOUND for item in overlaps]) if overlaps else None,
            questions=len(asked),
        )

    def _asked(self, question: Question) -> _Asked:
        pixels = self._finder.prepare(question.photo)
        boxes = [region.box for region in self._finder.regions(pixels, self._finder.look(pixels))]
        drawn = [] if question.box is None else [Crop(question.box, DRAWN_MARGIN).of(question.photo)]
        parts = [question.photo, *(Crop(box, FOUND_MARGIN).of(question.photo) for box in boxes), *drawn]
        scores = self._vectors(parts) @ self._pictures.T
        best = scores.max(axis=1)
        chosen = closest(float(best[0]), [float(score) for score in best[1 : len(boxes) + 1]])
        first = [bool(number == question.product) for number in scores.argmax(axis=1)]
        return _Asked(
            whole=first[0],
            auto=first[0 if chosen is None else chosen + 1],
            drawn=first[-1] if drawn else None,
            crop_won=chosen is not None,
            overlaps=tuple(box.overlap(question.box) for box in boxes) if question.box else (),
        )

    def _vectors(self, pictures: Sequence[Image.Image]) -> Vectors:
        return self._embedder.embed_images(np.stack([self._embedder.prepare_image(item) for item in pictures]))


@dataclass(frozen=True)
class _Asked:
    whole: bool
    auto: bool
    drawn: bool | None
    crop_won: bool
    overlaps: tuple[float, ...]


def shop_pictures(articles: Sequence[Article], seed: int, size_px: int = 512) -> list[Image.Image]:
    """The front picture of each product."""
    return [shop_photo(article.look, 0, size_px, photo_seed(article, seed)) for article in articles]


def photo_seed(article: Article, seed: int) -> int:
    """Seed of an article's photos: its own within the catalog, as in ``catalog``."""
    return crc32(f"{seed}|{article.product_id}".encode())


def questions_of(articles: Sequence[Article], count: int, seed: int, kind: Kind, data: Path | None) -> list[Question]:
    """Questions of one kind, about the same products in the same order for each.

    Args:
        articles: of the catalog.
        count: how many.
        seed: decides all.
        kind: see the module.
        data: the shared data folder, for ``real`` backgrounds.
    """
    order = np.random.default_rng([seed, 61]).permutation(len(articles))
    chosen = [int(order[number % len(order)]) for number in range(count)]
    if kind == "clean":
        return [Question(_clean(articles[at], number, seed), at) for number, at in enumerate(chosen)]
    backgrounds = busy_backgrounds(data) if kind == "real" and data is not None else ()
    rngs = [np.random.default_rng([seed, 71 + (kind == "real"), number]) for number in range(count)]
    return [_composed(articles, at, rng, backgrounds) for at, rng in zip(chosen, rngs, strict=True)]


def _clean(article: Article, number: int, seed: int) -> Image.Image:
    return changed_photo(article.look, CHANGES[number % len(CHANGES)], _QUERY_PX, photo_seed(article, seed))


def _composed(articles: Sequence[Article], at: int, rng: np.random.Generator, backgrounds: Sequence[Path]) -> Question:
    background = backgrounds[int(rng.integers(len(backgrounds)))] if backgrounds else None
    made = compose(articles[at].look, rng, background)
    return Question(made.photo, at, made.box)


def _share(values: Sequence[bool]) -> float:
    return round(float(np.mean(values)), 4) if values else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m indexer.demo.measure_regions", description=__doc__)
    parser.add_argument("--model", default=DEMO_MODEL)
    parser.add_argument("--data", type=Path, help="shared data folder, for backgrounds")
    parser.add_argument("--products", type=int, default=300)
    parser.add_argument("--questions", type=int, default=200, help="of each kind")
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    options = parser.parse_args(arguments)
    articles = assortment(options.products, options.seed)
    embedder = load_embedder(ModelChoice(model=options.model, device="cpu"))
    shelf = Shelf(embedder, shop_pictures(articles, options.seed))
    kinds: list[Kind] = ["drawn", "clean"] if options.data is None else ["real", "drawn", "clean"]
    figures = {
        kind: asdict(shelf.ask(questions_of(articles, options.questions, options.seed, kind, options.data)))
        for kind in kinds
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
