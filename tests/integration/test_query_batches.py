"""Queries of many clients at once, over HTTP: each gets its own answer, and nobody pays for another."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from indexer.embedding.port import Embedder, Pixels
from indexer.errors import ModelFailed
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits
from indexer.points import Vectors
from indexer.settings import load_settings
from search_api.app import create_app
from tests.embedders import Slow, Wrapped
from tests.integration.conftest import Shop
from tests.pictures import DrawnCatalog, draw_catalog
from tests.processes import running_api
from tests.served import served, wait_for_status

PRODUCTS = 40
KEY = "secret"
TOLERANCE = 2e-4


@pytest.fixture
def catalog(tmp_path: Path, open_shop: Callable[..., Shop]) -> DrawnCatalog:
    drawn = draw_catalog(tmp_path / "catalog", products=PRODUCTS)
    open_shop().index(drawn.feed, batch=64)
    return drawn


@contextmanager
def api(tmp_path: Path, embedder: Embedder, **flags: Any) -> Iterator[httpx.Client]:
    """The API in this process, behind a socket, around an embedder of the test's own."""
    settings = load_settings({"data_dir": tmp_path / "data", "admin_key": KEY, **flags}, environment={}).settings
    with served(create_app(settings, load_embedder=lambda _: embedder)) as client:
        wait_for_status(client, "/readyz", 200)
        yield client


def serving(client: httpx.Client) -> dict[str, Any]:
    response = client.get("/v1/serving-status", headers={"X-API-Key": KEY})
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def by_image(client: httpx.Client, data: bytes) -> httpx.Response:
    return client.post("/v1/search/image", content=data, headers={"content-type": "image/jpeg"})


def by_text(client: httpx.Client, text: str) -> httpx.Response:
    return client.post("/v1/search/text", json={"text": text})


@dataclass(frozen=True, slots=True)
class Question:
    """A query and the cosines of its answer, by product in order of its number."""

    path: str
    body: dict[str, Any]
    expected: Vectors


def questions(catalog: DrawnCatalog, embedder: Embedder, texts: int) -> list[Question]:
    """Every picture of the catalog and so many texts, each embedded alone, without the API."""
    files = [catalog.picture(product, 0).read_bytes() for product in range(PRODUCTS)]
    products = np.concatenate([embedder.embed_images(_pixels(embedder, data)) for data in files])
    words = [f"mug {number} in {number % 7} colours" for number in range(texts)]
    asked = [
        Question("/v1/search/image", {"content": data, "headers": {"content-type": "image/jpeg"}}, products @ vector)
        for data, vector in zip(files, products, strict=True)
    ]
    asked += [
        Question("/v1/search/text", {"json": {"text": text, "limit": 100}}, products @ embedder.embed_texts([text])[0])
        for text in words
    ]
    return asked


def _pixels(embedder: Embedder, data: bytes) -> Pixels:
    image = decode_image(data, ImageLimits(), min_side_px=embedder.space.image_size_px).image
    return embedder.prepare_image(image)[None]


def ask_at_once(url: str, asked: Sequence[Question], *, clients: int) -> list[Vectors]:
    """The cosines of each answer by product, missing ones NaN; so many clients ask one question after the other."""
    got: dict[int, Vectors] = {}
    left = iter(enumerate(asked))

    async def work(client: httpx.AsyncClient) -> None:
        for number, question in left:
            got[number] = await _ask(client, question)

    async def run() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=120, trust_env=False) as client:
            await asyncio.gather(*(work(client) for _ in range(clients)))

    asyncio.run(run())
    return [got[number] for number in range(len(asked))]


async def _ask(client: httpx.AsyncClient, question: Question) -> Vectors:
    response = await client.post(question.path, params={"limit": 100}, **question.body)
    assert response.status_code == 200, response.text
    scores = np.full(PRODUCTS, np.nan, dtype=np.float32)
    for hit in response.json()["hits"]:
        scores[int(hit["product_id"].removeprefix("p"))] = hit["score"]
    return scores


def assert_each_got_its_own(asked: Sequence[Question], got: Sequence[Vectors]) -> None:
    np.testing.assert_allclose(np.stack(got), np.stack([question.expected for question in asked]), atol=TOLERANCE)


def mixed(catalog: DrawnCatalog, embedder: Embedder) -> list[Question]:
    """400 questions, photos and texts in any order, each photo five times."""
    once = questions(catalog, embedder, texts=200)
    # the test means something only if the answers to different questions differ by more than the tolerance
    expected = np.stack([question.expected for question in once])
    apart = np.abs(expected[:, None] - expected[None]).max(axis=2) + np.eye(len(expected))
    assert apart.min() > 3 * TOLERANCE
    photos, texts = once[:PRODUCTS], once[PRODUCTS:]
    return random.Random(3).sample(photos * 5 + texts, 400)


def test_hundreds_of_photos_and_texts_at_once_in_batches(
    tmp_path: Path, catalog: DrawnCatalog, tiny_embedder: Embedder
) -> None:
    # so slow that queries wait, and go together
    slow = Slow(tiny_embedder, pass_s=0.02)
    asked = mixed(catalog, tiny_embedder)
    with api(tmp_path, slow, query_cache_bytes=0, query_queue=100, query_slowdown=0, address_concurrency=0) as client:
        got = ask_at_once(str(client.base_url), asked, clients=64)
        figures = serving(client)
    assert_each_got_its_own(asked, got)
    for lane in ("images", "texts"):
        assert figures[lane]["answered"] > 2 * figures[lane]["passes"], figures
        assert (figures[lane]["under_way"], figures[lane]["failed"], figures[lane]["refused"]) == (0, 0, 0)
    assert figures["cache"]["entries"] == 0


def test_hundreds_of_photos_and_texts_at_once_of_a_real_process(
    tmp_path: Path, catalog: DrawnCatalog, tiny_embedder: Embedder, tiny_model: str
) -> None:
    asked = mixed(catalog, tiny_embedder)
    limits = ["--query-queue", "100", "--query-slowdown", "0", "--address-concurrency", "0"]
    with running_api(tmp_path / "data", "--model", tiny_model, *limits) as running:
        got = ask_at_once(running.url, asked, clients=64)
    assert_each_got_its_own(asked, got)


def test_one_poison_query_among_many_harms_only_itself(
    tmp_path: Path, catalog: DrawnCatalog, tiny_embedder: Embedder
) -> None:
    class Poisoned(Wrapped):
        go_on = threading.Event()

        def embed_texts(self, texts: Sequence[str]) -> Vectors:
            assert self.go_on.wait(30)
            vectors = super().embed_texts(texts)
            if any("poison" in text for text in texts):
                raise ModelFailed("It chokes on one of them.")
            vectors[[number for number, text in enumerate(texts) if "infinite" in text]] = np.inf
            return vectors

    poisoned = Poisoned(tiny_embedder)
    poisoned.go_on.set()
    with api(tmp_path, poisoned, query_slowdown=0) as client:
        poisoned.go_on.clear()
        texts = [*(f"mug {number}" for number in range(14)), "poison", "infinite"]
        answers: dict[str, httpx.Response] = {}
        threads = [
            threading.Thread(target=lambda text=text: answers.update({text: by_text(client, text)})) for text in texts
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: serving(client)["texts"]["under_way"] == 16)
        poisoned.go_on.set()
        for thread in threads:
            thread.join()
        failed = {text for text, response in answers.items() if response.status_code != 200}
        assert failed == {"poison", "infinite"}
        assert {answers[text].json()["code"] for text in failed} == {"model_failed"}
        assert client.get("/readyz").status_code == 200
        assert serving(client)["texts"]["failed"] == 2
        # an error is not remembered: it is tried again, and the model is the judge again
        assert by_text(client, "poison").status_code == 503
        assert serving(client)["texts"]["failed"] == 3


def test_a_repeated_query_is_answered_from_the_cache(
    tmp_path: Path, catalog: DrawnCatalog, tiny_embedder: Embedder
) -> None:
    class Counting(Wrapped):
        embedded = 0

        def embed_images(self, pixels: Pixels) -> Vectors:
            self.embedded += len(pixels)
            return super().embed_images(pixels)

        def embed_texts(self, texts: Sequence[str]) -> Vectors:
            self.embedded += len(texts)
            return super().embed_texts(texts)

    counting = Counting(tiny_embedder)
    data = catalog.picture(7).read_bytes()
    with api(tmp_path, counting) as client:
        before = counting.embedded
        photos = [by_image(client, data), client.post("/v1/search/image", files={"file": data}), by_image(client, data)]
        texts = [by_text(client, "red mug") for _ in range(3)]
        assert counting.embedded == before + 2
        for answers in (photos, texts):
            bodies = [answer.json() for answer in answers]
            sources = [body["timings_ms"].pop("embedding_source") for body in bodies]
            assert sources == ["model", "cache", "cache"]
            assert [body["hits"] for body in bodies] == [bodies[0]["hits"]] * 3
            assert [body["timings_ms"]["embed"] for body in bodies[1:]] == [0, 0]
        similar = client.get("/v1/products/p7/similar").json()
        assert similar["timings_ms"]["embedding_source"] == "index"
        cache = serving(client)["cache"]
        assert (cache["entries"], cache["hits"], cache["misses"], cache["hit_rate"]) == (2, 4, 2, 0.6667)
        # another picture by a byte is another picture, and errors are not remembered
        assert by_image(client, data + b"\0").json()["timings_ms"]["embedding_source"] == "model"
        for _ in range(2):
            assert by_image(client, data[:300]).status_code == 422
            assert by_text(client, "?!").status_code == 422
        assert serving(client)["cache"]["entries"] == 3


class Held(Wrapped):
    """Holds texts and photos back until they may go on."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder)
        self.go_on = threading.Event()
        self.go_on.set()
        self.inside = threading.Event()
        self.texts: list[str] = []

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.inside.set()
        assert self.go_on.wait(30)
        self.texts += texts
        return super().embed_texts(texts)


def wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_the_same_query_of_many_at_once_is_embedded_once(
    tmp_path: Path, catalog: DrawnCatalog, tiny_embedder: Embedder
) -> None:
    held = Held(tiny_embedder)
    with api(tmp_path, held, query_queue=1) as client:
        held.go_on.clear()
        answers: list[httpx.Response] = []
        threads = [threading.Thread(target=lambda: answers.append(by_text(client, "mug"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: serving(client)["shared"] == 7)
        held.go_on.set()
        for thread in threads:
            thread.join()
        assert held.texts.count("mug") == 1
        sources = sorted(answer.json()["timings_ms"]["embedding_source"] for answer in answers)
        assert sources == ["model", *["shared"] * 7]


def test_who_hangs_up_frees_its_place(tmp_path: Path, catalog: DrawnCatalog, tiny_embedder: Embedder) -> None:
    held = Held(tiny_embedder)
    with api(tmp_path, held, query_queue=3) as client:
        held.go_on.clear()
        held.inside.clear()
        connections = []
        for number in range(3):
            body = b'{"text": "left %d"}' % number
            connection = socket.create_connection(("127.0.0.1", urlsplit(str(client.base_url)).port or 0))
            head = b"POST /v1/search/text HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            connections.append(connection)
            wait_until(lambda: serving(client)["texts"]["under_way"] == len(connections))
            assert held.inside.wait(30)  # the first one is in the model, and the second waits behind it
        assert by_text(client, "too many").json()["code"] == "overloaded"
        for connection in connections[1:]:
            connection.close()
        wait_until(lambda: serving(client)["texts"]["under_way"] == 1)
        answers: list[httpx.Response] = []
        threads = [
            threading.Thread(target=lambda text=text: answers.append(by_text(client, text))) for text in ("a b", "c d")
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: serving(client)["texts"]["under_way"] == 3)
        held.go_on.set()
        for thread in threads:
            thread.join()
        connections[0].close()
        assert [answer.status_code for answer in answers] == [200, 200]
        assert [text for text in held.texts if text.startswith("left")] == ["left 0"]
