"""The search API over HTTP: what it finds, what it says when it cannot, and that nothing makes it fall over."""

from __future__ import annotations

import io
import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from indexer.embedding.port import Embedder
from indexer.errors import ModelFailed, ModelWeightsMissing
from indexer.images.decoder import InProcessDecoder
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.limits import ImageLimits
from indexer.images.source import ImagesByReference, LocalImages
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.run import IndexOptions, index_feed
from indexer.ledger.sqlite import SqliteLedger
from indexer.points import Vectors
from indexer.settings import Settings, load_settings
from indexer.spaces import EmbeddingSpace
from indexer.store.edge_store import EdgeStore
from indexer.telemetry.logs import OfWork
from search_api.app import create_app
from search_api.security_headers import HEADERS
from tests.embedders import Wrapped
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, drawn_picture, encoded, write_feed
from tests.served import served, wait_for_status

ODD_ID = "a/b ü?#&similar"


def index(feed: Path, data_dir: Path, embedder: Embedder, *, full: bool = False) -> None:
    limits = ImageLimits()
    settings = settings_for(data_dir)
    ledger = SqliteLedger(data_dir / "ledger.sqlite3")
    store = EdgeStore(data_dir / "store", settings.index_tuning(), follow_s=0)
    source = ImagesByReference(LocalImages(limits), RemoteImages(limits, DownloadLimits()))
    with IndexPipeline(embedder, source, InProcessDecoder(limits), image_threads=2) as pipeline:
        parts = IndexParts(embedder, store, ledger, pipeline, settings.catalog)
        index_feed(feed, IndexOptions(full=full), InlineDispatcher(parts))
    ledger.close()
    store.close()


def settings_for(data_dir: Path, **flags: Any) -> Settings:
    return load_settings({"data_dir": data_dir, "follow_s": 0.05, **flags}, environment={}).settings


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> DrawnCatalog:
    drawn = draw_catalog(tmp_path_factory.mktemp("shop") / "catalog", products=30, pictures=2)
    odd = catalog_row(0, ["images/p3-0.jpg"]) | {"id": ODD_ID, "description": "odd", "color": "red"}
    with drawn.feed.open("a", encoding="utf-8") as file:
        write_feed(drawn.folder / "odd.jsonl", [odd])
        file.write((drawn.folder / "odd.jsonl").read_text("utf-8"))
    return drawn


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, catalog: DrawnCatalog, tiny_embedder: Embedder) -> Path:
    folder = tmp_path_factory.mktemp("data")
    index(catalog.feed, folder, tiny_embedder)
    return folder


@pytest.fixture(scope="module")
def client(data_dir: Path, tiny_embedder: Embedder) -> Iterator[httpx.Client]:
    settings = settings_for(data_dir, image_max_bytes=300_000)
    with served(create_app(settings, load_embedder=lambda _: tiny_embedder)) as opened:
        wait_for_status(opened, "/readyz", 200)
        yield opened


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    assert "Traceback" not in response.text
    return body


def by_text(client: httpx.Client, text: str, **more: Any) -> httpx.Response:
    return client.post("/v1/search/text", json={"text": text, **more})


def by_image(client: httpx.Client, data: bytes, media_type: str = "image/jpeg", **query: Any) -> httpx.Response:
    return client.post("/v1/search/image", content=data, headers={"content-type": media_type}, params=query)


def test_a_photo_finds_its_product_either_way(client: httpx.Client, catalog: DrawnCatalog) -> None:
    data = catalog.picture(7, 1).read_bytes()
    raw = by_image(client, data, limit=5).json()
    form = client.post("/v1/search/image?limit=5", files={"file": ("photo.jpg", data, "image/jpeg")}).json()
    assert raw["hits"] == form["hits"]
    assert len(raw["hits"]) == 5
    best = raw["hits"][0]
    assert best == {
        "product_id": "p7",
        "score": best["score"],
        "title": "Product 7",
        "price_minor": 850,
        "currency": "EUR",
        "brand": "Acme",
        "category": ["Home", "Things"],
        "link": "",
        "image": {"url": "/v1/products/p7/images/1", "position": 1},
    }
    assert best["score"] > 0.99
    assert set(raw) == {"hits", "space_id", "collection", "timings_ms"}
    assert set(raw["timings_ms"]) == {"decode", "embed", "search", "total", "embedding_source"}
    assert all(raw["timings_ms"][stage] >= 0 for stage in ("decode", "embed", "search", "total"))
    assert raw["collection"].startswith(f"products--{raw['space_id']}--")


def test_a_text_finds_products_once_each(client: httpx.Client) -> None:
    answer = by_text(client, "red mug", limit=100).json()
    ids = [hit["product_id"] for hit in answer["hits"]]
    assert len(ids) == len(set(ids)) == 31
    scores = [hit["score"] for hit in answer["hits"]]
    assert scores == sorted(scores, reverse=True)


def test_pages_join(client: httpx.Client) -> None:
    whole = [hit["product_id"] for hit in by_text(client, "blue bag", limit=31).json()["hits"]]
    pages = [
        hit["product_id"]
        for offset in range(0, 40, 8)
        for hit in by_text(client, "blue bag", limit=8, offset=offset).json()["hits"]
    ]
    assert pages == whole
    assert by_text(client, "blue bag", offset=1000).json()["hits"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": 5}, "text"),
        ({"text": "a", "limit": 0}, "limit"),
        ({"text": "a", "limit": 101}, "limit"),
        ({"text": "a", "limit": "many"}, "limit"),
        ({"text": "a", "offset": -1}, "offset"),
        ({"text": "a", "offset": 1001}, "offset"),
        ({"text": "a", "colour": "red"}, "colour"),
    ],
)
def test_an_invalid_request_names_its_field(client: httpx.Client, body: dict[str, Any], field: str) -> None:
    assert problem(client.post("/v1/search/text", json=body), 422, "request_invalid")["field"] == field


def test_an_invalid_query_names_its_field(client: httpx.Client, catalog: DrawnCatalog) -> None:
    response = by_image(client, catalog.picture(1).read_bytes(), limit=1000)
    assert problem(response, 422, "request_invalid")["field"] == "limit"


def test_bodies_that_are_no_json(client: httpx.Client) -> None:
    for content in (b"{", b"", b"[]", b"\xff\xfe"):
        response = client.post("/v1/search/text", content=content, headers={"content-type": "application/json"})
        assert response.status_code == 422, (content, response.text)


@pytest.mark.parametrize("text", ["", "   ", "?!", "\u200b\u200b..."])
def test_an_empty_text(client: httpx.Client, text: str) -> None:
    response = by_text(client, text)
    assert response.status_code in {200, 422}
    if text.strip(" ?!.") == "":
        problem(response, 422, "query_text_empty")


def test_half_a_surrogate_pair_is_no_server_error(client: httpx.Client) -> None:
    for body in (b'{"text": "\\ud800"}', b'{"text": "mug \\udfff"}', b'{"text": "\\u0000"}'):
        response = client.post("/v1/search/text", content=body, headers={"content-type": "application/json"})
        assert response.status_code in {200, 422}, response.text


def test_an_endless_text(client: httpx.Client) -> None:
    problem(by_text(client, "a" * 1001), 422, "query_text_too_long")
    assert by_text(client, "mug " * 250).status_code == 200


def test_pictures_that_are_none(client: httpx.Client, catalog: DrawnCatalog) -> None:
    data = catalog.picture(1).read_bytes()
    problem(by_image(client, b"hello"), 415, "image_not_an_image")
    problem(by_image(client, data, "text/plain"), 415, "image_not_an_image")
    problem(by_image(client, data[:400]), 422, "image_damaged")
    problem(by_image(client, b""), 422, "image_empty")
    problem(client.post("/v1/search/image", data={"other": "x"}, files={"wrong": b"x"}), 422, "image_empty")
    problem(client.post("/v1/search/image"), 415, "image_not_an_image")
    big = encoded(Image.new("1", (9000, 9000)), "PNG")
    problem(by_image(client, big, "image/png"), 413, "image_too_many_pixels")


def test_too_large_an_upload_is_refused_before_it_is_read(client: httpx.Client) -> None:
    problem(by_image(client, b"x" * 400_000), 413, "image_too_large")
    problem(client.post("/v1/search/image", files={"file": b"x" * 330_000}), 413, "image_too_large")

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 10_000

    # without a length the body is counted while it comes; the server answers and hangs up on who goes on sending
    try:
        response = client.post("/v1/search/image", content=endless(), headers={"content-type": "image/jpeg"})
    except httpx.TransportError:
        pass
    else:
        problem(response, 413, "image_too_large")
    assert client.get("/healthz").status_code == 200


def test_a_broken_form(client: httpx.Client) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    for body in (b"--x\r\nnonsense", b"", b"--x--"):
        assert client.post("/v1/search/image", content=body, headers=headers).status_code in {400, 422}
    headers = {"content-type": "multipart/form-data"}
    assert client.post("/v1/search/image", content=b"x", headers=headers).status_code in {400, 422}


def test_products_by_id(client: httpx.Client) -> None:
    product = client.get("/v1/products/p3").json()
    assert product["title"] == "Product 3"
    assert product["in_stock"] is False
    assert [image["position"] for image in product["images"]] == [0, 1]
    assert (product["images"][0]["width_px"], product["images"][0]["height_px"]) == (96, 80)
    problem(client.get("/v1/products/none"), 404, "product_not_found")
    problem(client.get("/v1/products/none/similar"), 404, "product_not_found")


def test_odd_ids_work_everywhere(client: httpx.Client) -> None:
    path = "/v1/products/a%2Fb%20%C3%BC%3F%23%26similar"
    product = client.get(path).json()
    assert (product["product_id"], product["attributes"]["color"]) == (ODD_ID, "red")
    assert product["images"][0]["url"] == f"{path}/images/0"
    assert client.get(product["images"][0]["url"]).status_code == 200
    assert client.get(f"{path}/similar").json()["hits"][0]["product_id"] == "p3"


def test_similar_products_leave_out_the_product(client: httpx.Client) -> None:
    answer = client.get("/v1/products/p3/similar?limit=100").json()
    ids = [hit["product_id"] for hit in answer["hits"]]
    assert ids[0] == ODD_ID  # the same picture
    assert "p3" not in ids
    assert len(ids) == 30


def test_pictures_of_products(client: httpx.Client, catalog: DrawnCatalog) -> None:
    full = client.get("/v1/products/p4/images/1")
    assert full.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(full.content)).size == (96, 80)
    small = client.get("/v1/products/p4/images/1?size=thumbnail")
    again = client.get("/v1/products/p4/images/1?size=thumbnail", headers={"if-none-match": small.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert full.headers["etag"] != small.headers["etag"]
    problem(client.get("/v1/products/p4/images/9"), 404, "product_image_not_found")
    problem(client.get("/v1/products/none/images/0"), 404, "product_not_found")
    problem(client.get("/v1/products/p4/images/0?size=huge"), 422, "request_invalid")
    data = catalog.picture(4, 0).read_bytes()
    try:
        catalog.picture(4, 0).write_bytes(encoded(drawn_picture(4444)))
        problem(client.get("/v1/products/p4/images/0"), 404, "product_image_not_found")
        catalog.picture(4, 0).unlink()
        problem(client.get("/v1/products/p4/images/0"), 404, "product_image_not_found")
    finally:
        catalog.picture(4, 0).write_bytes(data)


@pytest.mark.parametrize(
    "path", ["/v1/products/p4/images/..%2F..%2Ffeed.jsonl", "/v1/products/p4/images/-1", "/page/..%2Fapp.py"]
)
def test_paths_lead_nowhere_else(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code in {404, 422}


def test_unknown_routes_and_methods_are_problems(client: httpx.Client) -> None:
    problem(client.get("/v2/search"), 404, "route_not_found")
    problem(client.delete("/v1/search/text"), 405, "method_not_allowed")


def test_openapi_describes_what_is_there(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/search",
        "/v1/search/image",
        "/v1/search/text",
        "/v1/duplicates",
        "/v1/regions",
        "/v1/classify",
        "/v1/embed",
        "/v1/products/{product_id}/images/{position}",
        "/v1/products/{product_id}/images/{position}/heat",
        "/v1/products/{product_id}/similar",
        "/v1/products/{product_id}",
        "/v1/index-runs",
        "/v1/index-runs/{run_id}",
        "/v1/index-runs/{run_id}/failures",
        "/v1/index-runs/{run_id}/retry",
        "/v1/index-status",
        "/v1/serving-status",
        "/v1/session",
        "/healthz",
        "/readyz",
    }
    image = document["paths"]["/v1/search/image"]["post"]
    assert set(image["requestBody"]["content"]) == {"multipart/form-data", "image/*"}
    assert {"200", "409", "413", "415", "422", "503"} <= set(image["responses"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/page/page.js", 200),
        ("/page/nothing.js", 404),
        ("/openapi.json", 200),
        ("/docs", 404),
        ("/healthz", 200),
        ("/v1/products/p3", 200),
        ("/v1/products/p3/images/0", 200),
        ("/v1/products/p3/images/9", 404),
        ("/v1/index-runs", 403),
        ("/v1/search", 405),
    ],
)
def test_every_answer_has_each_security_header_once(client: httpx.Client, path: str, status: int) -> None:
    response = client.get(path)
    assert response.status_code == status
    check_security_headers(response)


def test_answers_of_middlewares_have_the_security_headers(data_dir: Path, tiny_embedder: Embedder) -> None:
    app = create_app(settings_for(data_dir, image_max_bytes=300_000), load_embedder=lambda _: tiny_embedder)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("inside")

    with served(app) as client:
        for response in (client.get("/broken"), by_image(client, b"x" * 400_000, "image/jpeg")):
            assert response.status_code in {500, 413}
            check_security_headers(response)


def check_security_headers(response: httpx.Response) -> None:
    assert {name: response.headers.get_list(name) for name in HEADERS} == {name: [HEADERS[name]] for name in HEADERS}


@pytest.mark.parametrize("given", ["r-17", "a" * 64, "0af7651916cd43dd8448eb211c80319c", "Root=1-67891233-abcdef"])
def test_a_sane_request_id_is_kept(client: httpx.Client, given: str) -> None:
    for path in ("/healthz", "/", "/v1/products/nothing"):
        assert client.get(path, headers={"X-Request-ID": given}).headers.get_list("x-request-id") == [given]
    response = client.get("/v1/products/nothing", headers={"X-Request-ID": given})
    assert problem(response, 404, "product_not_found")["request_id"] == given


@pytest.mark.parametrize("given", [None, b"", b"a" * 65, b"two words", b"caf\xe9", b'x"y', b"a\tb", b"<b>", b"x,y"])
def test_other_request_ids_are_replaced_by_one_made_here(client: httpx.Client, given: bytes | None) -> None:
    headers = {} if given is None else {b"X-Request-ID": given}
    made = [client.get("/v1/products/nothing", headers=headers) for _ in range(2)]
    ids = [problem(response, 404, "product_not_found")["request_id"] for response in made]
    assert ids == [response.headers["x-request-id"] for response in made]
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in ids)
    assert ids[0] != ids[1]


def test_what_is_logged_for_a_request_ends_with_its_id(data_dir: Path, tiny_embedder: Embedder) -> None:
    app = create_app(settings_for(data_dir, image_max_bytes=300_000), load_embedder=lambda _: tiny_embedder)
    inside = logging.getLogger("tests.inside")

    @app.get("/broken")
    def broken() -> None:  # runs in a thread
        inside.warning("halfway")
        raise RuntimeError("inside")

    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.addFilter(OfWork())
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s%(of_work)s"))
    logging.getLogger().addHandler(handler)
    try:
        with served(app) as client:
            response = client.get("/broken", headers={"X-Request-ID": "r-18"})
            too_large = by_image(client, b"x" * 400_000, "image/jpeg")
        inside.warning("after")
    finally:
        logging.getLogger().removeHandler(handler)
    assert problem(response, 500, "internal_error")["request_id"] == "r-18"
    assert problem(too_large, 413, "image_too_large")["request_id"] == too_large.headers["x-request-id"]
    logged = lines.getvalue().splitlines()
    assert "tests.inside: halfway [r-18]" in logged
    assert "search_api.problems: GET /broken failed [r-18]" in logged
    assert logged[-1] == "tests.inside: after"


def test_the_policy_lets_nothing_in_but_this_origins_files_and_pictures() -> None:
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))
    assert policy.pop("default-src") == "'none'"
    assert {policy.pop(name) for name in ("form-action", "base-uri", "frame-ancestors")} == {"'none'"}
    assert policy.pop("img-src") == "'self' blob: data: https: http:"
    assert policy == dict.fromkeys(("script-src", "style-src", "connect-src"), "'self'")


def test_hostile_files_make_no_server_error(client: httpx.Client, shared_data: Path) -> None:
    statuses: dict[int, int] = {}
    for path in sorted((shared_data / "hostile").rglob("*")):
        if path.is_file():
            response = by_image(client, path.read_bytes(), "application/octet-stream")
            statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
    assert set(statuses) == {200, 413, 415, 422}
    assert client.get("/readyz").status_code == 200


def test_another_models_space_is_a_conflict(data_dir: Path, tiny_embedder: Embedder) -> None:
    class Other(Wrapped):
        @property
        def space(self) -> EmbeddingSpace:
            return replace(self.embedder.space, weights_fingerprint="of another model")

    with served(create_app(settings_for(data_dir), load_embedder=lambda _: Other(tiny_embedder))) as client:
        body = problem(wait_for_status(client, "/readyz", 409), 409, "space_mismatch")
        assert tiny_embedder.space.space_id in body["detail"]
        problem(by_text(client, "mug"), 409, "space_mismatch")


def test_before_the_first_index_run_it_is_not_ready_and_then_it_is(
    tmp_path: Path, catalog: DrawnCatalog, tiny_embedder: Embedder
) -> None:
    with served(create_app(settings_for(tmp_path), load_embedder=lambda _: tiny_embedder)) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        response = wait_for_status(client, "/readyz", 503)
        while response.json()["code"] == "model_loading":
            response = client.get("/readyz")
        problem(response, 503, "collection_not_found")
        assert int(response.headers["retry-after"]) >= 1
        problem(by_text(client, "mug"), 503, "collection_not_found")
        index(catalog.feed, tmp_path, tiny_embedder)
        wait_for_status(client, "/readyz", 200)
        first = by_text(client, "mug").json()["collection"]
        write_feed(catalog.folder / "less.jsonl", [catalog_row(1, ["images/p1-0.jpg"])])
        index(catalog.folder / "less.jsonl", tmp_path, tiny_embedder, full=True)
        deadline_s = time.monotonic() + 20
        while (answer := by_text(client, "mug").json())["collection"] == first:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        assert [hit["product_id"] for hit in answer["hits"]] == ["p1"]


def test_while_the_model_loads_the_process_is_healthy_but_not_ready(data_dir: Path, tiny_embedder: Embedder) -> None:
    may_load = threading.Event()

    def load(_: Settings) -> Embedder:
        may_load.wait(30)
        return tiny_embedder

    with served(create_app(settings_for(data_dir), load_embedder=load)) as client:
        assert client.get("/healthz").status_code == 200
        problem(client.get("/readyz"), 503, "model_loading")
        problem(by_text(client, "mug"), 503, "model_loading")
        may_load.set()
        wait_for_status(client, "/readyz", 200)


def test_a_model_that_cannot_be_loaded_says_why(data_dir: Path) -> None:
    told: list[BaseException] = []

    def load(_: Settings) -> Embedder:
        raise ModelWeightsMissing("There are no weights.", "Get some.")

    with served(create_app(settings_for(data_dir), load_embedder=load, on_load_failure=told.append)) as client:
        response = client.get("/readyz")
        while response.json()["code"] == "model_loading":
            response = client.get("/readyz")
        problem(response, 503, "model_weights_missing")
    assert len(told) == 1


def test_a_failing_model_turns_readiness_off_and_a_mended_one_on(data_dir: Path, tiny_embedder: Embedder) -> None:
    class Moody(Wrapped):
        broken = False

        def embed_texts(self, texts: Sequence[str]) -> Vectors:
            if self.broken:
                raise ModelFailed("The model gave numbers that are not finite.")
            return super().embed_texts(texts)

    moody = Moody(tiny_embedder)
    with served(create_app(settings_for(data_dir), load_embedder=lambda _: moody)) as client:
        wait_for_status(client, "/readyz", 200)
        moody.broken = True
        problem(by_text(client, "mug"), 503, "model_failed")
        problem(client.get("/readyz"), 503, "model_failed")
        assert client.get("/healthz").status_code == 200
        moody.broken = False
        wait_for_status(client, "/readyz", 200)
        assert by_text(client, "mug").status_code == 200


def test_more_queries_than_the_queue_holds_are_told_to_come_back(data_dir: Path, tiny_embedder: Embedder) -> None:
    class Slow(Wrapped):
        go_on = threading.Event()
        inside = threading.Event()

        def embed_texts(self, texts: Sequence[str]) -> Vectors:
            if texts == ["slow"]:
                self.inside.set()
                self.go_on.wait(30)
            return super().embed_texts(texts)

    slow = Slow(tiny_embedder)
    with served(create_app(settings_for(data_dir, query_queue=2), load_embedder=lambda _: slow)) as client:
        wait_for_status(client, "/readyz", 200)
        answers: list[httpx.Response] = []
        threads = [threading.Thread(target=lambda: answers.append(by_text(client, "slow")))]
        threads[0].start()
        assert slow.inside.wait(30)
        # different ones: requests for the same text would share one place
        threads += [
            threading.Thread(target=lambda text=f"next {number}": answers.append(by_text(client, text)))
            for number in range(3)
        ]
        for thread in threads[1:]:
            thread.start()
        deadline_s = time.monotonic() + 30
        while len(answers) < 2:  # one waits behind the slow one, which fills the queue
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        for response in answers:
            problem(response, 503, "overloaded")
            assert int(response.headers["retry-after"]) >= 1
        # the event loop is free while the model works
        assert client.get("/healthz").status_code == 200
        assert client.get("/v1/products/p1").status_code == 200
        slow.go_on.set()
        for thread in threads:
            thread.join()
        assert sorted(response.status_code for response in answers) == [200, 200, 503, 503]
        assert by_text(client, "fourth").status_code == 200


def test_an_unexpected_error_says_nothing_of_the_inside(data_dir: Path, tiny_embedder: Embedder) -> None:
    class Bug(Wrapped):
        def embed_texts(self, texts: Sequence[str]) -> Vectors:
            if texts == ["bug"]:
                raise ZeroDivisionError("secret inside")
            return super().embed_texts(texts)

    with served(create_app(settings_for(data_dir), load_embedder=lambda _: Bug(tiny_embedder))) as client:
        wait_for_status(client, "/readyz", 200)
        response = by_text(client, "bug")
        problem(response, 500, "internal_error")
        assert "secret" not in response.text
        assert by_text(client, "fine").status_code == 200
