"""``POST /v1/search`` over HTTP: parts, filters, facets, order, pages; the embedded store and a server alike."""

from __future__ import annotations

import base64
import io
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer import bootstrap
from indexer.calibration.logistic import LogisticMap
from indexer.calibration.model import ANNOTATION, Calibration, KindCalibration, Thresholds
from indexer.embedding.port import Embedder
from indexer.images.decoder import InProcessDecoder
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.source import ImagesByReference, LocalImages
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.run import IndexOptions, index_feed
from indexer.ledger.sqlite import SqliteLedger
from indexer.search import hits as hits_module
from indexer.settings import Settings, load_settings
from indexer.store.port import Alias
from search_api import find_rankings
from search_api.app import create_app
from tests.pictures import drawn_picture, encoded, write_feed
from tests.qdrant_server import remove_catalog
from tests.served import served, wait_for_status

PRODUCTS = 40
COLOURS = ("red", "blue", "green")
BRANDS = ("Acme", "Bravo", "Ünï & Co")
SMALL_WINDOWS = (4, 16, 64, 256)


def row(number: int) -> dict[str, Any]:
    """A product: every third in a group with its neighbour, some without price, two with the same picture."""
    picture = 7 if number == 33 else number
    refs = [f"images/{picture}-0.jpg"] + ([f"images/{picture}-1.jpg"] if number % 4 == 0 else [])
    value: dict[str, Any] = {
        "id": f"p{number}",
        "title": f"{COLOURS[number % 3]} thing {number}",
        "image_link": refs[0],
        "additional_image_link": refs[1:],
        "availability": "in_stock" if number % 2 == 0 else "out_of_stock",
        "brand": BRANDS[number % len(BRANDS)] if number % 7 else "",
        "product_type": "Home > Kitchen > Mugs" if number % 5 else "Home > Office",
        "color": COLOURS[number % 3],
        "mpn": f"AB {number:03d}-X",
        "updated_at": f"2026-01-{1 + number % 20:02d}T10:00:00Z",
    }
    if number % 6:
        value["price"] = f"{number % 10 + 1}.50 EUR"
    if number % 3 == 0:
        value["item_group_id"] = f"g{number // 6}"
    return value


@dataclass(frozen=True, slots=True)
class Shop:
    client: httpx.Client
    folder: Path

    def find(self, **query: Any) -> dict[str, Any]:
        response = self.client.post("/v1/search", json=query)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def ids(self, **query: Any) -> list[str]:
        return [hit["product_id"] for hit in self.find(**query)["hits"]]

    def walk(self, limits: list[int], **query: Any) -> list[dict[str, Any]]:
        """The hits of all pages."""
        hits: list[dict[str, Any]] = []
        cursor = None
        for limit in itertools.chain(limits, itertools.repeat(limits[-1])):
            answer = self.find(limit=limit, cursor=cursor, **query)
            hits += answer["hits"]
            cursor = answer["cursor"]
            if cursor is None:
                return hits
            assert len(answer["hits"]) == limit
        raise AssertionError("unreachable")

    def refused(self, query: Any, code: str, status: int = 422) -> dict[str, Any]:
        response = self.client.post("/v1/search", json=query)
        assert response.status_code == status, response.text
        body: dict[str, Any] = response.json()
        assert body["code"] == code
        return body

    def photo(self, number: int) -> bytes:
        return (self.folder / "images" / f"{number}-0.jpg").read_bytes()


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "images").mkdir()
    for number in range(PRODUCTS):
        for position in range(2):
            data = encoded(drawn_picture(number * 10 + position), quality=90)
            (folder / "images" / f"{number}-{position}.jpg").write_bytes(data)
    write_feed(folder / "feed.jsonl", [row(number) for number in range(PRODUCTS)])
    return folder / "feed.jsonl"


def index(feed: Path, settings: Settings, embedder: Embedder) -> None:
    limits = settings.image_limits()
    store = bootstrap.open_store(settings)
    ledger = SqliteLedger(settings.data_dir / "ledger.sqlite3")
    source = ImagesByReference(LocalImages(limits), RemoteImages(limits, DownloadLimits()))
    with IndexPipeline(embedder, source, InProcessDecoder(limits), image_threads=2) as pipeline:
        parts = IndexParts(embedder, store, ledger, pipeline, settings.catalog)
        index_feed(feed, IndexOptions(full=True), InlineDispatcher(parts))
    ledger.close()
    store.close()


def opened(feed: Path, settings: Settings, embedder: Embedder) -> Iterator[Shop]:
    index(feed, settings, embedder)
    with served(create_app(settings, load_embedder=lambda _: embedder)) as client:
        wait_for_status(client, "/readyz", 200)
        yield Shop(client, feed.parent)


@pytest.fixture(scope="module")
def shop(feed: Path, tmp_path_factory: pytest.TempPathFactory, tiny_embedder: Embedder) -> Iterator[Shop]:
    flags = {"data_dir": tmp_path_factory.mktemp("data")}
    yield from opened(feed, load_settings(flags, environment={}).settings, tiny_embedder)


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows so small that a walk through 40 products needs all of them."""
    monkeypatch.setattr(hits_module, "WINDOWS", SMALL_WINDOWS)
    monkeypatch.setattr(find_rankings, "WINDOWS", SMALL_WINDOWS)


def wanted(number: int, **has: Any) -> bool:
    made = row(number)
    return all(made.get(name) == value for name, value in has.items())


def numbers(hits: list[dict[str, Any]]) -> set[int]:
    return {int(hit["product_id"][1:]) for hit in hits}


def test_every_part_finds_something_and_all_together_too(shop: Shop) -> None:
    data = base64.b64encode(shop.photo(8)).decode()
    photo = shop.find(photos=[{"data": data}], limit=3)
    best = photo["hits"][0]
    assert best["product_id"] == "p8"
    assert best["score"] > 0.999
    assert best["images"][0]["position"] == 0
    assert {image["url"] for image in best["images"]} == {"/v1/products/p8/images/0", "/v1/products/p8/images/1"}
    assert best["attributes"] == {"color": "green", "mpn": "AB 008-X"}
    assert best["in_stock"] is True
    form = shop.client.post(
        "/v1/search",
        data={"query": json.dumps({"photos": [{"file": "mine"}], "limit": 3})},
        files={"mine": ("photo.jpg", shop.photo(8), "image/jpeg")},
    )
    assert form.json()["hits"] == photo["hits"]
    everything = shop.find(
        photos=[{"data": data, "weight": 2}],
        products=[{"product_id": "p9"}, {"product_id": "p12", "position": 1, "weight": 0.5}],
        texts=[{"text": "red mug"}],
        liked=[{"product_id": "p1"}],
        disliked=[{"product_id": "p2"}],
        negative_texts=[{"text": "hat", "weight": 0.3}],
        explain=True,
        limit=100,
    )
    found = [hit["product_id"] for hit in everything["hits"]]
    assert set(found) == {f"p{number}" for number in range(PRODUCTS)} - {"p9", "p12", "p1", "p2"}
    for hit in everything["hits"]:
        parts = hit["explanation"]["parts"]
        kinds = [part["kind"] for part in parts]
        assert kinds == ["catalog", "photo", "product", "product", "liked", "text", "disliked", "negative_text"]
        assert abs(sum(part["contribution"] for part in parts) - hit["score"]) < 1e-4
    assert [part["label"] for part in parts][1:4] == ["photo 0", "p9", "p12"]


def test_one_part_is_what_the_older_routes_answer(shop: Shop) -> None:
    new = shop.find(texts=[{"text": "red mug"}], limit=40, hybrid="off")["hits"]
    old = shop.client.post("/v1/search/text", json={"text": "red mug", "limit": 40}).json()["hits"]
    assert [(hit["product_id"], hit["score"]) for hit in new] == [(hit["product_id"], hit["score"]) for hit in old]
    similar = shop.client.get("/v1/products/p4/similar?limit=40").json()["hits"]
    assert shop.ids(products=[{"product_id": "p4"}], limit=40) == [hit["product_id"] for hit in similar]


def test_filters_say_what_is_found(shop: Shop) -> None:
    def found(condition: Any) -> set[int]:
        browsed = numbers(shop.find(filter=condition, limit=100)["hits"])
        assert browsed == numbers(shop.find(filter=condition, limit=100, texts=[{"text": "mug"}])["hits"])
        return browsed

    everything = set(range(PRODUCTS))
    red = {number for number in everything if number % 3 == 0}
    assert found({"field": "color", "any_of": ["red"]}) == red
    assert found({"field": "Color", "any_of": ["red", "blue"]}) == {n for n in everything if n % 3 < 2}
    assert found({"not": {"field": "color", "any_of": ["red"]}}) == everything - red
    office = {number for number in everything if number % 5 == 0}
    assert found({"field": "category", "any_of": [["Home", "Office"]]}) == office
    assert found({"field": "category", "any_of": ["Home>Kitchen", "Home > Office"]}) == everything
    assert found({"field": "category", "any_of": [["Home"]]}) == everything
    assert found({"field": "in_stock", "any_of": [True]}) == {number for number in everything if number % 2 == 0}
    cheap = {number for number in everything if number % 6 and number % 10 < 3}
    assert found({"field": "price_minor", "lt": 450}) == cheap
    both = {"and": [{"field": "price_minor", "gte": 150, "lte": 350}, {"field": "color", "any_of": ["red"]}]}
    assert found(both) == cheap & red
    assert found({"or": [both, {"field": "product_id", "any_of": ["p7"]}]}) == (cheap & red) | {7}
    assert found({"field": "updated_at", "gte": "2026-01-20"}) == {19, 39}
    assert found({"field": "brand", "any_of": ["nobody"]}) == set()


def test_facets_count_what_else_could_be_chosen(shop: Shop) -> None:
    chosen = {"and": [{"field": "color", "any_of": ["red"]}, {"field": "in_stock", "any_of": [True]}]}
    names = ["color", "brand", "category", "price", "in_stock"]
    answer = shop.find(filter=chosen, facets=names, limit=1)
    even_red = [row(number) for number in range(0, PRODUCTS, 2) if number % 3 == 0]
    assert answer["facets_over"] == answer["total"] == len(even_red)
    colours = {item["value"]: (item["count"], item["selected"]) for item in answer["facets"]["color"]["values"]}
    assert colours == {
        colour: (sum(1 for number in range(0, PRODUCTS, 2) if COLOURS[number % 3] == colour), colour == "red")
        for colour in COLOURS
    }
    brands = {item["value"]: item["count"] for item in answer["facets"]["brand"]["values"]}
    assert brands == {"Acme": sum(1 for made in even_red if made["brand"] == "Acme")}
    paths = {item["value"]: item["count"] for item in answer["facets"]["category"]["values"]}
    assert paths["Home"] == len(even_red)
    assert set(paths) == {"Home", "Home > Kitchen", "Home > Kitchen > Mugs", "Home > Office"}
    prices = [int(float(made["price"].split()[0]) * 100) for made in even_red if "price" in made]
    assert not prices
    assert answer["facets"]["price"] == {"kind": "range", "min_minor": None, "max_minor": None, "currency": ""}
    stock = {item["value"]: item["selected"] for item in answer["facets"]["in_stock"]["values"]}
    assert stock == {True: True, False: False}
    nothing = shop.find(filter={"field": "color", "any_of": ["mauve"]}, facets=["color", "brand"], limit=1)
    assert nothing["facets_over"] == 0
    assert {"value": "mauve", "count": 0, "selected": True} in nothing["facets"]["color"]["values"]
    assert nothing["facets"]["brand"]["values"] == []


def test_facets_of_a_query_count_its_candidates_or_the_catalog(shop: Shop) -> None:
    text = [{"text": "red mug"}]
    catalog = shop.find(texts=text, facets=["color", "price"], facet_scope="catalog")
    assert catalog["facets_over"] == PRODUCTS
    assert catalog["facets"]["price"] == {"kind": "range", "min_minor": 150, "max_minor": 1050, "currency": "EUR"}
    results = shop.find(texts=text, facets=["color"], limit=5)
    assert 5 <= results["facets_over"] < PRODUCTS
    assert sum(item["count"] for item in results["facets"]["color"]["values"]) == results["facets_over"]


def test_a_facet_tells_what_attributes_there_are(shop: Shop) -> None:
    answer = shop.find(facets=["attribute_names"], limit=1)
    names = {item["value"]: item["count"] for item in answer["facets"]["attribute_names"]["values"]}
    assert names["color"] == PRODUCTS
    for name in names:
        shop.find(facets=[name], limit=1)


def test_products_in_order_of_price_and_date_are_those_that_are_relevant(shop: Shop) -> None:
    for sort, by, turned in (("price_asc", "price_minor", 1), ("price_desc", "price_minor", -1)):
        browsed = shop.find(sort=sort, limit=100)["hits"]
        prices = [hit[by] for hit in browsed]
        known = [price for price in prices if price is not None]
        assert known == sorted(known, reverse=turned < 0)
        assert prices[len(known) :] == [None] * 7
        some = shop.find(sort=sort, limit=100, texts=[{"text": "red mug"}])
        assert 0 < len(some["hits"]) < PRODUCTS
        assert some["total"] == len(some["hits"])
        known = [hit[by] for hit in some["hits"] if hit[by] is not None]
        assert known == sorted(known, reverse=turned < 0)
        best = shop.ids(texts=[{"text": "red mug"}], limit=1)
        assert best[0] in {hit["product_id"] for hit in some["hits"]}
    newest = numbers(shop.find(sort="newest", limit=2)["hits"])
    assert newest == {19, 39}


def test_variants_are_one_hit_and_name_each_other(shop: Shop) -> None:
    for query in ({}, {"texts": [{"text": "red mug"}]}):
        hits = shop.walk([5], group_by="item_group", **query)
        groups = [hit["item_group_id"] or hit["product_id"] for hit in hits]
        assert len(groups) == len(set(groups))
        assert set(groups) == {row(number).get("item_group_id") or f"p{number}" for number in range(PRODUCTS)}
        for hit in hits:
            own = {hit["product_id"]} | {variant["product_id"] for variant in hit["variants"]}
            group = hit["item_group_id"]
            if group:
                assert own == {f"p{n}" for n in range(PRODUCTS) if row(n).get("item_group_id") == group}
            else:
                assert own == {hit["product_id"]}


def test_the_same_picture_is_one_hit_with_offers(shop: Shop) -> None:
    data = base64.b64encode(shop.photo(7)).decode()
    apart = shop.ids(photos=[{"data": data}], limit=2)
    assert apart == ["p33", "p7"]
    for query in ({"photos": [{"data": data}]}, {}, {"texts": [{"text": "mug"}], "sort": "price_asc"}):
        hits = shop.walk([7], collapse_duplicates=True, **query)
        offers = {hit["product_id"]: [offer["product_id"] for offer in hit["offers"]] for hit in hits}
        assert len(offers) == len(hits)
        both = {name: others for name, others in offers.items() if name in {"p7", "p33"}}
        assert both in ({"p33": ["p7"]}, {"p7": ["p33"]}, {})
        if "sort" not in query:
            assert both


def test_diversity_changes_the_order_and_loses_nothing(shop: Shop) -> None:
    plain = shop.ids(texts=[{"text": "red mug"}], limit=100)
    diverse = shop.ids(texts=[{"text": "red mug"}], limit=100, diversity=0.7)
    assert plain[0] == diverse[0]
    assert plain != diverse
    assert sorted(plain) == sorted(diverse)


def test_a_part_of_a_photo_is_searched_where_a_box_says(shop: Shop) -> None:
    pasted = Image.new("RGB", (400, 300), (120, 90, 60))
    with Image.open(io.BytesIO(shop.photo(8))) as product:
        pasted.paste(product, (250, 150))
        box = [250 / 400, 150 / 300, (250 + product.width) / 400, (150 + product.height) / 300]
    data = base64.b64encode(encoded(pasted, "PNG")).decode()
    whole = shop.find(photos=[{"data": data}], limit=1)
    assert whole["regions"] == [{"photo": 0, "won": "whole", "box": None, "note": ""}]
    part = shop.find(photos=[{"data": data, "box": box}], limit=1)
    assert part["hits"][0]["product_id"] == "p8"
    assert part["hits"][0]["score"] > whole["hits"][0]["score"]
    assert part["regions"][0]["won"] == "crop"
    assert part["regions"][0]["box"] == pytest.approx(box)
    auto = shop.find(photos=[{"data": data, "region": "auto"}], limit=1)
    assert auto["regions"][0]["won"] in {"crop", "whole"}
    assert auto["regions"][0]["box"] or auto["regions"][0]["note"]
    shop.refused({"photos": [{"data": data, "box": [0.5, 0.5, 0.4, 0.9]}]}, "box_invalid")


def test_hits_have_no_level_where_nothing_is_calibrated_and_that_is_said(shop: Shop) -> None:
    answer = shop.find(texts=[{"text": "red mug"}], limit=2)
    assert [(hit["match"], hit["probability"]) for hit in answer["hits"]] == [(None, None)] * 2
    assert any("calibrate" in note for note in answer["notes"])
    assert answer["nothing_close"] is False
    shop.refused({"texts": [{"text": "red mug"}], "min_match": "similar"}, "query_not_possible")
    shop.refused({"min_match": "similar"}, "query_not_possible")
    assert shop.find()["notes"] == []


def made_up_calibration(space_id: str, dim: int) -> Calibration:
    """Under which a picture is the same product from 0.98 on, and nothing is related below 0.9."""
    given: dict[str, Any] = {
        "curve": LogisticMap(100.0, -97.0),
        "thresholds": Thresholds(same=0.98, similar=0.95, related=0.9),
        "source": "made up",
        "queries": 50,
        "shares": (),
        "missed": 0.0,
        "strangers": "none",
    }
    every: dict[str, Any] = {field.name: given.get(field.name) for field in fields(KindCalibration)}
    kind = KindCalibration(**every)
    mean = np.zeros(dim, dtype=np.float32)
    return Calibration(space_id, "2026-01-01T00:00:00Z", 50, 40, kind, kind, mean, mean)


def test_calibrated_hits_have_levels(feed: Path, tmp_path: Path, tiny_embedder: Embedder) -> None:
    settings = load_settings({"data_dir": tmp_path / "data"}, environment={}).settings
    space = tiny_embedder.space
    index(feed, settings, tiny_embedder)
    store = bootstrap.open_store(settings)
    made = made_up_calibration(space.space_id, space.dim)
    store.annotate(store.current(Alias(settings.catalog, space.space_id)), ANNOTATION, made.to_json())
    store.close()
    for shop in opened(feed, settings, tiny_embedder):
        photo = [{"data": base64.b64encode(shop.photo(8)).decode()}]
        answer = shop.find(photos=photo, limit=100)
        assert answer["notes"] == []
        assert answer["nothing_close"] is False
        for hit in answer["hits"]:
            score = hit["score"]
            assert hit["match"] == (
                "same" if score >= 0.98 else "similar" if score >= 0.95 else "related" if score >= 0.9 else None
            )
            assert 0 <= hit["probability"] <= 1
        assert answer["hits"][0]["match"] == "same"
        levels = {hit["match"] for hit in answer["hits"]}
        assert None in levels, "all pictures are near each other: the test shows nothing"
        for level, least in (("same", 0.98), ("similar", 0.95), ("related", 0.9)):
            expected = [hit["product_id"] for hit in answer["hits"] if hit["score"] >= least]
            assert [hit["product_id"] for hit in shop.walk([2], photos=photo, min_match=level)] == expected
            cheap = shop.find(photos=photo, min_match=level, sort="price_asc", limit=100)
            assert {hit["product_id"] for hit in cheap["hits"]} <= set(expected)
        text = shop.find(texts=[{"text": "red mug"}], limit=3, hybrid="off")
        assert text["nothing_close"] is True
        assert len(text["hits"]) == 3
        assert shop.find(texts=[{"text": "AB 017-X"}], limit=3)["nothing_close"] is False
        mixed = shop.find(photos=photo, texts=[{"text": "in blue"}], limit=1)
        assert mixed["hits"][0]["match"] is None
        assert mixed["notes"]


def test_words_and_numbers_find_what_looks_do_not(shop: Shop) -> None:
    named = shop.find(texts=[{"text": "ab017x"}], limit=3)
    assert named["hits"][0]["product_id"] == "p17"
    assert named["hits"][0]["match"] == "same"
    assert shop.ids(texts=[{"text": "please find AB 017-X for me"}], limit=1) == ["p17"]
    titled = shop.find(texts=[{"text": "green thing 23"}], limit=2, explain=True)
    assert titled["hits"][0]["product_id"] == "p23"
    assert titled["hits"][0]["explanation"]["lexical_terms"] == ["green", "23"]
    brand = shop.find(texts=[{"text": "uni"}], limit=5, filter={"field": "color", "any_of": ["green"]})
    assert {hit["brand"] for hit in brand["hits"]} == {"Ünï & Co"}
    by_look = shop.find(texts=[{"text": "green thing 23"}], limit=100, hybrid="off")["hits"]
    both = shop.find(texts=[{"text": "green thing 23"}], limit=100)["hits"]
    assert {hit["product_id"]: hit["score"] for hit in both} == {hit["product_id"]: hit["score"] for hit in by_look}
    assert [hit["product_id"] for hit in both] != [hit["product_id"] for hit in by_look]
    assert len(both) == PRODUCTS
    cheapest = shop.ids(texts=[{"text": "AB 017-X"}], sort="price_asc", limit=100)
    assert "p17" in cheapest


def duplicates(shop: Shop, data: bytes, **query: Any) -> dict[str, Any]:
    response = shop.client.post("/v1/duplicates", files={"file": ("a.jpg", data)}, params=query)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_whose_a_picture_is(shop: Shop) -> None:
    answer = duplicates(shop, shop.photo(7))
    assert answer["in_catalog"] is True
    assert [hit["product_id"] for hit in answer["same_picture"]] == ["p33", "p7"]
    assert answer["same_picture"][1]["offer"]["title"] == "blue thing 7"
    assert {hit["product_id"] for hit in answer["near_duplicates"]}.isdisjoint({"p7", "p33"})
    with Image.open(io.BytesIO(shop.photo(8))) as picture:
        saved = encoded(picture, "JPEG", quality=60)
    copy = duplicates(shop, saved, limit=1)
    assert (copy["same_picture"], copy["in_catalog"]) == ([], True)
    assert [hit["product_id"] for hit in copy["near_duplicates"]] == ["p8"]
    assert copy["near_duplicates"][0]["score"] >= copy["threshold"]
    second = (shop.folder / "images" / "8-1.jpg").read_bytes()
    assert [(hit["product_id"], hit["image"]["position"]) for hit in duplicates(shop, second)["same_picture"]] == [
        ("p8", 1)
    ]
    other = duplicates(shop, encoded(Image.effect_noise((90, 90), 90).convert("RGB")))
    assert (other["same_picture"], other["near_duplicates"], other["in_catalog"]) == ([], [], False)
    assert shop.client.post("/v1/duplicates", files={"file": b"x"}).status_code == 415


FILTERS = st.sampled_from(
    [
        (None, lambda _: True),
        ({"field": "color", "any_of": ["red"]}, lambda n: n % 3 == 0),
        ({"not": {"field": "color", "any_of": ["red"]}}, lambda n: n % 3 != 0),
        ({"field": "in_stock", "any_of": [False]}, lambda n: n % 2 == 1),
        ({"field": "price_minor", "gte": 450}, lambda n: n % 6 != 0 and n % 10 > 2),
        ({"field": "category", "any_of": [["Home", "Kitchen"]]}, lambda n: n % 5 != 0),
        ({"field": "product_id", "any_of": ["p3"]}, lambda n: n == 3),
    ]
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    condition=FILTERS,
    limits=st.lists(st.integers(1, 15), min_size=1, max_size=4),
    query=st.sampled_from([{}, {"texts": [{"text": "blue thing"}]}, {"products": [{"product_id": "p1"}]}]),
    sort=st.sampled_from(["relevance", "price_asc", "newest"]),
    diversity=st.sampled_from([0.0, 0.5]),
)
def test_a_walk_gives_each_product_exactly_once(
    shop: Shop,
    small_windows: None,
    condition: Any,
    limits: list[int],
    query: dict[str, Any],
    sort: str,
    diversity: float,
) -> None:
    where, holds = condition
    hits = shop.walk(limits, filter=where, sort=sort, diversity=diversity, **query)
    found = [hit["product_id"] for hit in hits]
    assert len(found) == len(set(found))
    expected = {f"p{number}" for number in range(PRODUCTS) if holds(number)}
    expected -= {item["product_id"] for item in query.get("products", [])}
    if query and sort != "relevance":
        assert set(found) <= expected
        assert bool(found) == bool(expected)
    else:
        assert set(found) == expected


def test_pages_of_nearest_products_go_on_where_the_last_ended(shop: Shop, small_windows: None) -> None:
    hits = shop.walk([3, 7], texts=[{"text": "blue hat"}], hybrid="off")
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert len(hits) == PRODUCTS


def test_a_walk_goes_on_in_a_catalog_that_changes(feed: Path, tmp_path: Path, tiny_embedder: Embedder) -> None:
    """Half of the prices turn round, products come and go: nothing comes twice, and what stays comes once."""
    flags = {"data_dir": tmp_path / "data", "follow_s": 0.05}
    settings = load_settings(flags, environment={}).settings
    queries: list[dict[str, Any]] = [{}, {"sort": "price_asc"}, {"texts": [{"text": "blue hat"}]}]
    gone, new = {3, 11, 20}, 40
    for shop in opened(feed, settings, tiny_embedder):
        before = [shop.find(limit=12, **query) for query in queries]
        rows = [row(number) for number in range(PRODUCTS) if number not in gone]
        for made in rows[::2]:
            made["price"] = f"{99 - int(made['id'][1:])}.00 EUR"
        rows.append({**row(1), "id": f"p{new}", "image_link": "images/1-1.jpg"})
        changed = feed.parent / "changed.jsonl"
        write_feed(changed, rows)
        index(changed, settings, tiny_embedder)
        deadline_s = time.monotonic() + 30
        while shop.find(limit=1)["collection"] == before[0]["collection"]:
            assert time.monotonic() < deadline_s
        for query, first in zip(queries, before, strict=True):
            hits, cursor = list(first["hits"]), first["cursor"]
            while cursor:
                answer = shop.find(limit=7, cursor=cursor, **query)
                hits += answer["hits"]
                cursor = answer["cursor"]
            found = [hit["product_id"] for hit in hits]
            assert len(found) == len(set(found)), query
            if "sort" not in query:  # a price that falls below where the walk stands is behind it
                stay = {f"p{number}" for number in range(PRODUCTS) if number not in gone}
                assert stay <= set(found) <= stay | {f"p{number}" for number in {*gone, new}}


def test_a_cursor_belongs_to_its_query(shop: Shop) -> None:
    text = {"texts": [{"text": "red mug"}]}
    cursor = shop.find(limit=5, **text)["cursor"]
    assert shop.find(limit=50, cursor=cursor, explain=True, facets=["brand"], **text)["cursor"] is None
    shop.refused({"texts": [{"text": "blue mug"}], "cursor": cursor}, "cursor_invalid")
    shop.refused({**text, "cursor": cursor, "filter": {"field": "brand", "any_of": ["Acme"]}}, "cursor_invalid")
    shop.refused({**text, "cursor": cursor[:-4]}, "cursor_invalid")
    shop.refused({**text, "cursor": "A" + cursor[1:-1] + "z"}, "cursor_invalid")
    shop.refused({**text, "cursor": ""}, "cursor_invalid")
    shop.refused({"cursor": cursor}, "cursor_invalid")
    photo = {"photos": [{"data": base64.b64encode(shop.photo(1)).decode()}]}
    other = {"photos": [{"data": base64.b64encode(shop.photo(2)).decode()}]}
    cursor = shop.find(limit=5, **photo)["cursor"]
    shop.refused({**other, "cursor": cursor}, "cursor_invalid")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"texts": [{"text": "a", "weight": 0}]}, "texts.0.weight"),
        ({"texts": [{"text": "a", "weight": 11}]}, "texts.0.weight"),
        ({"texts": [{"text": "a"}] * 9}, "texts"),
        ({"photos": [{"data": "QUJD"}] * 5}, "photos"),
        ({"photos": [{}]}, "photos.0"),
        ({"photos": [{"data": "QUJD", "file": "file"}]}, "photos.0"),
        ({"photos": [{"data": "QUJD", "box": [0.1, 0.1, 0.4, 0.9], "region": "auto"}]}, "photos.0"),
        ({"photos": [{"data": "QUJD", "box": [0, 0, 2, 1]}]}, "photos.0.box.2"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"diversity": 1.5}, "diversity"),
        ({"sort": "cheapest"}, "sort"),
        ({"colour": "red"}, "colour"),
        ({"filter": {}}, "filter"),
        ({"filter": {"and": []}}, "filter.and"),
        ({"filter": {"field": "brand"}}, "filter"),
        ({"filter": {"field": "brand", "any_of": []}}, "filter.any_of"),
        ({"filter": {"field": "brand", "any_of": ["a"], "gte": 1}}, "filter"),
        ({"filter": {"and": [{"field": "brand", "any_of": ["a"]}], "or": []}}, "filter.or"),
        ({"filter": {"brand": "Acme"}}, "filter.brand"),
        ({"facets": ["a"] * 21}, "facets"),
        ([], ""),
    ],
)
def test_a_malformed_query_names_its_field(shop: Shop, query: Any, field: str) -> None:
    assert shop.refused(query, "request_invalid")["field"] == field


def test_no_json_no_form_and_numbers_that_are_none(shop: Shop) -> None:
    headers = {"content-type": "application/json"}
    for body in (b"", b"{", b"\xff", b'{"diversity": NaN}', b'{"texts": [{"text": "a", "weight": Infinity}]}'):
        response = shop.client.post("/v1/search", content=body, headers=headers)
        assert (response.status_code, response.json()["code"]) == (422, "request_invalid"), response.text
    for levels, code in ((20, "filter_invalid"), (150, "json_too_deep")):
        deep = b'{"filter": ' + b'{"not": ' * levels + b'{"field": "brand", "any_of": ["a"]}' + b"}" * (levels + 1)
        response = shop.client.post("/v1/search", content=deep, headers=headers)
        assert (response.status_code, response.json()["code"]) == (422, code), response.text
    response = shop.client.post("/v1/search", data={"other": "x"}, files={"file": b"x"})
    assert (response.status_code, response.json()["code"]) == (422, "query_not_possible")


def test_an_unknown_field_is_answered_with_the_known_ones(shop: Shop) -> None:
    detail = shop.refused({"filter": {"field": "colour", "any_of": ["red"]}}, "filter_field_unknown")["detail"]
    for known in ("brand", "category", "price_minor", "in_stock", "color"):
        assert known in detail
    shop.refused({"facets": ["colour"]}, "filter_field_unknown")
    shop.refused({"filter": {"field": "in_stock", "any_of": ["yes"]}}, "filter_invalid")
    shop.refused({"filter": {"field": "brand", "any_of": [5]}}, "filter_invalid")
    shop.refused({"filter": {"field": "brand", "gte": 5}}, "filter_invalid")
    shop.refused({"filter": {"field": "brand", "any_of": [["a", "b"]]}}, "filter_invalid")
    shop.refused({"filter": {"field": "updated_at", "gte": "yesterday"}}, "filter_invalid")
    many = {"or": [{"field": "brand", "any_of": ["a"]}] * 60}
    shop.refused({"filter": {"and": [many, many]}}, "filter_invalid")


def test_parts_that_are_not_there(shop: Shop) -> None:
    shop.refused({"products": [{"product_id": "nobody"}]}, "product_not_found", 404)
    shop.refused({"disliked": [{"product_id": "nobody"}]}, "product_not_found", 404)
    shop.refused({"products": [{"product_id": "p1", "position": 7}]}, "product_image_not_found", 404)
    shop.refused({"photos": [{"data": "!!"}]}, "query_not_possible")
    shop.refused({"photos": [{"data": "QUJD"}]}, "image_not_an_image", 415)
    shop.refused({"photos": [{"file": "file"}]}, "image_empty")
    shop.refused({"texts": [{"text": "  "}]}, "query_text_empty")
    shop.refused({"negative_texts": [{"text": "a" * 1001}]}, "query_text_too_long")
    half = shop.client.post(
        "/v1/search", content=b'{"texts": [{"text": "\\ud800"}]}', headers={"content-type": "application/json"}
    )
    assert half.status_code in {200, 422}


def test_openapi_describes_the_query(shop: Shop) -> None:
    document = shop.client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert {"FindQuery", "FilterNode", "PhotoPart", "FindResponse", "FoundProduct"} <= set(schemas)
    body = document["paths"]["/v1/search"]["post"]["requestBody"]["content"]
    assert body["application/json"]["schema"] == {"$ref": "#/components/schemas/FindQuery"}

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    assert {name.rpartition("/")[2] for name in references(document)} <= set(schemas)


def test_a_server_answers_alike(
    shop: Shop, feed: Path, qdrant_url: str, tmp_path: Path, tiny_embedder: Embedder
) -> None:
    flags = {"data_dir": tmp_path, "store": "qdrant", "qdrant_url": qdrant_url, "catalog": "test_find"}
    chosen = {"and": [{"field": "color", "any_of": ["red", "blue"]}, {"field": "price_minor", "gte": 250}]}
    queries: list[dict[str, Any]] = [
        {"texts": [{"text": "red thing 9"}], "filter": chosen, "facets": ["color", "brand", "category", "price"]},
        {"products": [{"product_id": "p4"}], "texts": [{"text": "in blue"}], "group_by": "item_group", "limit": 40},
        {"sort": "price_desc", "filter": chosen, "facets": ["color"], "limit": 30},
        {"texts": [{"text": "red mug"}], "sort": "newest", "collapse_duplicates": True, "limit": 40},
        {"liked": [{"product_id": "p4"}], "disliked": [{"product_id": "p8"}], "diversity": 0.4, "explain": True},
    ]
    settings = load_settings({**flags, "qdrant_prefer_grpc": False}, environment={}).settings
    try:
        for server in opened(feed, settings, tiny_embedder):
            for query in queries:
                assert alike(server.find(**query)) == alike(shop.find(**query)), query
            browsed = server.walk([7], filter=chosen)
            assert numbers(browsed) == numbers(shop.walk([9], filter=chosen))
    finally:
        remove_catalog(qdrant_url, "test_find")


def alike(answer: dict[str, Any]) -> Any:
    """What two stores must agree on: all but names of collections, times, and the last digits of scores."""

    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: rounded(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [rounded(inner) for inner in value]
        return round(value, 3) if isinstance(value, float) else value

    return rounded({name: answer[name] for name in answer if name not in {"collection", "timings_ms", "cursor"}})
