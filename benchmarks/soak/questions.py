"""What clients ask, each question with what its answer must be."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.soak.catalog import Known, Shop
from tests.pictures import declared_png

PHOTO, TEXT, FILTERED, HOSTILE = "photo", "text", "filtered", "hostile"
KINDS = (PHOTO, TEXT, FILTERED, HOSTILE)
_SHARES = (0.35, 0.25, 0.25, 0.15)
_TOLERANCE = 2e-3
"""Of a cosine: batches of other sizes round otherwise, by 1e-4 at most as the tests have it."""
_MARKS = ".,!"
_BOMB = declared_png(100_000, 100_000)

Check = Callable[[dict[str, Any]], str]
"""What is wrong with an answer; empty if nothing is."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request.

    Attributes:
        kind: one of ``KINDS``.
        request: all its bytes.
        check: of an answer with 200; None where one of 4xx is due.
        name: for the report of a wrong answer.
    """

    kind: str
    request: bytes
    check: Check | None
    name: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a text found while nothing else was asked: cosine by product, best first."""

    scores: tuple[tuple[str, float], ...]


def http_request(method: str, path: str, body: bytes = b"", media_type: str = "") -> bytes:
    """A whole request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: soak\r\n"
    if body or method == "POST":
        head += f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class Questions:
    """Draws questions at random, none of them twice, so that no cache answers.

    Args:
        shop: what is known.
        rankings: by text; texts that have none are checked for form alone.
        seed: of the draw.
    """

    def __init__(self, shop: Shop, rankings: dict[str, Ranking], seed: int) -> None:
        self._shop = shop
        self._rankings = rankings
        self._random = random.Random(seed)
        self._numbers = count(seed * 10_000_000)
        self._products = list(shop.products.values())
        self._files: dict[str, bytes] = {}

    def draw(self) -> Question:
        """Any."""
        kind = self._random.choices(KINDS, _SHARES)[0]
        return self.of(kind)

    def of(self, kind: str) -> Question:
        """One of a kind."""
        makers = {PHOTO: self._photo, TEXT: self._text, FILTERED: self._filtered, HOSTILE: self._hostile}
        return makers[kind]()

    def _photo(self) -> Question:
        known = self._random.choice(self._products)
        path = self._random.choice(known.pictures)
        # a number behind the end of the file makes it another file with the same pixels
        data = self._file(path) + b"%d" % next(self._numbers)
        request = http_request("POST", "/v1/search/image?limit=10", data, "image/jpeg")
        return Question(PHOTO, request, lambda answer: self._own_first(answer, known), f"photo {path}")

    def _text(self) -> Question:
        text = self._random.choice(self._shop.texts)
        ranking = self._rankings.get(text)
        request = text_request(text + self._marks())

        def check(answer: dict[str, Any]) -> str:
            return self._form(answer) or (same_ranking(answer, ranking) if ranking else "")

        return Question(TEXT, request, check, f"text {text!r}")

    def _filtered(self) -> Question:
        return self._random.choice([self._browsed, self._filtered_text, self._by_id])()

    def _browsed(self) -> Question:
        fits, node, name = self._condition()
        body = {"filter": node, "facets": ["brand"], "sort": "price_asc", "limit": 100}
        wanted = sorted(known.price_minor or 0 for known in self._products if fits(known))

        def check(answer: dict[str, Any]) -> str:
            prices = [hit["price_minor"] for hit in answer["hits"]]
            if answer["facets_over"] != len(wanted) or prices != wanted[:100]:
                return f"{answer['facets_over']} products instead of {len(wanted)}, or in another order"
            return self._form(answer, ranked=False) or self._all_fit(answer, fits)

        return Question(FILTERED, _find(body), check, f"browse {name}")

    def _filtered_text(self) -> Question:
        fits, node, name = self._condition()
        text = self._random.choice(self._shop.texts)
        body = {"texts": [{"text": text + self._marks()}], "filter": node, "limit": 20}
        wanted = min(20, self._shop.count(fits))

        def check(answer: dict[str, Any]) -> str:
            if len(answer["hits"]) != wanted:
                return f"{len(answer['hits'])} hits instead of {wanted}"
            return self._form(answer, ranked=False) or self._all_fit(answer, fits)

        return Question(FILTERED, _find(body), check, f"text {text!r} where {name}")

    def _by_id(self) -> Question:
        known = self._random.choice(self._products)
        path = f"/v1/products/{quote(known.product_id, safe='')}"

        def check(answer: dict[str, Any]) -> str:
            told = answer["product_id"], answer["title"], answer["price_minor"], answer["brand"], len(answer["images"])
            wanted = known.product_id, known.title, known.price_minor, known.brand, len(known.pictures)
            return "" if told == wanted else f"{told} instead of {wanted}"

        return Question(FILTERED, http_request("GET", path), check, f"product {known.product_id}")

    def _hostile(self) -> Question:
        name, request = self._random.choice(self._bad_requests())
        return Question(HOSTILE, request, None, name)

    def _bad_requests(self) -> Sequence[tuple[str, bytes]]:
        noise = self._random.randbytes(self._random.randint(0, 5000))
        photo = self._file(self._random.choice(self._products).pictures[0])
        cut = photo[: self._random.randint(1, len(photo) // 2)]
        image, find, text = "/v1/search/image", "/v1/search", "/v1/search/text"
        return [
            ("noise as a picture", http_request("POST", image, noise, "image/jpeg")),
            ("half a picture", http_request("POST", image, cut, "image/jpeg")),
            ("a bomb of pixels", http_request("POST", image, _BOMB, "image/png")),
            ("a drawing", http_request("POST", image, b"<svg xmlns='x'><script>1</script></svg>", "image/svg+xml")),
            ("noise as a form", http_request("POST", image, noise, "multipart/form-data; boundary=x")),
            ("no JSON", http_request("POST", text, noise, "application/json")),
            ("deep JSON", http_request("POST", find, b"[" * 20_000, "application/json")),
            ("deep filter", _find({"filter": _nested(40)})),
            ("unknown field", _find({"filter": {"field": "\x00", "gte": 1}})),
            ("too many", _find({"limit": 10**12})),
            ("made-up cursor", _find({"cursor": noise.hex()})),
            ("endless text", text_request("x" * 50_000)),
            ("no words", text_request(" \t")),
            ("other path", http_request("GET", "/v1/products/..%2F..%2F..%2Fetc%2Fpasswd")),
            ("other method", http_request("DELETE", image)),
            ("admin without a key", http_request("DELETE", "/v1/products/mug-0001")),
        ]

    def _condition(self) -> tuple[Callable[[Known], bool], dict[str, Any], str]:
        brand = self._random.choice(self._products).brand
        most = self._random.choice(self._products).price_minor or 0
        wants_stock = self._random.random() < 0.5

        def fits(known: Known) -> bool:
            in_stock = known.in_stock is True or not wants_stock
            return known.brand == brand and known.price_minor is not None and known.price_minor <= most and in_stock

        conditions: list[dict[str, Any]] = [
            {"field": "brand", "any_of": [brand]},
            {"field": "price_minor", "lte": most},
        ]
        if wants_stock:
            conditions.append({"field": "in_stock", "any_of": [True]})
        return fits, {"and": conditions}, f"{brand}, at most {most}{', in stock' if wants_stock else ''}"

    def _own_first(self, answer: dict[str, Any], known: Known) -> str:
        scores = {hit["product_id"]: hit["score"] for hit in answer["hits"]}
        own, best = scores.get(known.product_id, -1.0), answer["hits"][0]["score"] if answer["hits"] else -1.0
        if own < 0.99 or best - own > _TOLERANCE:
            return f"{known.product_id} has {own:.4f}, the best {best:.4f}"
        return self._form(answer)

    def _form(self, answer: dict[str, Any], *, ranked: bool = True) -> str:
        """Each product once, as the feed has it, best first."""
        hits = answer["hits"]
        if len({hit["product_id"] for hit in hits}) != len(hits):
            return "a product twice"
        scores = [hit["score"] for hit in hits]
        if ranked and scores != sorted(scores, reverse=True):
            return "not in order"
        for hit in hits:
            known = self._shop.products.get(hit["product_id"])
            if known is None or (hit["title"], hit["price_minor"]) != (known.title, known.price_minor):
                return f"{hit['product_id']} is not as its feed has it"
        return ""

    def _all_fit(self, answer: dict[str, Any], fits: Callable[[Known], bool]) -> str:
        wrong = [hit["product_id"] for hit in answer["hits"] if not fits(self._shop.products[hit["product_id"]])]
        return f"{wrong} do not fit the filter" if wrong else ""

    def _marks(self) -> str:
        """Punctuation, which the model does not see: another text with the same vector."""
        number, marks = next(self._numbers), ""
        while number:
            number, digit = divmod(number, len(_MARKS))
            marks += _MARKS[digit]
        return f" {marks}"

    def _file(self, path: str) -> bytes:
        if path not in self._files:
            self._files[path] = Path(path).read_bytes()
        return self._files[path]


def text_request(text: str) -> bytes:
    """A search by text."""
    return http_request("POST", "/v1/search/text", json.dumps({"text": text, "limit": 10}).encode(), "application/json")


def ranking_of(answer: dict[str, Any]) -> Ranking:
    """Of an answer to a search by text."""
    return Ranking(tuple((hit["product_id"], hit["score"]) for hit in answer["hits"]))


def same_ranking(answer: dict[str, Any], ranking: Ranking) -> str:
    """What differs, but for products whose scores are as good as equal."""
    before, now = dict(ranking.scores), {hit["product_id"]: hit["score"] for hit in answer["hits"]}
    last = min(before.values(), default=-1.0)
    if len(now) != len(before):
        return f"{len(now)} hits instead of {len(before)}"
    for product_id, score in now.items():
        expected = before.get(product_id, last)
        if abs(score - expected) > _TOLERANCE:
            return f"{product_id} has {score:.4f} instead of {expected:.4f}"
    return ""


def _find(body: dict[str, Any]) -> bytes:
    return http_request("POST", "/v1/search", json.dumps(body).encode(), "application/json")


def _nested(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = {"field": "brand", "any_of": ["x"]}
    for _ in range(depth):
        node = {"not": node}
    return node
