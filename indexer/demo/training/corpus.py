"""Texts of the real photos, and what they are true of; and the corpus that the tokenizer is trained on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from indexer.demo.assortment import random_accent
from indexer.demo.captions import caption, levels_for
from indexer.demo.rendering.colours import PALETTE
from indexer.demo.rendering.scene import Look
from indexer.demo.rendering.shapes import DRAWINGS
from indexer.demo.training.sources import Groceries
from indexer.demo.words import LANGUAGES

CLOTHES_NAMES: dict[str, tuple[str, ...]] = {
    "Blazer": ("blazer", "suit jacket", "пиджак", "жакет", "西装外套", "áo blazer"),
    "Blouse": ("blouse", "блузка", "女式衬衫", "áo cánh nữ"),
    "Body": ("bodysuit", "baby bodysuit", "боди", "连体衣", "áo liền quần"),
    "Dress": ("dress", "платье", "连衣裙", "裙子", "váy", "váy liền"),
    "Hat": ("hat", "головной убор", "шапка", "帽子", "mũ", "nón"),
    "Hoodie": ("hoodie", "hooded sweatshirt", "толстовка", "худи", "连帽衫", "áo hoodie"),
    "Longsleeve": ("long sleeve shirt", "longsleeve", "лонгслив", "长袖衫", "áo dài tay"),
    "Outwear": ("jacket", "coat", "outerwear", "куртка", "верхняя одежда", "外套", "夹克", "áo khoác"),
    "Pants": ("pants", "trousers", "брюки", "штаны", "裤子", "长裤", "quần", "quần dài"),
    "Polo": ("polo shirt", "polo", "поло", "рубашка поло", "polo衫", "áo polo"),
    "Shirt": ("shirt", "button shirt", "рубашка", "衬衫", "áo sơ mi"),
    "Shoes": ("shoes", "footwear", "обувь", "ботинки", "鞋子", "鞋", "giày"),
    "Shorts": ("shorts", "шорты", "短裤", "quần đùi", "quần soóc"),
    "Skirt": ("skirt", "юбка", "半身裙", "chân váy"),
    "T-Shirt": ("t-shirt", "tee", "футболка", "T恤", "áo thun", "áo phông"),
    "Top": ("top", "women's top", "топ", "上衣", "áo kiểu"),
    "Undershirt": ("undershirt", "tank top", "майка", "背心", "áo ba lỗ"),
}
"""Names of the classes of clothes in English, Russian, Chinese and Vietnamese."""

RELATED: dict[str, frozenset[str]] = {
    "Dress": frozenset({"dress"}),
    "Hat": frozenset({"hat", "cap"}),
    "Longsleeve": frozenset({"t-shirt"}),
    "Pants": frozenset({"trousers"}),
    "Polo": frozenset({"t-shirt"}),
    "Shoes": frozenset({"sneaker", "boot"}),
    "Shorts": frozenset({"trousers"}),
    "T-Shirt": frozenset({"t-shirt"}),
    "Top": frozenset({"t-shirt"}),
    "Undershirt": frozenset({"t-shirt"}),
}
"""Types of made-up products that a class of clothes may also be called: such pairs teach nothing either way."""

FRAMES = ("{}", "{}", "{}", "photo of {}", "buy {}", "фото: {}", "купить: {}", "买{}", "mua {}", "köp {}")


def framed(name: str, rng: np.random.Generator) -> str:
    """A name as it is, or in one of a few frames."""
    return FRAMES[int(rng.integers(len(FRAMES)))].format(name)


def snippet(description: str, rng: np.random.Generator) -> str:
    """A run of 4 to 14 words of a description, starting at its beginning half of the time."""
    words = description.split("\n")[0].split()
    length = int(rng.integers(4, 15))
    start = 0 if rng.random() < 0.5 else int(rng.integers(max(1, len(words) - length)))
    return " ".join(words[start : start + length])


def tokenizer_corpus(groceries: Groceries, seed: int, captions: int = 60_000) -> Iterator[str]:
    """Texts to train the tokenizer on: captions of training patterns, names, descriptions."""
    rng = np.random.default_rng([seed, 81])
    yield from training_captions(captions, rng)
    for _ in range(40):
        for names in CLOTHES_NAMES.values():
            yield from (framed(name, rng) for name in names)
        yield from groceries.titles
        yield from groceries.categories
    for texts in groceries.descriptions:
        yield from texts


def training_captions(count: int, rng: np.random.Generator) -> Iterator[str]:
    """Random captions of training patterns, in all languages in turn."""
    types, colours = list(DRAWINGS), list(PALETTE)
    for index in range(count):
        name, colour = types[int(rng.integers(len(types)))], colours[int(rng.integers(len(colours)))]
        patterns = DRAWINGS[name].patterns
        look = Look(name, colour, patterns[int(rng.integers(len(patterns)))], random_accent(colour, rng), 0)
        levels = levels_for(look)
        level = levels[int(rng.integers(len(levels)))]
        yield caption(look, LANGUAGES[index % len(LANGUAGES)], level, rng, held_out=False).text
