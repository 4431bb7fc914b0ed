"""The object in the photo, with the demo model: found, cropped, labelled, searched for; over HTTP and as measured."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from indexer.demo.assortment import Article, assortment
from indexer.demo.measure_regions import Question, Shelf, questions_of, shop_pictures
from indexer.embedding.choice import DEMO_MODEL, ModelChoice
from indexer.embedding.load import load_embedder
from indexer.embedding.patches import PatchTower
from indexer.embedding.port import Embedder
from indexer.errors import PatchesUnavailable
from indexer.regions.box import Box
from search_api.app import create_app
from search_api.heat_maps import packed, unpacked
from tests.embedders import Wrapped
from tests.integration.test_api import index, problem, settings_for
from tests.pictures import encoded, write_feed
from tests.served import served, wait_for_status

SEED, PRODUCTS = 978, 64
LABELS = "mug, bag, shoe, lamp, chair, hat, umbrella, watch"


@dataclass(frozen=True)
class Shop:
    """Products, their pictures and the questions about them."""

    articles: list[Article]
    pictures: list[Image.Image]
    busy: list[Question]
    clean: list[Question]


@pytest.fixture(scope="module")
def shop() -> Shop:
    articles = assortment(PRODUCTS, SEED)
    return Shop(
        articles,
        shop_pictures(articles, SEED, 128),
        questions_of(articles, 12, SEED, "drawn", None),
        questions_of(articles, 5, SEED, "clean", None),
    )


@pytest.fixture(scope="module")
def demo() -> Embedder:
    return load_embedder(ModelChoice(model=DEMO_MODEL, device="cpu", threads=1))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, shop: Shop, demo: Embedder) -> Path:
    folder = tmp_path_factory.mktemp("regions")
    rows: list[dict[str, object]] = []
    for article, picture in zip(shop.articles, shop.pictures, strict=True):
        picture.save(folder / f"{article.product_id}.jpg", quality=90)
        title = f"{article.look.colour} {article.look.product_type}"
        rows.append({"id": article.product_id, "title": title, "image_link": f"{article.product_id}.jpg"})
    write_feed(folder / "feed.jsonl", rows)
    index(folder / "feed.jsonl", folder / "data", demo)
    return folder / "data"


@pytest.fixture(scope="module")
def client(data_dir: Path, demo: Embedder) -> Iterator[httpx.Client]:
    settings = settings_for(data_dir, region_labels=LABELS)
    with served(create_app(settings, load_embedder=lambda _: demo)) as opened:
        wait_for_status(opened, "/readyz", 200)
        yield opened


def found(client: httpx.Client, picture: Image.Image, **query: Any) -> dict[str, Any]:
    response = client.post("/v1/regions", files={"file": encoded(picture)}, params=query)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_auto_finds_products_that_the_whole_photo_does_not(shop: Shop, demo: Embedder) -> None:
    """The figures of ``docs/relevance.md`` on fewer products: a floor, well below what was measured."""
    shelf = Shelf(demo, shop.pictures)
    busy = shelf.ask(shop.busy)
    assert busy.auto >= busy.whole + 0.15
    assert busy.auto >= 0.7
    assert (busy.any_box or 0) >= 0.4
    clean = shelf.ask(shop.clean)
    assert clean.auto >= clean.whole - 0.01
    assert clean.whole >= 0.9


def test_regions_are_boxes_with_crops_and_labels(client: httpx.Client, shop: Shop) -> None:
    overlaps, labels = [], set()
    for question in shop.busy[:4]:
        assert question.box is not None
        answer = found(client, question.photo)
        assert answer["method"] == "patches"
        assert answer["note"] == ""
        assert 1 <= len(answer["regions"]) <= 5
        assert [region["score"] for region in answer["regions"]] == sorted(
            (region["score"] for region in answer["regions"]), reverse=True
        )
        overlaps.append(max(Box(*region["box"]).overlap(question.box) for region in answer["regions"]))
        labels |= {region["label"] for region in answer["regions"]}
        crop = answer["regions"][0]["crop_url"]
        with Image.open(io.BytesIO(base64.b64decode(crop.removeprefix("data:image/jpeg;base64,")))) as picture:
            assert max(picture.size) <= 160
    assert np.mean(overlaps) > 0.4
    assert labels - {None}
    assert labels <= {*LABELS.split(", "), None}


def test_crops_may_be_left_out(client: httpx.Client, shop: Shop) -> None:
    answer = found(client, shop.busy[0].photo, crops="false")
    assert {region["crop_url"] for region in answer["regions"]} == {None}


def test_a_photo_of_nothing_has_no_regions_and_says_so(client: httpx.Client) -> None:
    answer = found(client, Image.new("RGB", (320, 200), (240, 240, 240)))
    assert answer["regions"] == []
    assert "Nothing stands out" in answer["note"]


def test_small_and_long_photos_are_no_trouble(client: httpx.Client, shop: Shop) -> None:
    photo = shop.busy[0].photo
    for size in ((9, 9), (40, 30), (2000, 40)):
        for region in found(client, photo.resize(size))["regions"]:
            left, top, right, bottom = region["box"]
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1


def test_what_is_no_picture_is_refused(client: httpx.Client) -> None:
    problem(client.post("/v1/regions", files={"file": b"no picture"}), 415, "image_not_an_image")
    problem(client.post("/v1/regions", content=b"", headers={"content-type": "image/jpeg"}), 422, "image_empty")


class _Blind(Wrapped):
    """A model whose tower gives no patches."""

    def open_patches(self) -> PatchTower:
        raise PatchesUnavailable("The image tower of this model gives no vectors of patches.")


def test_a_tower_without_patches_is_told_and_the_whole_photo_remains(
    data_dir: Path, demo: Embedder, shop: Shop
) -> None:
    with served(create_app(settings_for(data_dir), load_embedder=lambda _: _Blind(demo))) as client:
        wait_for_status(client, "/readyz", 200)
        answer = found(client, shop.busy[0].photo)
        assert (answer["regions"], answer["method"]) == ([], "none")
        assert "gives no vectors of patches" in answer["note"]


def test_a_detector_that_is_not_there_is_a_clear_error(
    data_dir: Path, demo: Embedder, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(data_dir, region_detector="ssdlite320_mobilenet_v3_large:nowhere.pth")
    with served(create_app(settings, load_embedder=lambda _: demo)) as client:
        wait_for_status(client, "/readyz", 200)
        answer = client.post("/v1/regions", files={"file": encoded(shop.busy[0].photo)})
        assert "nowhere.pth" not in problem(answer, 500, "configuration_invalid")["detail"]
        assert "nowhere.pth" in caplog.text
        assert client.get("/readyz").status_code == 200


def searched(client: httpx.Client, photo: Image.Image, **part: Any) -> dict[str, Any]:
    query = {"photos": [{"file": "file", **part}], "limit": 3, "explain": True}
    response = client.post("/v1/search", data={"query": json.dumps(query)}, files={"file": encoded(photo)})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_search_takes_the_object_and_says_what_won(client: httpx.Client, shop: Shop) -> None:
    right = []
    for question in shop.busy[:6]:
        assert question.box is not None
        wanted = shop.articles[question.product].product_id
        by_box = searched(client, question.photo, box=question.box.to_list())
        assert by_box["regions"][0]["won"] == "crop"
        assert by_box["hits"][0]["product_id"] == wanted
        auto = searched(client, question.photo, region="auto")
        region = auto["regions"][0]
        assert (region["won"] == "crop") == (region["box"] is not None)
        assert bool(region["note"]) == (region["won"] == "whole")
        right.append(auto["hits"][0]["product_id"] == wanted)
    assert sum(right) >= 5


def test_a_clean_picture_is_found_whole(client: httpx.Client, shop: Shop) -> None:
    answer = searched(client, shop.pictures[7], region="auto")
    assert answer["hits"][0]["product_id"] == shop.articles[7].product_id
    assert answer["regions"] == [{"photo": 0, "won": "whole", "box": None, "note": answer["regions"][0]["note"]}]
    assert "as near to the catalog" in answer["regions"][0]["note"]
    blank = searched(client, Image.new("RGB", (200, 200), "white"), region="auto")
    assert "Nothing stands out" in blank["regions"][0]["note"]


@pytest.mark.parametrize(
    "box", [[0.5, 0.5, 0.5, 0.9], [0.6, 0.2, 0.4, 0.8], [0, 0, 1, 1.5], [-1, 0, 1, 1], [0.1, 0.1, 0.105, 0.9]]
)
def test_a_box_that_cannot_be_is_refused(client: httpx.Client, shop: Shop, box: list[float]) -> None:
    query = {"photos": [{"file": "file", "box": box}]}
    photo = encoded(shop.busy[0].photo)
    response = client.post("/v1/search", data={"query": json.dumps(query)}, files={"file": photo})
    assert response.status_code == 422, response.text
    assert response.json()["code"] in {"box_invalid", "request_invalid"}


def test_a_box_with_hardly_any_pixels_is_refused(client: httpx.Client, shop: Shop) -> None:
    query = {"photos": [{"file": "file", "box": [0.1, 0.1, 0.13, 0.9]}]}
    photo = encoded(shop.busy[0].photo.resize((200, 200)))
    response = client.post("/v1/search", data={"query": json.dumps(query)}, files={"file": photo})
    assert "pixels of the photo" in problem(response, 422, "box_invalid")["detail"]


def heat_of(png: bytes) -> NDArray[np.float32]:
    """How hot each pixel is, 0 to 1, of a map no larger than it should be."""
    assert len(png) < 20_000
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        assert picture.size == (128, 128)
        return np.asarray(np.asarray(picture.convert("RGBA"))[..., 3] / 255, dtype=np.float32)


def test_the_heat_of_a_photo_is_where_the_product_is(client: httpx.Client, shop: Shop) -> None:
    shares, areas = [], []
    for question in shop.busy[:6]:
        assert question.box is not None
        path = f"/v1/products/{shop.articles[question.product].product_id}/images/0/heat"
        response = client.post(path, files={"file": encoded(question.photo)})
        assert response.status_code == 200, response.text
        heat = heat_of(response.content)
        middle = np.arange(128) / 128 + 1 / 256
        inside = ((middle > question.box.top) & (middle < question.box.bottom))[:, None] & (
            (middle > question.box.left) & (middle < question.box.right)
        )
        assert heat.max() > 0.5
        shares.append(heat[inside].sum() / heat.sum())
        areas.append(inside.mean())
    assert np.mean(shares) > 0.55
    assert np.mean(areas) < 0.3


def test_the_heat_of_the_matched_picture_has_an_address_that_needs_no_memory(
    client: httpx.Client, shop: Shop, data_dir: Path, demo: Embedder
) -> None:
    hit = searched(client, shop.busy[1].photo, region="auto")["hits"][0]
    url = hit["explanation"]["heat_map_url"]
    assert url.startswith(f"/v1/products/{hit['product_id']}/images/0/heat?toward=")
    response = client.get(url)
    assert heat_of(response.content).max() > 0.5
    assert client.get(url, headers={"if-none-match": response.headers["etag"]}).status_code == 304
    with served(create_app(settings_for(data_dir), load_embedder=lambda _: demo)) as other:
        wait_for_status(other, "/readyz", 200)
        assert other.get(url).content == response.content


def test_heat_of_nothing_is_refused(client: httpx.Client, shop: Shop) -> None:
    known = f"/v1/products/{shop.articles[0].product_id}/images"
    toward = packed(np.ones(256, dtype=np.float32))
    assert client.get(f"{known}/0/heat", params={"toward": toward}).status_code == 200
    for wrong in ("", "!!", packed(np.ones(255, dtype=np.float32)), packed(np.zeros(256, dtype=np.float32))):
        problem(client.get(f"{known}/0/heat", params={"toward": wrong}), 422, "request_invalid")
    problem(client.get(f"{known}/5/heat", params={"toward": toward}), 404, "product_image_not_found")
    problem(client.post("/v1/products/nobody/images/0/heat", files={"file": b"x"}), 404, "product_not_found")
    problem(client.post(f"{known}/0/heat", files={"file": b"no picture"}), 415, "image_not_an_image")


def test_packing_keeps_a_vectors_direction() -> None:
    vectors = np.random.default_rng(2).standard_normal((50, 256)).astype(np.float32)
    for vector in vectors / np.linalg.norm(vectors, axis=1, keepdims=True):
        again = unpacked(packed(vector), 256)
        assert again is not None
        assert float(again @ vector) > 0.999
