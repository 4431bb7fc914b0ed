"""A request that asks about many things at once is one request: alone on a server it is never refused for itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from indexer.embedding.port import Embedder
from tests.embedders import Slow
from tests.integration.conftest import Shop
from tests.integration.test_query_batches import api, serving
from tests.pictures import draw_catalog

LABELS = 30
QUERY_S = 0.02
"""About as slow as a model of real size."""


@contextmanager
def lone_shopper(tmp_path: Path, embedder: Embedder, open_shop: Callable[..., Shop]) -> Iterator[httpx.Client]:
    """Of an API that knows how long a query takes alone, as it was asked some."""
    drawn = draw_catalog(tmp_path / "catalog", products=30)
    open_shop().index(drawn.feed, batch=64)
    # two places: fewer than things asked about in one request
    with api(tmp_path, Slow(embedder, query_s=QUERY_S), query_queue=2) as client:
        for number in range(4):
            assert client.post("/v1/search/text", json={"text": f"mug {number}"}).status_code == 200
            photo = drawn.picture(number, 0).read_bytes()
            found = client.post("/v1/search/image", content=photo, headers={"content-type": "image/jpeg"})
            assert found.status_code == 200
        yield client
        status = serving(client)
        assert [status[lane]["refused"] for lane in ("images", "texts")] == [0, 0]
        assert [status[lane]["under_way"] for lane in ("images", "texts")] == [0, 0]


def test_labels_and_texts(tmp_path: Path, tiny_embedder: Embedder, open_shop: Callable[..., Shop]) -> None:
    with lone_shopper(tmp_path, tiny_embedder, open_shop) as client:
        photo = (tmp_path / "catalog").rglob("*.jpg").__next__().read_bytes()
        for turn in range(2):
            labels = ",".join(f"thing {turn} {number}" for number in range(LABELS))
            answer = client.post("/v1/classify", files={"file": photo}, data={"labels": labels})
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["labels"]) == LABELS
            texts = [f"words {turn} {number}" for number in range(LABELS)]
            answer = client.post("/v1/embed", json={"texts": texts})
            assert answer.status_code == 200, answer.text


def test_photos(tmp_path: Path, tiny_embedder: Embedder, open_shop: Callable[..., Shop]) -> None:
    with lone_shopper(tmp_path, tiny_embedder, open_shop) as client:
        photos = [path.read_bytes() for path in sorted((tmp_path / "catalog").rglob("*.jpg"))[4:20]]
        answer = client.post("/v1/embed", files=[("file", photo) for photo in photos])
        assert answer.status_code == 200, answer.text


def test_photo_and_words_for_which_the_catalogs_own_words_are_embedded(
    tmp_path: Path, tiny_embedder: Embedder, open_shop: Callable[..., Shop]
) -> None:
    with lone_shopper(tmp_path, tiny_embedder, open_shop) as client:
        photo = (tmp_path / "catalog").rglob("*.jpg").__next__().read_bytes()
        texts = [{"text": f"in colour {number}"} for number in range(3)]
        query = {"photos": [{"file": "a"}], "texts": texts, "negative_texts": [{"text": "broken"}]}
        answer = client.post("/v1/search", files={"a": photo}, data={"query": json.dumps(query)})
        assert answer.status_code == 200, answer.text


def test_objects_in_several_photos(tmp_path: Path, tiny_embedder: Embedder, open_shop: Callable[..., Shop]) -> None:
    with lone_shopper(tmp_path, tiny_embedder, open_shop) as client:
        photo = (tmp_path / "catalog").rglob("*.jpg").__next__().read_bytes()
        files = {name: photo + name.encode() for name in "abcd"}
        query = {"photos": [{"file": name, "region": "auto"} for name in files]}
        answer = client.post("/v1/search", files=files, data={"query": json.dumps(query)})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("boxes", [1, 5])
def test_parts_of_a_photo(tmp_path: Path, tiny_embedder: Embedder, open_shop: Callable[..., Shop], boxes: int) -> None:
    with lone_shopper(tmp_path, tiny_embedder, open_shop) as client:
        photo = (tmp_path / "catalog").rglob("*.jpg").__next__().read_bytes()
        for number in range(boxes):
            query = {
                "photos": [
                    {"file": "a", "box": [0.1, 0.1, 0.5 + number / 20, 0.9]},
                    {"file": "b", "region": "auto"},
                    {"file": "c"},
                ]
            }
            files = {"a": photo, "b": photo + b"1", "c": photo + b"2"}
            answer = client.post("/v1/search", files=files, data={"query": json.dumps(query)})
            assert answer.status_code == 200, answer.text
