"""What words add to pictures: dense, lexical and fused rankings of the same queries, for many weights.

``python -m benchmarks.hybrid [--shared FOLDER] [--cache FOLDER] [--sweep]``. The demo catalog is drawn anew with a seed
that training never saw, and gets what feeds have and pictures do not show: brands that nothing else in the shop has,
model names and article numbers. Its titles come in English, in Russian, Chinese and Vietnamese, and mixed. With shared
data also the luma and grocery shops. Rankings are exact, as the stores' are (``tests/conformance``).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree as ET
from zlib import crc32

import numpy as np
from PIL import Image

from indexer.demo.assortment import Article, assortment
from indexer.demo.captions import Claims, fill
from indexer.demo.catalog import Plan, write_catalog
from indexer.demo.feed import GOOGLE
from indexer.demo.feed import title as english_title
from indexer.demo.questions import text_questions
from indexer.demo.vocabulary import TYPES
from indexer.demo.words import Language
from indexer.embedding.choice import DEMO_MODEL, ModelChoice
from indexer.embedding.load import load_embedder
from indexer.embedding.port import Embedder
from indexer.evaluation.metrics import hit_at, ndcg_at
from indexer.identifiers import identifiers_of
from indexer.lexical.identifying import identifier_guesses
from indexer.lexical.text import match_of, product_weights, query_text
from indexer.points import Vectors
from indexer.search.fusion import FusionWeights, LexicalHit, fused
from indexer.store.ranking import RankedPoint

SEED = 977
"""Of a catalog that nothing was trained on."""
PRODUCTS = 300
CANDIDATES = 256
"""Pictures that are ranked by cosine, and products by words, as a search does."""
BRANDS = ("Alder & Finch", "Kestrel", "Marlow", "Oriel", "Tansy", "Vale")
RARE_BRANDS = ("Zylvex", "Qorvian", "Øresund", "Нордика", "山水", "Bình Minh", "Häusler", "L'Étoile")
MODELS = ("Nordlys", "Pico", "Tundra", "Vega", "Monarch", "Comet")


@dataclass(frozen=True)
class Item:
    """A product to be found."""

    product_id: str
    title: str
    brand: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """A text, what kind of text it is, and the products that it asks for."""

    kind: str
    text: str
    relevant: frozenset[str]


@dataclass(frozen=True)
class Shop:
    """A catalog with its pictures' embeddings, float32 (P, D), whose products ``owners`` says, and what is asked."""

    name: str
    items: Sequence[Item]
    pictures: Vectors
    owners: Sequence[int]
    questions: Sequence[Question]


class Rankings:
    """Exact rankings of a shop's products."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._weights = [product_weights(item) for item in shop.items]
        self._named = {
            name: number
            for number, item in enumerate(shop.items)
            for name in identifiers_of(item.product_id, item.attributes)
        }
        seen = Counter(term for weights in self._weights for term in weights)
        total = len(shop.items)
        # as the engine has it: qdrant's idf modifier
        self._rarity = {term: math.log(1 + (total - n + 0.5) / (n + 0.5)) for term, n in seen.items()}

    def dense(self, vector: Vectors) -> list[RankedPoint]:
        """By cosine, each product once."""
        scores = self._shop.pictures @ vector
        best: dict[int, float] = {}
        for row in np.argsort(-scores, kind="stable")[:CANDIDATES]:
            best.setdefault(self._shop.owners[int(row)], float(scores[row]))
        return [self._point(number, score) for number, score in best.items()]

    def lexical(self, text: str) -> list[LexicalHit]:
        """By BM25."""
        query = query_text(text)
        terms = query.weights()
        scores = [
            sum(weight * weights[term] * self._rarity[term] for term, weight in terms.items() if term in weights)
            for weights in self._weights
        ]
        order = sorted((n for n, score in enumerate(scores) if score > 0), key=lambda n: (-scores[n], n))[:CANDIDATES]
        return [LexicalHit(self._point(n, scores[n]), match_of(query, self._shop.items[n])) for n in order]

    def identified(self, text: str) -> list[RankedPoint]:
        """Those that it names, the longest identifier first."""
        found = [self._named[guess] for guess in identifier_guesses(text) if guess in self._named]
        return [self._point(number, 0.0) for number in dict.fromkeys(found)]

    def _point(self, number: int, score: float) -> RankedPoint:
        return RankedPoint(UUID(int=number), self._shop.items[number].product_id, 0, score)


def demo_shops(folder: Path, embedder: Embedder, per_language: int) -> list[Shop]:
    """The sample catalog with titles in several languages."""
    plan = Plan(products=PRODUCTS, seed=SEED, text_queries_per_language=1, photo_queries_per_change=1)
    write_catalog(folder, plan)
    files, owners, ids = google_pictures(folder)
    pictures = embedded(embedder, files, folder / "vectors.npy")
    articles = {article.product_id: article for article in assortment(PRODUCTS, SEED)}
    rows = [articles[product_id] for product_id in ids]
    shops = []
    spoken: dict[str, Sequence[Language]] = {
        "demo, English titles": ("en",),
        "demo, Russian titles": ("ru",),
        "demo, Chinese titles": ("zh",),
        "demo, Vietnamese titles": ("vi",),
        "demo, mixed titles": ("en", "ru", "zh", "vi"),
    }
    plain = text_questions(rows, per_language, SEED)
    for name, languages in spoken.items():
        items = [dressed(article, languages) for article in rows]
        questions = [
            Question(f"description, {question.caption.language}", question.caption.text, frozenset(question.relevant))
            for question in plain
        ]
        shops.append(Shop(name, items, pictures, owners, [*questions, *exact_questions(rows, items)]))
    return shops


def dressed(article: Article, languages: Sequence[Language]) -> Item:
    """An article with a title in one of the languages, a brand, a model name and an article number."""
    rng = np.random.default_rng(crc32(article.product_id.encode()))
    language = languages[int(rng.integers(len(languages)))]
    look = article.look
    title = english_title(article)
    if language != "en":
        claims = Claims(look.product_type, look.colour)
        title = fill("{c}{n}" if language == "zh" else "{n} {c}", language, claims, rng)
    if rng.random() < 0.3:
        title += f" {MODELS[int(rng.integers(len(MODELS)))]} {int(rng.integers(10, 99)) * 10}"
    brand = BRANDS[int(rng.integers(len(BRANDS)))]
    if rng.random() < 0.08:
        brand = RARE_BRANDS[int(rng.integers(len(RARE_BRANDS)))]
    number = f"{brand[:2].upper()}-{int(rng.integers(1000, 9999))}/{int(rng.integers(1, 9))}"
    return Item(article.product_id, title, brand, {"color": look.colour, "pattern": look.pattern, "mpn": number})


def exact_questions(articles: Sequence[Article], items: Sequence[Item]) -> list[Question]:
    """What pictures do not show: article numbers, model names, brands."""
    questions = []
    by_brand: defaultdict[str, list[int]] = defaultdict(list)
    for number, (article, item) in enumerate(zip(articles, items, strict=True)):
        by_brand[item.brand].append(number)
        if number % 5 == 0:
            mpn = item.attributes["mpn"]
            typed = (mpn, mpn.lower().replace("-", " ").replace("/", " "), f"{mpn.split('/')[0]} {english(article)}")
            questions.append(Question("article number", typed[number // 5 % 3], frozenset((item.product_id,))))
        words = item.title.split()
        if words[-1].isdigit() and words[-2] in MODELS:
            same = frozenset(other.product_id for other in items if other.title.endswith(f"{words[-2]} {words[-1]}"))
            questions.append(Question("model name", f"{words[-2]} {words[-1]}", same))
            questions.append(Question("model name + thing", f"{english(article)} {words[-2]} {words[-1]}", same))
    for brand, numbers in by_brand.items():
        members = frozenset(items[number].product_id for number in numbers)
        if brand in RARE_BRANDS:
            questions.append(Question("rare brand", brand, members))
        for kind in {articles[number].look.product_type for number in numbers}:
            alike = [number for number in numbers if articles[number].look.product_type == kind]
            wanted = frozenset(items[number].product_id for number in alike)
            questions.append(Question("brand + thing", f"{brand} {TYPES[kind].en[0].one}", wanted))
    return questions


def english(article: Article) -> str:
    """The thing in one word."""
    return TYPES[article.look.product_type].en[0].one


def google_pictures(folder: Path) -> tuple[list[Path], list[int], list[str]]:
    """Picture files of a Google feed, whose product each shows, and the products' ids."""
    files: list[Path] = []
    owners: list[int] = []
    ids: list[str] = []
    for item in ET.parse(folder / "feed.xml").iter("item"):  # noqa: S314 - our own file or the shared data
        for value in item:
            tag = value.tag.rsplit("}", 1)[1] if "}" in value.tag else value.tag
            if tag == "id":
                ids.append(value.text or "")
            elif tag in {"image_link", "additional_image_link"}:
                files.append(folder / (value.text or ""))
                owners.append(len(ids) - 1)
    return files, owners, ids


def luma_shop(folder: Path, embedder: Embedder, cache: Path) -> Shop:
    """A real shop whose titles are model names; its descriptions' first sentences are the plain queries."""
    files, owners, _ = google_pictures(folder)
    items, descriptions = [], []
    for entry in ET.parse(folder / "feed.xml").iter("item"):  # noqa: S314 - the shared data
        value = {child.tag.removeprefix(f"{{{GOOGLE}}}"): child.text or "" for child in entry}
        attributes = {name: value[name] for name in ("color",) if name in value}
        items.append(Item(value["id"], value["title"], value["brand"], attributes))
        descriptions.append(value["description"])
    titled: defaultdict[str, set[str]] = defaultdict(set)
    for item in items:
        titled[item.title].add(item.product_id)
    questions = []
    told: dict[str, str] = {}
    for item, description in zip(items, descriptions, strict=True):
        told.setdefault(item.title, description.split(". ")[0][:120])
    for title, members in titled.items():
        questions.append(Question("model name", title, frozenset(members)))
        questions.append(Question("two words of it", " ".join(title.lower().split()[:2]), frozenset(members)))
        questions.append(Question("description", told[title], frozenset(members)))
    questions += [Question("product id", item.product_id, frozenset((item.product_id,))) for item in items[::5]]
    for colour in sorted({item.attributes["color"] for item in items if "color" in item.attributes}):
        for thing in ("hoodie", "jacket", "pant", "short", "tank", "tee", "bra"):
            wanted = {
                item.product_id
                for item in items
                if item.attributes.get("color") == colour and thing in item.title.lower().split()
            }
            if wanted:
                questions.append(Question("colour + thing", f"{colour.lower()} {thing}s", frozenset(wanted)))
    return Shop("luma", items, embedded(embedder, files, cache / "luma.npy"), owners, questions)


def grocery_shop(folder: Path, embedder: Embedder, cache: Path) -> Shop:
    """Groceries with one picture each, asked for by title and by the first words of their description."""
    rows = [json.loads(line) for line in (folder / "feed.jsonl").read_text("utf-8").splitlines()]
    items = [Item(row["id"], row["title"], "", {"category": row["category"]}) for row in rows]
    questions = []
    for row in rows:
        own = frozenset((row["id"],))
        questions.append(Question("title", row["title"], own))
        questions.append(Question("description", row["description"].split(". ")[0][:120], own))
        if row.get("description_sv"):
            questions.append(Question("description, Swedish", row["description_sv"].split(". ")[0][:120], own))
    pictures = embedded(embedder, [folder / row["image"] for row in rows], cache / "grocery.npy")
    return Shop("grocery", items, pictures, range(len(rows)), questions)


def embedded(embedder: Embedder, files: Sequence[Path], kept: Path) -> Vectors:
    """Embeddings of picture files, float32 (B, D)."""
    if kept.exists():
        return np.asarray(np.load(kept), dtype=np.float32)
    vectors = []
    for start in range(0, len(files), 32):
        pixels = [embedder.prepare_image(Image.open(file).convert("RGB")) for file in files[start : start + 32]]
        vectors.append(embedder.embed_images(np.stack(pixels)))
    np.save(kept, np.concatenate(vectors))
    return np.concatenate(vectors)


@dataclass(frozen=True)
class Found:
    """The rankings of a question."""

    question: Question
    dense: Sequence[RankedPoint]
    lexical: Sequence[LexicalHit]
    identified: Sequence[RankedPoint]

    def by(self, weights: FusionWeights) -> list[str]:
        """Product ids of the fused ranking."""
        return [hit.point.product_id for hit in fused(self.dense, self.lexical, self.identified, weights)]


def figures(found: Sequence[Found], weights: FusionWeights | None, *, lexical: bool = False) -> tuple[float, float]:
    """hit@1 and nDCG@10: of the fused ranking, or without weights of one of the two."""
    hits, gains = [], []
    for item in found:
        if weights is not None:
            ranked = item.by(weights)
        elif lexical:
            ranked = [hit.point.product_id for hit in item.lexical]
        else:
            ranked = [point.product_id for point in item.dense]
        hits.append(hit_at(1, ranked, item.question.relevant))
        gains.append(ndcg_at(10, ranked, item.question.relevant))
    return float(np.mean(hits)), float(np.mean(gains))


def asked(shop: Shop, embedder: Embedder) -> dict[str, list[Found]]:
    """Rankings by kind of question."""
    rankings = Rankings(shop)
    by_kind: defaultdict[str, list[Found]] = defaultdict(list)
    texts = [question.text for question in shop.questions]
    vectors = np.concatenate([embedder.embed_texts(texts[start : start + 64]) for start in range(0, len(texts), 64)])
    for question, vector in zip(shop.questions, vectors, strict=True):
        text = question.text
        ranked = (rankings.dense(vector), rankings.lexical(text), rankings.identified(text))
        by_kind[question.kind].append(Found(question, *ranked))
    return by_kind


def main() -> int:
    """Prints a table of each shop; with ``--sweep`` one of weights too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, help="Folder with luma/ and grocery/.")
    parser.add_argument("--cache", type=Path, help="Where drawn pictures and embeddings are kept.")
    parser.add_argument("--per-language", type=int, default=100)
    parser.add_argument("--sweep", action="store_true")
    arguments = parser.parse_args()
    embedder = load_embedder(ModelChoice(model=DEMO_MODEL, device="cpu"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.cache or Path(scratch)
        shops = demo_shops(folder / "catalog", embedder, arguments.per_language)
        if arguments.shared:
            shops.append(luma_shop(arguments.shared / "luma", embedder, folder))
            shops.append(grocery_shop(arguments.shared / "grocery", embedder, folder))
        every = {shop.name: asked(shop, embedder) for shop in shops}
    for name, kinds in every.items():
        sys.stdout.write(f"\n{name}: hit@1 and nDCG@10 of dense | lexical | fused\n")
        for kind, found in kinds.items():
            three = (figures(found, None), figures(found, None, lexical=True), figures(found, FusionWeights()))
            cells = " | ".join(f"{hit:.3f} {gain:.3f}" for hit, gain in three)
            sys.stdout.write(f"  {kind:24}{len(found):5}  {cells}\n")
    if arguments.sweep:
        sweep(every)
    return 0


def sweep(every: Mapping[str, Mapping[str, Sequence[Found]]]) -> None:
    """nDCG@10 for many weights: of descriptions, which pictures answer, and of exact things, which words answer."""
    sys.stdout.write("\nlexical  least share: descriptions, exact things, by shop\n")
    for weight in (0.0, 0.5, 1.0, 2.0, 3.0):
        for share in (0.0, 0.5, 0.6, 0.7, 0.8, 1.0):
            weights = FusionWeights(lexical=weight, least_share=share)
            cells = []
            for kinds in every.values():
                parts: dict[bool, list[float]] = {True: [], False: []}
                for kind, found in kinds.items():
                    parts[kind.startswith("description")].append(figures(found, weights)[1])
                cells.append(f"{np.mean(parts[True]):.3f} {np.mean(parts[False]):.3f}")
            sys.stdout.write(f"{weight:5} {share:5}: {' | '.join(cells)}\n")


if __name__ == "__main__":
    sys.exit(main())
