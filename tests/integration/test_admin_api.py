"""The admin routes over HTTP: who may, what is refused, what is recorded. Nothing is indexed here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from indexer.embedding.port import Embedder
from indexer.events.port import EventLog
from indexer.events.sqlite import SqliteEventLog
from indexer.ledger.port import BatchReport, Counts, Failure, RunPlan, RunState, Stage
from indexer.ledger.sqlite import SqliteLedger
from indexer.requests.sqlite import SqliteWorkQueue
from indexer.settings import load_settings
from search_api.app import create_app
from tests.served import served, wait_for_status

KEY = "correct horse ü"
PRODUCT: dict[str, Any] = {"title": "Red mug", "image_refs": ["https://cdn.shop.example/1.jpg"]}
CHANGES = [
    ("PUT", "/v1/products/p1"),
    ("PATCH", "/v1/products/p1"),
    ("DELETE", "/v1/products/p1"),
    ("POST", "/v1/index-runs"),
    ("GET", "/v1/index-runs"),
    ("GET", "/v1/index-runs/x"),
    ("GET", "/v1/index-runs/x/failures"),
    ("POST", "/v1/index-runs/x/retry"),
    ("GET", "/v1/index-status"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("admin")
    (root / "feeds" / "deep").mkdir(parents=True)
    for name in ("feeds/feed.jsonl", "feeds/deep/feed.jsonl", "outside.jsonl"):
        (root / name).write_text('{"id": "p1", "title": "T", "image_link": "a.jpg"}\n', "utf-8")
    (root / "feeds" / "link.jsonl").symlink_to(root / "outside.jsonl")
    (root / "feeds" / "inner.jsonl").symlink_to("deep/feed.jsonl")
    return root


@pytest.fixture(scope="module")
def client(folder: Path, tiny_embedder: Embedder) -> Iterator[httpx.Client]:
    flags = {
        "data_dir": folder / "data",
        "admin_key": KEY,
        "feeds_dir": str(folder / "feeds"),
        "feed_max_bytes": 200_000,
        "image_max_bytes": 100_000,
    }
    settings = load_settings(flags, environment={}).settings
    with served(create_app(settings, load_embedder=lambda _: tiny_embedder)) as opened:
        wait_for_status(opened, "/readyz", 503)
        opened.headers.update({b"X-API-Key": KEY.encode()})
        yield opened


@pytest.fixture
def log(folder: Path, client: httpx.Client) -> Iterator[EventLog]:
    opened = SqliteEventLog(folder / "data" / "events.sqlite3")
    yield opened
    opened.close()


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert "Traceback" not in response.text
    return body


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "wrong"},
        {"X-API-Key": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {'x' * 20}"},
        {"Authorization": "Bearer"},
        {b"X-API-Key": KEY.encode()[:-1]},
    ],
)
def test_without_the_key_nothing_can_be_done(
    client: httpx.Client, log: EventLog, method: str, path: str, headers: dict[str, Any]
) -> None:
    before = log.position()
    # a body that is no JSON: it must not even be looked at
    request = httpx.Request(method, f"{client.base_url}{path}", headers=headers, content=b"{")
    response = client.send(request)
    assert problem(response, 401, "admin_key_required")
    assert response.headers["www-authenticate"] == "Bearer"
    assert log.position() == before


def test_the_key_counts_in_either_header(client: httpx.Client) -> None:
    for headers in ({b"X-API-Key": KEY.encode()}, {b"Authorization": b"Bearer " + KEY.encode()}):
        request = httpx.Request("GET", f"{client.base_url}/v1/index-status", headers=headers)
        assert client.send(request).status_code == 200


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_without_a_configured_key_nobody_may(tmp_path: Path, tiny_embedder: Embedder, method: str, path: str) -> None:
    settings = load_settings({"data_dir": tmp_path / "data"}, environment={}).settings
    with served(create_app(settings, load_embedder=lambda _: tiny_embedder)) as client:
        for headers in ({}, {"X-API-Key": ""}, {"Authorization": "Bearer"}, {"X-API-Key": "x"}):
            problem(client.request(method, path, headers=headers), 403, "admin_disabled")
    assert not (tmp_path / "data").exists()  # an API that only searches writes nothing


def test_a_product_is_recorded_as_it_was_sent(client: httpx.Client, log: EventLog) -> None:
    body = {
        "title": " <b>Red</b>  mug ",
        "image_refs": ["https://cdn.shop.example/a b.jpg", "images/./2.jpg", "images/2.jpg"],
        "description": "Große Tasse",
        "link": "https://shop.example/1",
        "category": ["Home", " ", "Mugs"],
        "brand": "Acme",
        "price_minor": 1290,
        "currency": "€",
        "in_stock": True,
        "item_group_id": "g",
        "attributes": {"Color": "red", "empty": ""},
        "updated_at": "2026-01-02T03:04:05+02:00",
    }
    response = client.put("/v1/products/a%2Fb%20%C3%BC%3F%23", json=body)
    assert response.status_code == 202, response.text
    answer = response.json()
    assert (answer["product_id"], answer["stale"], answer["ignored_fields"]) == ("a/b ü?#", False, [])
    state = log.latest(["a/b ü?#"])["a/b ü?#"]
    assert state.sequence == answer["sequence"]
    assert state.base is not None
    assert state.base.updated_at == datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)
    product = state.base.product
    assert product is not None
    assert (product.title, product.category, product.currency) == ("Red mug", ("Home", "Mugs"), "EUR")
    assert product.image_refs == ("https://cdn.shop.example/a%20b.jpg", "images/2.jpg")
    assert dict(product.attributes) == {"color": "red"}
    assert state.base.image_root.endswith("/feeds")


def test_an_event_without_a_version_is_of_now(client: httpx.Client, log: EventLog) -> None:
    before = datetime.now(UTC)
    client.put("/v1/products/now", json=PRODUCT)
    client.patch("/v1/products/now", json={"price_minor": 5})
    state = log.latest(["now"])["now"]
    assert state.base is not None
    assert before <= state.base.updated_at <= state.fields["price_minor"].updated_at <= datetime.now(UTC)


def test_an_old_event_is_answered_as_stale(client: httpx.Client, log: EventLog) -> None:
    new, old = "2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"
    first = client.put("/v1/products/s1", json=PRODUCT | {"updated_at": new}).json()
    answers = [
        client.put("/v1/products/s1", json=PRODUCT | {"updated_at": old}),
        client.patch("/v1/products/s1", json={"title": "Old", "updated_at": old}),
        client.delete("/v1/products/s1", params={"updated_at": old}),
    ]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert [answer.json()["stale"] for answer in answers] == [True] * 3
    assert {answer.json()["sequence"] for answer in answers} == {first["sequence"]}
    partly = client.patch("/v1/products/s1", json={"title": "T", "brand": "B", "updated_at": new}).json()
    assert not partly["stale"]
    later = client.patch("/v1/products/s1", json={"title": "U", "in_stock": None, "updated_at": old}).json()
    assert later["stale"]
    mixed = client.patch("/v1/products/s2", json={"title": "T", "updated_at": new})
    mixed = client.patch("/v1/products/s2", json={"title": "U", "in_stock": None, "updated_at": old})
    assert (mixed.json()["stale"], mixed.json()["ignored_fields"]) == (False, ["title"])


@pytest.mark.parametrize(
    "change",
    [
        {"title": None},
        {"title": " <br> "},
        {"title": "a\x00b"},
        {"title": 7},
        {"image_refs": []},
        {"image_refs": "a.jpg"},
        {"image_refs": ["../a.jpg"]},
        {"image_refs": ["/etc/passwd"]},
        {"image_refs": ["file:///etc/passwd"]},
        {"image_refs": ["ftp://host/a.jpg"]},
        {"image_refs": ["a.jpg"] * 65},
        {"price_minor": 1},
        {"price_minor": -1, "currency": "EUR"},
        {"price_minor": 1.5, "currency": "EUR"},
        {"price_minor": "12", "currency": "EUR"},
        {"price_minor": True, "currency": "EUR"},
        {"price_minor": 10**16, "currency": "EUR"},
        {"price_minor": 1, "currency": "XYZ1"},
        {"in_stock": "yes"},
        {"link": "javascript:alert(1)"},
        {"attributes": {"a": 1}},
        {"attributes": {str(n): "x" for n in range(600)}},
        {"updated_at": "2026-01-01T00:00:00"},
        {"updated_at": "yesterday"},
        {"updated_at": "0001-01-01T00:00:00+14:00"},
        {"updated_at": (datetime.now(UTC) + timedelta(days=3)).isoformat()},
        {"color": "red"},
        {"product_id": "other"},
    ],
)
def test_a_product_that_cannot_be_is_refused(client: httpx.Client, log: EventLog, change: dict[str, Any]) -> None:
    before = log.position()
    body = problem(client.put("/v1/products/bad", json=PRODUCT | change), 422, "request_invalid")
    assert next(iter(change)) in body["detail"] + body["field"] or "currency" in body["detail"]
    assert log.position() == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"title": "\\ud800"}'])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_hostile_bodies_are_refused(client: httpx.Client, log: EventLog, method: str, body: bytes) -> None:
    before = log.position()
    headers = {"content-type": "application/json"}
    problem(client.request(method, "/v1/products/bad", content=body, headers=headers), 422, "request_invalid")
    assert log.position() == before


@pytest.mark.parametrize(
    "change", [{}, {"image_refs": ["a.jpg"]}, {"title": ""}, {"currency": None}, {"updated_at": None}]
)
def test_fields_that_cannot_be_changed_are_refused(client: httpx.Client, change: dict[str, Any]) -> None:
    problem(client.patch("/v1/products/p1", json=change), 422, "request_invalid")


@pytest.mark.parametrize("product_id", ["%20", "%00", "a%00b", "a%C2%85b", "a%1Bb", "x" * 600])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_hostile_ids_are_refused(client: httpx.Client, log: EventLog, method: str, product_id: str) -> None:
    before = log.position()
    body = {"PUT": PRODUCT, "PATCH": {"title": "T"}, "DELETE": None}[method]
    content = b"" if body is None else json.dumps(body).encode()
    response = client.request(
        method, f"/v1/products/{product_id}", content=content, headers={"content-type": "application/json"}
    )
    problem(response, 422, "request_invalid")
    assert log.position() == before


def test_a_body_nested_without_end_is_refused(client: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    response = client.put("/v1/products/bad", content=b'{"title":' + b"[" * 50_000, headers=headers)
    problem(response, 422, "json_too_deep")


def test_a_body_that_is_too_large_is_refused(client: httpx.Client) -> None:
    response = client.put("/v1/products/big", json=PRODUCT | {"description": "x" * 2_100_000})
    problem(response, 413, "json_too_large")


def test_a_feed_in_the_folder_can_be_asked_for(client: httpx.Client, folder: Path) -> None:
    for name in ("feed.jsonl", "deep/feed.jsonl", "inner.jsonl"):
        response = client.post("/v1/index-runs", json={"feed": name, "full": True})
        assert response.status_code == 202, response.text
        run = response.json()
        assert (run["state"], run["kind"], run["full"], run["run_id"]) == ("queued", "feed", True, "")
        assert Path(run["feed"]).is_relative_to(folder / "feeds")
        assert client.get(f"/v1/index-runs/{run['id']}").json() == run
    listed = client.get("/v1/index-runs", params={"limit": 2}).json()["runs"]
    assert listed[0]["id"] == run["id"]
    assert len(listed) == 2


@pytest.mark.parametrize(
    "name",
    [
        "nope.jsonl",
        "../outside.jsonl",
        "deep/../../outside.jsonl",
        "link.jsonl",
        "deep",
        ".",
        "a\x00b",
        "x" * 3000,
        "//etc/passwd",
        "/etc/passwd",
        "~/x",
    ],
)
def test_no_feed_outside_the_folder_can_be_asked_for(client: httpx.Client, name: str) -> None:
    problem(client.post("/v1/index-runs", json={"feed": name}), 422, "feed_not_found")


def test_an_absolute_path_into_the_folder_is_what_it_names(client: httpx.Client, folder: Path) -> None:
    assert client.post("/v1/index-runs", json={"feed": str(folder / "feeds/feed.jsonl")}).status_code == 202
    problem(client.post("/v1/index-runs", json={"feed": str(folder / "outside.jsonl")}), 422, "feed_not_found")


@pytest.mark.parametrize(
    "order", [{}, {"feed": ""}, {"feed": 3}, {"feed": "feed.jsonl", "limit": -1}, {"feed": "feed.jsonl", "x": 1}]
)
def test_orders_that_cannot_be_are_refused(client: httpx.Client, order: dict[str, Any]) -> None:
    problem(client.post("/v1/index-runs", json=order), 422, "request_invalid")


def test_an_order_is_not_as_long_as_a_feed(client: httpx.Client) -> None:
    problem(client.post("/v1/index-runs", content=b" " * 100_000), 413, "feed_too_large")


def test_full_with_a_limit_is_refused(client: httpx.Client) -> None:
    order = {"feed": "feed.jsonl", "full": True, "limit": 3}
    problem(client.post("/v1/index-runs", json=order), 422, "request_invalid")


def test_an_uploaded_feed_replaces_the_one_of_its_name(client: httpx.Client, folder: Path) -> None:
    for text in (b"first", b"second"):
        response = client.post(
            "/v1/index-runs", files={"file": ("upload.jsonl", text)}, data={"full": "true", "limit": "0"}
        )
        assert response.status_code == 202, response.text
        assert response.json()["full"]
        assert (folder / "feeds" / "upload.jsonl").read_bytes() == text
    assert not list((folder / "feeds").glob(".upload*"))


@pytest.mark.parametrize(
    "name",
    [
        "../up.jsonl",
        "/etc/up.jsonl",
        ".hidden.jsonl",
        "up.sh",
        "up",
        "a\\b.csv",
        "a b.csv",
        "ü.csv",
        "x" * 200 + ".csv",
    ],
)
def test_an_upload_cannot_have_any_name(client: httpx.Client, folder: Path, name: str) -> None:
    before = sorted(folder.rglob("*"))
    response = client.post("/v1/index-runs", files={"file": (name, b"x")})
    problem(response, 422, "feed_not_found")
    assert sorted(folder.rglob("*")) == before


def test_uploads_that_cannot_be_are_refused(client: httpx.Client, folder: Path) -> None:
    problem(client.post("/v1/index-runs", files={"other": ("a.csv", b"x")}), 422, "feed_not_found")
    both = {"full": "true", "limit": "3"}
    response = client.post("/v1/index-runs", files={"file": ("new.csv", b"x")}, data=both)
    problem(response, 422, "request_invalid")
    assert not (folder / "feeds" / "new.csv").exists()
    large = client.post("/v1/index-runs", files={"file": ("large.csv", b"x" * 400_000)})
    problem(large, 413, "feed_too_large")
    assert not (folder / "feeds" / "large.csv").exists()


def test_runs_of_the_ledger_are_shown_and_their_failures_paged(client: httpx.Client, folder: Path) -> None:
    ledger = SqliteLedger(folder / "data" / "ledger.sqlite3")
    run_id = ledger.begin(RunPlan(alias="products--x", feed="/feeds/a.xml", feed_version="1")).record.run_id
    failures = tuple(
        Failure(f"p{n}", 0, "a.jpg", Stage.DECODE, "image_damaged", "It is damaged.", retryable=False, line=n)
        for n in range(5)
    )
    ledger.record_batch(run_id, BatchReport(0, Counts(rows=5, products=5, images=5, failed=5), failures, ("p1",)))
    ledger.finish(run_id, RunState.FINISHED)
    ledger.close()
    run = client.get(f"/v1/index-runs/{run_id}").json()
    assert (run["id"], run["state"], run["kind"], run["counts"]["failed"]) == (run_id, "finished", "feed", 5)
    assert run_id in [item["id"] for item in client.get("/v1/index-runs").json()["runs"]]
    page = client.get(f"/v1/index-runs/{run_id}/failures", params={"limit": 2, "offset": 3}).json()
    assert ([item["product_id"] for item in page["failures"]], page["total"]) == (["p3", "p4"], 5)
    assert page["failures"][0]["code"] == "image_damaged"
    retry = client.post(f"/v1/index-runs/{run_id}/retry")
    assert (retry.status_code, retry.json()["kind"], retry.json()["retry_of"]) == (202, "retry", run_id)
    queue = SqliteWorkQueue(folder / "data" / "requests.sqlite3")
    assert queue.request(retry.json()["id"]).order.retry_of == run_id
    queue.close()
    problem(client.get(f"/v1/index-runs/{run_id}/failures", params={"limit": 0}), 422, "request_invalid")


@pytest.mark.parametrize("path", ["/v1/index-runs/nope", "/v1/index-runs/nope/failures", "/v1/index-runs/%00"])
def test_an_unknown_run_is_not_found(client: httpx.Client, path: str) -> None:
    problem(client.get(path), 404, "run_not_found")
    problem(client.post("/v1/index-runs/nope/retry"), 404, "run_not_found")


def test_the_status_tells_how_far_the_index_is_behind(client: httpx.Client, log: EventLog) -> None:
    client.put("/v1/products/waiting", json=PRODUCT)
    status = client.get("/v1/index-status").json()
    assert status["position"] == log.position() > status["applied"] == 0
    assert not status["is_current"]
    assert status["event_to_searchable_s"] == {"count": 0, "p50": None, "p95": None}


def test_the_routes_are_described(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    paths = described["paths"]
    for method, path in CHANGES:
        template = path.replace("p1", "{product_id}").replace("/x", "/{run_id}")
        operation = paths[template][method.lower()]
        assert operation["summary"] and operation["description"]
        assert {"401", "403"} <= set(operation["responses"])
        assert {"APIKeyHeader", "HTTPBearer"} <= {name for item in operation["security"] for name in item}


def test_pictures_as_paths_need_a_folder(tmp_path: Path, tiny_embedder: Embedder) -> None:
    settings = load_settings({"data_dir": tmp_path, "admin_key": "k"}, environment={}).settings
    with served(create_app(settings, load_embedder=lambda _: tiny_embedder)) as client:
        headers = {"X-API-Key": "k"}
        body = PRODUCT | {"image_refs": ["a.jpg"]}
        problem(client.put("/v1/products/p", json=body, headers=headers), 422, "image_ref_forbidden")
        problem(client.post("/v1/index-runs", json={"feed": "a.csv"}, headers=headers), 422, "feed_not_found")
