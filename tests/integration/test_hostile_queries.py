"""Queries that no page sends, over HTTP: any mix of parts, values at the edge of what can be, changed cursors."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.embedding.port import Embedder
from indexer.errors import ModelWeightsMissing
from indexer.settings import load_settings
from search_api.app import create_app
from tests.hostile_shop import ADMIN_KEY, COLOURS, PRODUCTS, HostileShop, hostile_shop
from tests.pictures import drawn_picture, encoded
from tests.served import served, wait_for_status

PHOTO = base64.b64encode(encoded(drawn_picture(100), quality=90)).decode()
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tiny_embedder: Embedder) -> Iterator[HostileShop]:
    with hostile_shop(tmp_path_factory.mktemp("shop"), tiny_embedder) as opened:
        yield opened


product_ids = st.sampled_from([f"p{number}" for number in range(PRODUCTS)] + ["none", "p1\n", "\x00", "ü" * 512])
numbers = st.sampled_from([0, 1, -1, 0.5, 150, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, 1e308, 5e-324, True])
moments = st.sampled_from(
    ["2026-01-01", "2026-01-03T10:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "", "1e3", "١"]
)
words = st.sampled_from([*COLOURS, "Acme", "", " ", "Home > Things", "\ud7ff", "\U0010ffff", "a" * 512, "-", '"', "[]"])
known = [
    "brand",
    "category",
    "color",
    "currency",
    "in_stock",
    "item_group_id",
    "price_minor",
    "product_id",
    "updated_at",
]
fields = st.sampled_from([*known, "identifiers", "attribute_names", "COLOR", "colour", "main", "attributes.color", ""])
values = numbers | moments | words | st.booleans() | st.lists(words, max_size=2)
bounds = st.dictionaries(st.sampled_from(["gte", "gt", "lte", "lt"]), numbers | moments | words, min_size=1, max_size=2)
filters = st.recursive(
    st.builds(lambda field, any_of: {"field": field, "any_of": any_of}, fields, st.lists(values, max_size=3))
    | st.builds(lambda field, limits: {"field": field, **limits}, fields, bounds),
    lambda inner: (
        st.builds(lambda name, parts: {name: parts}, st.sampled_from(["and", "or"]), st.lists(inner, max_size=3))
        | st.builds(lambda part: {"not": part}, inner)
    ),
    max_leaves=5,
)
weights = st.sampled_from([1, 0.1, 10, 1e-9])
photos = st.fixed_dictionaries(
    {"data": st.just(PHOTO)},
    optional={
        "box": st.sampled_from([[0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], [1, 1, 0, 0], [0, 0, 1e-9, 1], [0.2, 0, 0.3, 0.9]]),
        "region": st.sampled_from(["whole", "auto"]),
    },
)
texts = st.lists(st.fixed_dictionaries({"text": words, "weight": weights}), max_size=2)
opinions = st.lists(st.fixed_dictionaries({"product_id": product_ids, "weight": weights}), max_size=2)
queries = st.fixed_dictionaries(
    {"limit": st.sampled_from([1, 5, 100])},
    optional={
        "photos": st.lists(photos, max_size=2),
        "texts": texts,
        "negative_texts": texts,
        "products": opinions,
        "liked": opinions,
        "disliked": opinions,
        "filter": filters,
        "facets": st.lists(fields | st.just("price"), max_size=4),
        "facet_scope": st.sampled_from(["results", "catalog"]),
        "sort": st.sampled_from(["relevance", "price_asc", "price_desc", "newest"]),
        "group_by": st.sampled_from(["product", "item_group"]),
        "hybrid": st.sampled_from(["auto", "off"]),
        "diversity": st.sampled_from([0, 0.5, 1]),
        "collapse_duplicates": st.booleans(),
        "explain": st.booleans(),
    },
)


def sent(client: httpx.Client, query: dict[str, Any]) -> dict[str, Any] | None:
    """The answer; None where the query was refused, as a problem."""
    response = client.post("/v1/search", content=json.dumps(query), headers=JSON)
    body: dict[str, Any] = response.json()
    if response.status_code != 200:
        assert response.status_code in {404, 422}, (query, body)
        assert response.headers["content-type"] == "application/problem+json"
        assert body["detail"]
        return None
    return body


def damaged(draw: st.DataObject, cursor: str) -> str:
    at = draw.draw(st.integers(0, len(cursor)))
    return cursor[:at] + draw.draw(st.sampled_from(["", "A", "_", "=", "\n", "é"])) + cursor[at + 1 :]


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(query=queries, data=st.data())
def test_any_query_is_answered_or_refused(shop: HostileShop, query: dict[str, Any], data: st.DataObject) -> None:
    shown: list[str] = []
    answer = sent(shop.client, query)
    while answer is not None:
        ids = [hit["product_id"] for hit in answer["hits"]]
        assert len(ids) <= query["limit"]
        shown += ids
        named = {item["product_id"] for kind in ("products", "liked", "disliked") for item in query.get(kind, [])}
        assert not named.intersection(ids)
        if answer["cursor"] is None:
            break
        assert len(shown) <= PRODUCTS
        worse = sent(shop.client, query | {"cursor": damaged(data, answer["cursor"])})
        assert worse is None or not shown or worse["hits"][0]["product_id"] not in shown
        answer = sent(shop.client, query | {"cursor": answer["cursor"]})
    assert len(set(shown)) == len(shown)


def test_a_large_catalog_is_not_read_through_for_one_query(shop: HostileShop, tiny_embedder: Embedder) -> None:
    asked = {"filter": {"field": "warranty", "any_of": ["2 years"]}}
    counted = {
        "facets": ["brand", "warranty", "color", "item_group_id"],
        "filter": {"field": "color", "any_of": ["red"]},
    }
    small = sent(shop.client, asked), sent(shop.client, counted)
    assert small[0] is not None
    assert small[1] is not None
    assert len(small[0]["hits"]) == PRODUCTS
    assert list(small[1]["facets"]) == counted["facets"]
    flags = {"data_dir": shop.folder / "data", "scan_most_products": PRODUCTS - 1}
    app = create_app(load_settings(flags, environment={}).settings, load_embedder=lambda _: tiny_embedder)
    with served(app) as client:
        wait_for_status(client, "/readyz", 200)
        refused = client.post("/v1/search", json=asked)
        assert (refused.status_code, refused.json()["code"]) == (422, "filter_invalid")
        assert "warranty" in refused.json()["detail"]
        answer = sent(client, counted)
        assert answer is not None
        assert list(answer["facets"]) == ["brand", "color"]
        assert sum("is not counted" in note for note in answer["notes"]) == 2
        assert [hit["product_id"] for hit in answer["hits"]] == [hit["product_id"] for hit in small[1]["hits"]]


def raw_requests() -> Iterator[tuple[str, str, bytes, dict[str, str]]]:
    """Method, path, body and headers of what is no request of any client."""
    deep = {count: b"[" * count for count in (200, 100_000)}
    for body in (b"", b"{", b"\xff\xfe", b'"\\ud800"', b"NaN", *deep.values(), b'{"filter":' + b'{"not":' * 5_000):
        for path in ("/v1/search", "/v1/search/text", "/v1/embed", "/v1/classify", "/v1/index-runs"):
            yield "POST", path, body, JSON
        yield "PUT", "/v1/products/p1", body, JSON
        yield "PATCH", "/v1/products/p1", body, JSON
    for text in (b'"\\ud800"', b'"\\u0000"', b"1e999", b'"' + b"a" * 5_000 + b'"'):
        yield "POST", "/v1/search/text", b'{"text":%s}' % text, JSON
        yield "POST", "/v1/embed", b'{"texts":[%s]}' % text, JSON
        yield "POST", "/v1/index-runs", b'{"feed":%s}' % text, JSON
        yield "PUT", "/v1/products/p1", b'{"title":%s,"image_refs":[%s]}' % (text, text), JSON
        yield "PATCH", "/v1/products/p1", b'{"attributes":{"color":%s},"updated_at":%s}' % (text, text), JSON
    parts = [
        b"",
        b"--x\r\n" * 1000,
        b"--x\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="\0"\r\n\r\nabc\r\n--x--\r\n',
        b"--x\r\nContent-Disposition: form-data; name=file; filename*=UTF-8''%ff\r\n\r\n\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="query"; filename="q"\r\n\r\n{}\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n{"photos":[{"file":"query"}]}\r\n--x--\r\n',
    ]
    for kind in ("", "; boundary=", "; boundary=x", "; boundary=x; charset=none", f"; boundary={'x' * 300}"):
        for body in parts:
            for path in ("search", "search/image", "duplicates", "regions", "classify", "embed", "index-runs"):
                yield "POST", f"/v1/{path}", body, {"content-type": f"multipart/form-data{kind}"}
    odd = ["%00", "%ff", "%0a", "..%2f..%2fetc%2fpasswd", "%F0%9F%98%80", "a" * 600, "%E2%80%AE"]
    for name in odd:
        paths = [f"/v1/products/{name}", f"/v1/products/{name}/similar", f"/v1/products/{name}/images/0"]
        paths += [f"/v1/products/{name}/images/{'9' * 30}", f"/page/{name}", f"/v1/index-runs/{name}/failures"]
        for path in [*paths, f"/v1/index-runs/{name}", f"/v1/index-runs?limit={name}", f"/{name}"]:
            for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
                yield method, path, b"", {}
    for number in ("9" * 30, "-1", "1e3", "0x1", "١"):
        yield "GET", f"/v1/products/p1/similar?limit=1&offset={number}", b"", {}
        yield "GET", f"/v1/products/p1/images/{number}", b"", {}
        yield "GET", f"/v1/index-runs/x/failures?offset={number}", b"", {}


def test_requests_of_no_client_are_refused_as_problems(shop: HostileShop) -> None:
    count = 0
    for method, path, body, headers in raw_requests():
        request = {"content": body, "headers": headers | {"X-API-Key": ADMIN_KEY}}
        response = shop.client.request(method, path, **request)  # type: ignore[arg-type]
        count += 1
        assert response.status_code < 500, (method, path, body[:200], headers, response.text)
        if response.status_code >= 400 and method != "HEAD" and not path.startswith("/page/"):
            assert response.headers["content-type"] == "application/problem+json", (method, path, response.text)
        assert "Traceback" not in response.text
    assert count > 500
    assert shop.client.get("/readyz").status_code == 200


def test_what_went_wrong_in_the_server_is_for_its_log_and_for_admins(
    tmp_path: Any, tiny_embedder: Embedder, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(_: object) -> Embedder:
        raise ModelWeightsMissing(f"{tmp_path}/weights are not there.", f"Put them into {tmp_path}.")

    flags = {"data_dir": tmp_path / "data", "admin_key": ADMIN_KEY}
    with served(create_app(load_settings(flags, environment={}).settings, load_embedder=missing)) as client:
        answer = wait_for_status(client, "/readyz", 503)
        while answer.json()["code"] == "model_loading":
            answer = client.get("/readyz")
        for path in ("/readyz", "/v1/products/p1", "/v1/products/p1%0d%0a2026-11-21%20forged/similar"):
            refused = client.get(path)
            assert refused.json()["code"] in {"model_weights_missing", "route_not_found"}
            assert str(tmp_path) not in refused.text
        assert str(tmp_path) in client.get("/readyz", headers={"X-API-Key": ADMIN_KEY}).json()["detail"]
    logged = [record.getMessage() for record in caplog.records if record.name == "search_api.problems"]
    assert any(f"{tmp_path}/weights" in line for line in logged)
    assert all(len(line.splitlines()) == 1 for line in logged)
