"""The clients against the API itself: every route, both clients, and what they bring into a program."""

from __future__ import annotations

import inspect
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_type
from urllib.parse import unquote

import httpx
import pytest
from PIL import Image

from indexer.embedding.port import Embedder
from indexer.images.decoder import InProcessDecoder
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.limits import ImageLimits
from indexer.images.source import ImagesByReference, LocalImages
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.run import IndexOptions, index_feed
from indexer.ledger.sqlite import SqliteLedger
from indexer.settings import load_settings
from indexer.store.edge_store import EdgeStore
from search_api.app import create_app
from search_api.client import (
    ApiProblem,
    AsyncClient,
    Client,
    FieldsBody,
    FindQuery,
    IndexStatus,
    Opinion,
    Photo,
    ProductBody,
    ProductPart,
    SearchResponse,
    TextPart,
    administration,
    all_of,
    any_of,
    between,
    none_of,
    one_of,
    searches,
    sessions,
)
from search_api.client.call import Call
from tests.either_client import EitherClient, Kind
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog
from tests.processes import REPOSITORY, program_environment
from tests.served import served, wait_for_status

KEY = "schlüssel"
PRODUCTS = 12
ODD_IDS = ("a/b ü?#&similar", "..", "100%25")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> DrawnCatalog:
    drawn = draw_catalog(tmp_path_factory.mktemp("shop") / "catalog", products=PRODUCTS, pictures=2)
    with drawn.feed.open("a", encoding="utf-8") as feed:
        for number, odd in enumerate(ODD_IDS):
            feed.write(json.dumps(catalog_row(number, [f"images/p{number}-1.jpg"]) | {"id": odd}) + "\n")
    return drawn


@pytest.fixture(scope="module")
def url(catalog: DrawnCatalog, tmp_path_factory: pytest.TempPathFactory, tiny_embedder: Embedder) -> Iterator[str]:
    data_dir, limits = tmp_path_factory.mktemp("data"), ImageLimits()
    flags = {"data_dir": data_dir, "admin_key": KEY, "feeds_dir": str(catalog.folder)}
    settings = load_settings(flags, environment={}).settings
    ledger = SqliteLedger(data_dir / "ledger.sqlite3")
    store = EdgeStore(data_dir / "store", settings.index_tuning(), follow_s=0)
    source = ImagesByReference(LocalImages(limits), RemoteImages(limits, DownloadLimits()))
    with IndexPipeline(tiny_embedder, source, InProcessDecoder(limits), image_threads=2) as pipeline:
        parts = IndexParts(tiny_embedder, store, ledger, pipeline, settings.catalog)
        index_feed(catalog.feed, IndexOptions(full=True), InlineDispatcher(parts))
    ledger.close()
    store.close()
    with served(create_app(settings, load_embedder=lambda _: tiny_embedder)) as client:
        wait_for_status(client, "/readyz", 200)
        yield str(client.base_url)


@pytest.fixture(params=["blocking", "awaiting"])
def client(request: pytest.FixtureRequest, url: str) -> EitherClient:
    kind: Kind = request.param
    return EitherClient(kind, url, admin_key=KEY)


def ids(hits: list[Any]) -> list[str]:
    return [hit.product_id for hit in hits]


def test_a_photo_as_path_or_bytes(client: EitherClient, catalog: DrawnCatalog) -> None:
    photo = catalog.picture(7, 1)
    for given in (photo, str(photo), photo.read_bytes()):
        found = client("search_image", given, limit=3)
        assert (found.hits[0].product_id, len(found.hits)) == ("p7", 3)
    assert ids(client("search_image", photo, limit=2, offset=1).hits) == ids(found.hits)[1:]
    with pytest.raises(FileNotFoundError):
        client("search_image", photo.with_name("none.jpg"))


def test_texts_products_and_what_is_similar(client: EitherClient) -> None:
    assert len(client("search_text", "red mug", limit=5).hits) == 5
    product = client("product", "p3")
    assert (product.title, product.price_minor, len(product.images)) == ("Product 3", 450, 2)
    assert "p3" not in ids(client("similar", "p3", limit=100).hits)
    assert len(client("similar", "p3", limit=2, offset=3).hits) == 2


@pytest.mark.parametrize("product_id", ODD_IDS)
def test_any_id_can_be_asked_for(client: EitherClient, product_id: str) -> None:
    assert client("product", product_id).product_id == product_id
    assert len(client("similar", product_id, limit=1).hits) == 1
    assert client("product_image", product_id).jpeg
    assert client("patch_product", product_id, {"in_stock": True}).product_id == product_id


def test_pictures(client: EitherClient) -> None:
    full, small = (client("product_image", "p3", 1, size=size) for size in ("full", "thumbnail"))
    assert full.url == small.url == ""
    assert Image.open(io.BytesIO(full.jpeg)).size == (96, 80)
    with pytest.raises(ApiProblem) as caught:
        client("product_image", "p3", 9)
    assert (caught.value.status, caught.value.code) == (404, "product_image_not_found")


def test_a_query_of_many_parts(client: EitherClient, catalog: DrawnCatalog) -> None:
    query = FindQuery(
        texts=[TextPart(text="but red", weight=0.2)],
        products=[ProductPart(product_id="p1")],
        disliked=[Opinion(product_id="p2", weight=0.5)],
        filter=all_of(one_of("in_stock", True), between("price_minor", least=100, most=900)),
        facets=["brand", "price"],
        limit=4,
    )
    found = client("search", query, photos=[catalog.picture(4), Photo(catalog.picture(6).read_bytes(), weight=2.0)])
    assert len(found.hits) == 4
    assert all(hit.in_stock and 100 <= (hit.price_minor or 0) <= 900 for hit in found.hits)
    assert {"p1", "p2"}.isdisjoint(ids(found.hits))
    assert found.facets["brand"].values[0].value == "Acme"
    boxed = Photo(catalog.picture(5), box=(0.1, 0.1, 0.9, 0.9))
    assert len(client("search", photos=[boxed]).hits) == PRODUCTS + len(ODD_IDS)


def test_filters_put_together(client: EitherClient) -> None:
    def found(condition: Any) -> set[str]:
        return set(ids(client("search", FindQuery(filter=condition, limit=100)).hits))

    everything = {f"p{number}" for number in range(PRODUCTS)} | set(ODD_IDS)
    cheap = found(between("price_minor", most=350))
    assert {"p0", "p1", "p2"} <= cheap
    assert found(none_of(between("price_minor", most=350))) == everything - cheap
    assert found(one_of("product_id", "p1", "p2")) == {"p1", "p2"}
    assert found(any_of(one_of("product_id", "p1"), one_of("product_id", "p5"))) == {"p1", "p5"}
    assert found(none_of(one_of("product_id", "p1"), one_of("product_id", "p5"))) == everything - {"p1", "p5"}
    assert found(one_of("category", ["Home", "Things"])) == found(one_of("category", "Home > Things")) == everything


def test_all_pages_give_each_product_once(client: EitherClient, catalog: DrawnCatalog) -> None:
    for query, photos in ((FindQuery(limit=4), [catalog.picture(7)]), (FindQuery(limit=4, sort="price_asc"), [])):
        hits = client("search_all", query, photos=photos)
        assert len(hits) == len(set(ids(hits))) == PRODUCTS + len(ODD_IDS)
        pages = client("search_pages", query, photos=photos)
        assert [len(page.hits) for page in pages] == [4, 4, 4, 3]
        assert ids(hits) == [hit.product_id for page in pages for hit in page.hits]
    assert query.cursor is None  # the caller's own is left as it was


def test_duplicates_regions_labels_and_vectors(client: EitherClient, catalog: DrawnCatalog) -> None:
    photo = catalog.picture(8)
    assert ids(client("duplicates", photo, limit=5).same_picture) == ["p8"]
    assert client("regions", photo, crops=False).method in {"patches", "none"}
    labels = client("classify", photo, ["mug", "bag"], templates=["a {}", "ein {}"]).labels
    assert {label.label for label in labels} == {"mug", "bag"}
    assert sum(label.softmax for label in labels) == pytest.approx(1)
    photos = client("embed_photos", [photo, catalog.picture(9).read_bytes()])
    texts = client("embed_texts", ["mug", "bag", "mug"])
    assert [len(vector) for vector in photos.vectors] == [photos.dim] * 2
    assert texts.vectors[0] == texts.vectors[2] != texts.vectors[1]
    assert photos.space_id == texts.space_id == client("ready")["space_id"]
    assert client("health") == {"status": "ok"}


def test_places_that_agree(client: EitherClient, catalog: DrawnCatalog) -> None:
    hit = client("search", FindQuery(limit=1, explain=True), photos=[catalog.picture(8)]).hits[0]
    for png in (
        client("heat_map", hit.explanation.heat_map_url),
        client("photo_heat_map", catalog.picture(8), "p8", 1),
    ):
        assert Image.open(io.BytesIO(png)).format == "PNG"
    with pytest.raises(ApiProblem) as caught:
        client("heat_map", "/v1/products/p8/images/0/heat?toward=x")
    assert caught.value.code == "request_invalid"


def test_products_are_changed(client: EitherClient) -> None:
    product = ProductBody(
        title="Red mug", image_refs=["https://cdn.shop.example/1.jpg"], price_minor=990, currency="EUR"
    )
    put = client("put_product", "new/1", product)
    assert (put.product_id, put.stale) == ("new/1", False)
    same = {
        "title": "Red mug",
        "image_refs": ["https://cdn.shop.example/1.jpg"],
        "updated_at": datetime(2020, 1, 1, tzinfo=UTC),
    }
    assert client("put_product", "new/1", same).stale
    assert client("patch_product", "new/1", FieldsBody(price_minor=890)).sequence > put.sequence
    assert client("delete_product", "new/1", updated_at=datetime(2020, 1, 1, tzinfo=UTC)).stale
    assert not client("delete_product", "new/1").stale
    assert client("index_status").position > 0
    for body in ({"price": 1}, {}):
        with pytest.raises(ValueError, match="FieldsBody"):
            client("patch_product", "p1", body)


def test_index_runs_are_asked_for(client: EitherClient, catalog: DrawnCatalog, tmp_path: Path) -> None:
    asked = client("request_run", "feed.jsonl", limit=3)
    assert (asked.state, asked.limit) == ("queued", 3)
    upload = tmp_path / "upload.jsonl"
    upload.write_bytes(catalog.feed.read_bytes())
    sent = client("upload_feed", upload, full=True)
    assert (sent.full, Path(sent.feed).read_bytes()) == (True, catalog.feed.read_bytes())
    assert client("run", sent.id).feed == sent.feed
    finished = next(run for run in client("runs", limit=100).runs if run.state == "finished")
    assert finished.counts.products == PRODUCTS + len(ODD_IDS)
    assert client("failures", finished.id, limit=5, offset=0).total == 0
    assert client("retry_run", finished.id).retry_of == finished.run_id
    assert client("serving_status").cache.entries >= 0


@pytest.mark.parametrize(
    ("method", "given", "status", "code"),
    [
        ("product", ["nothing"], 404, "product_not_found"),
        ("search_text", [" "], 422, "query_text_empty"),
        ("search_image", [b"no picture"], 415, "image_not_an_image"),
        ("search", [FindQuery(filter=one_of("colour of it", "red"))], 422, "filter_field_unknown"),
        ("search", [FindQuery(cursor="x")], 422, "cursor_invalid"),
        ("search_text", ["x", 101], 422, ""),
        ("request_run", ["missing.xml"], 422, "feed_not_found"),
        ("run", ["nothing"], 404, "run_not_found"),
        ("failures", ["a/b"], 404, "route_not_found"),
        ("embed_texts", [["x" * 100_000]], 422, "query_text_too_long"),
    ],
)
def test_refusals_have_their_code(client: EitherClient, method: str, given: list[Any], status: int, code: str) -> None:
    if not code:
        with pytest.raises(ValueError, match="limit"):
            client(method, given[0], limit=given[1])
        return
    with pytest.raises(ApiProblem) as caught:
        client(method, *given)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert caught.value.detail


def test_what_does_not_fit_is_named(client: EitherClient) -> None:
    with pytest.raises(ApiProblem) as caught:
        client("similar", "p1", limit=1000)
    assert (caught.value.code, caught.value.field) == ("request_invalid", "limit")


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
def test_the_key_goes_where_it_is_needed_and_nowhere_else(kind: Kind, url: str) -> None:
    with pytest.raises(ApiProblem) as caught:
        EitherClient(kind, url, admin_key="wrong")("index_status")
    assert caught.value.code == "admin_key_required"
    sent: list[httpx.Request] = []
    with (
        httpx.Client(event_hooks={"request": [sent.append]}, trust_env=False) as http,
        Client(url, admin_key=KEY, http=http) as own,
    ):
        assert_type(own.search_text("red mug"), SearchResponse)
        assert_type(own.index_status(), IndexStatus)
        assert [request.headers.get("x-api-key") is not None for request in sent] == [False, True]
    assert KEY not in repr(own)


def calls() -> list[tuple[str, Call[Any]]]:
    """A call of each method, with ids and names that no path has by itself."""
    examples: dict[str, Any] = {
        "text": "red",
        "photo": b"x",
        "photos": [b"x"],
        "texts": ["red"],
        "labels": ["red"],
        "product_id": "{product_id}",
        "run_id": "{run_id}",
        "position": "{position}",
        "product": {"title": "T", "image_refs": ["a.jpg"]},
        "fields": {"title": "T"},
        "feed": "feed.xml",
        "heat_map_url": "/v1/products/{product_id}/images/{position}/heat?toward=x",
    }
    found = []
    for module in (searches, administration, sessions):
        for name, build in inspect.getmembers(module, inspect.isfunction):
            if build.__module__ == module.__name__ and str(inspect.signature(build).return_annotation).startswith(
                "Call["
            ):
                wanted = [key for key in inspect.signature(build).parameters if key in examples]
                found.append((name, build(**{key: examples[key] for key in wanted})))
    return found


def test_each_route_has_its_method() -> None:
    described = json.loads((REPOSITORY / "docs" / "openapi.json").read_text("utf-8"))["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    made = {f"{call.method} {unquote(call.path)}" for _, call in calls()}
    assert made == routes


def test_both_clients_have_the_same_methods() -> None:
    wanted = {name for name, _ in calls()} | {"search_all", "search_pages"}
    for kind in (Client, AsyncClient):
        public = {name for name in vars(kind) if not name.startswith("_")}
        assert public - {"close", "aclose", "carry_out"} == wanted
    for name in wanted:
        blocking, awaiting = getattr(Client, name), getattr(AsyncClient, name)
        assert inspect.signature(blocking).parameters == inspect.signature(awaiting).parameters
        assert blocking.__doc__ == awaiting.__doc__ != ""


def test_a_program_that_imports_the_client_gets_nothing_else() -> None:
    script = "import sys, search_api.client; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env=program_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    brought = set(done.stdout.split())
    assert "httpx" in brought
    assert not brought & {
        "torch",
        "numpy",
        "PIL",
        "pyarrow",
        "fastapi",
        "starlette",
        "uvicorn",
        "qdrant_client",
        "grpc",
    }
    assert not brought & {"qdrant_edge", "open_clip", "transformers", "celery", "redis", "snowballstemmer"}
