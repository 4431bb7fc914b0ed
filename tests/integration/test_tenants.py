"""Two shops in one installation: every route is walked with what is the other's, and nothing of it comes back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest

from indexer import bootstrap
from indexer.cli.main import main as indexer
from indexer.embedding.port import Embedder
from indexer.errors import ConfigurationError
from indexer.events.follow import Follower, FollowOptions
from indexer.ledger.port import RunRecord
from indexer.points import StoredPoint
from indexer.requests.port import RunOrder
from indexer.settings import Settings, load_settings
from indexer.store.port import Alias
from indexer.store.tenant_store import of_tenant
from search_api.app import create_app
from search_api.heat_maps import packed
from search_api.routes.scopes import scope_of
from tests.routes import other_paths_of, routes_of
from tests.served import served, wait_for_status
from tests.tenants import NORTH, ONLY, SHARED, SOUTH, index, index_parts, key_of, text_of, write_shop

ADMIN_KEY = "the installation's own key"
THEIRS = text_of(SOUTH)
"""What stands in all texts of the other shop; nothing that is asked for here has it."""
IDS = [f"p{number}" for number in range(SHARED)]


@dataclass(frozen=True, slots=True)
class Mall:
    """Both shops behind one server."""

    settings: Settings
    embedder: Embedder
    client: httpx.Client
    keys: dict[str, str]
    runs: dict[str, RunRecord]
    requests: dict[str, str]

    def ask(self, tenant: str, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"X-API-Key": self.keys[tenant]} | request.pop("headers", {})
        return self.client.request(method, path, headers=headers, **request)

    def photo(self, tenant: str, number: int) -> bytes:
        return (Path(self.settings.feeds_dir) / tenant / "images" / f"{number}.jpg").read_bytes()

    def points(self, tenant: str) -> dict[UUID, StoredPoint]:
        with closing(bootstrap.open_store(self.settings)) as store:
            alias = Alias(self.settings.alias_catalog, self.embedder.space.space_id)
            with closing(of_tenant(store, tenant).reader(alias)) as reader:
                found = reader.product_points([*IDS, *ONLY.values(), "missing", "sent"])
        return {point.id: point for points in found.values() for point in points}

    def follow(self) -> None:
        """Applies all events and requests, as the indexer process does."""
        with (
            index_parts(self.settings, self.embedder) as parts,
            closing(bootstrap.open_event_logs(self.settings)) as logs,
            closing(bootstrap.open_embedded_work_queue(self.settings)) as queue,
        ):
            options = FollowOptions(gather_s=0.0, batch_products=4, tenants=True)
            follower = Follower(parts, logs, queue, options, lambda _: None)
            while (request := queue.oldest()) is not None:
                follower.carry_out(request)
            follower.apply_pending()


@pytest.fixture(scope="module")
def mall(tmp_path_factory: pytest.TempPathFactory, tiny_embedder: Embedder) -> Iterator[Mall]:
    folder = tmp_path_factory.mktemp("mall")
    flags = {
        "data_dir": folder / "data",
        "feeds_dir": str(folder / "feeds"),
        "tenants": True,
        "open_search": False,
        "admin_key": ADMIN_KEY,
        "calibrate": False,
    }
    settings = load_settings(flags, environment={}).settings
    feeds = {tenant: write_shop(folder / "feeds" / tenant, tenant) for tenant in (NORTH, SOUTH)}
    with index_parts(settings, tiny_embedder) as parts:
        runs = {tenant: index(parts, feed, tenant) for tenant, feed in feeds.items()}
    with closing(bootstrap.open_embedded_work_queue(settings)) as queue:
        requests = {
            tenant: queue.request_run(RunOrder(feed=str(feed), limit=1, tenant=tenant)).request_id
            for tenant, feed in feeds.items()
        }
    keys = {tenant: key_of(settings, tenant) for tenant in (NORTH, SOUTH)} | {"": ADMIN_KEY}
    with served(create_app(settings, load_embedder=lambda _: tiny_embedder)) as client:
        wait_for_status(client, "/readyz", 200)
        yield Mall(settings, tiny_embedder, client, keys, runs, requests)


Request = dict[str, Any]
Cases = Callable[[Mall], list[Request]]


def with_photo(mall: Mall, path: str = "", **more: Any) -> Request:
    """A request with the other's own picture."""
    return {"path": path, "files": {"file": ("photo.jpg", mall.photo(SOUTH, SHARED), "image/jpeg")}} | more


def their_search(**query: Any) -> Request:
    """A search that should lead to the other's products, if anything does."""
    return {"json": {"limit": 50, "facets": ["brand", "category", "color", "attribute_names", "price"]} | query}


def searches(mall: Mall) -> list[Request]:
    wanted = {"field": "brand", "any_of": [f"{text_of(NORTH)} brand"]}
    own: Request = {"limit": 2, "texts": [{"text": "lamp"}]}
    theirs = mall.ask(SOUTH, "POST", "/v1/search", json=own).json()
    assert theirs["cursor"]
    return [
        their_search(),
        their_search(texts=[{"text": "lamp"}], explain=True, facet_scope="catalog"),
        their_search(products=[{"product_id": ONLY[SOUTH]}]),
        their_search(liked=[{"product_id": ONLY[SOUTH]}], texts=[{"text": "lamp"}]),
        their_search(filter={"not": wanted}),
        their_search(filter={"field": "product_id", "any_of": [ONLY[SOUTH], *IDS]}),
        their_search(filter={"field": "tenant", "any_of": [SOUTH]}),
        their_search(filter={"field": "price_minor", "gte": 20_000}),
        their_search(group_by="item_group", collapse_duplicates=True),
        their_search(sort="price_desc"),
        {"json": own | {"cursor": theirs["cursor"]}},
        {
            "data": {"query": json.dumps({"photos": [{"file": "one"}], "limit": 50, "collapse_duplicates": True})},
            "files": {"one": ("a.jpg", mall.photo(SOUTH, SHARED), "image/jpeg")},
        },
    ]


def products(suffix: str = "", **more: Any) -> Cases:
    return lambda _: [{"path": f"{quoted}{suffix}"} | more for quoted in (ONLY[SOUTH], *IDS, "missing")]


def runs(suffix: str = "") -> Cases:
    return lambda mall: [{"path": f"{name}{suffix}"} for name in (mall.runs[SOUTH].run_id, mall.requests[SOUTH])]


def orders(mall: Mall) -> list[Request]:
    feed = (Path(mall.settings.feeds_dir) / SOUTH / "feed.jsonl").read_bytes()
    return [
        {"json": {"feed": name}}
        for name in ("feed.jsonl", "../south/feed.jsonl", f"{mall.settings.feeds_dir}/south/feed.jsonl")
    ] + [{"files": {"file": ("feed.jsonl", feed.replace(THEIRS.encode(), b"sent"), "application/json")}}]


def changes(mall: Mall) -> list[Request]:
    body = {"title": "sent", "updated_at": "2026-02-01T10:00:00Z"}
    there = "../south/images/1.jpg"
    named = f"{mall.settings.feeds_dir}/south/images/1.jpg"
    return [
        {"path": "p1", "json": body | {"image_refs": ["images/1.jpg"]}},
        {"path": ONLY[SOUTH], "json": body | {"image_refs": ["images/2.jpg"]}},
        *({"path": "sent", "json": body | {"image_refs": [ref]}} for ref in (there, named)),
    ]


CASES: dict[tuple[str, str], Cases] = {
    ("POST", "/v1/search/image"): lambda mall: [with_photo(mall, "?limit=50")],
    ("POST", "/v1/search/text"): lambda _: [{"json": {"text": "lamp", "limit": 50}}],
    ("POST", "/v1/search"): searches,
    ("POST", "/v1/duplicates"): lambda mall: [with_photo(mall)],
    ("POST", "/v1/classify"): lambda mall: [with_photo(mall, data={"labels": "lamp, chair"})],
    ("POST", "/v1/embed"): lambda _: [{"json": {"texts": ["lamp"]}}],
    ("POST", "/v1/regions"): lambda mall: [with_photo(mall)],
    ("GET", "/v1/products/{product_id:path}/images/{position}/heat"): lambda mall: products(
        f"/images/0/heat?toward={packed(np.ones(mall.embedder.space.dim, np.float32))}"
    )(mall),
    ("POST", "/v1/products/{product_id:path}/images/{position}/heat"): lambda mall: [
        with_photo(mall, f"{ONLY[SOUTH]}/images/0/heat")
    ],
    ("GET", "/v1/products/{product_id:path}/images/{position}"): products("/images/0?size=thumbnail"),
    ("GET", "/v1/products/{product_id:path}/similar"): products("/similar?limit=50"),
    ("GET", "/v1/products/{product_id:path}"): products(),
    ("PUT", "/v1/products/{product_id:path}"): changes,
    ("PATCH", "/v1/products/{product_id:path}"): products(json={"price_minor": 7, "currency": "EUR"}),
    ("DELETE", "/v1/products/{product_id:path}"): lambda _: [{"path": name} for name in ("p2", ONLY[SOUTH])],
    ("POST", "/v1/index-runs"): orders,
    ("GET", "/v1/index-runs"): lambda _: [{"path": "?limit=100"}],
    ("GET", "/v1/index-runs/{run_id}"): runs(),
    ("GET", "/v1/index-runs/{run_id}/failures"): runs("/failures"),
    ("POST", "/v1/index-runs/{run_id}/retry"): runs("/retry"),
    ("GET", "/v1/index-status"): lambda _: [{}],
    ("GET", "/v1/serving-status"): lambda _: [{}],
    ("POST", "/v1/session"): lambda _: [{}],
    ("DELETE", "/v1/session"): lambda _: [{}],
    ("GET", "/healthz"): lambda _: [{}],
    ("GET", "/readyz"): lambda _: [{}],
    ("GET", "/metrics"): lambda _: [{}],
    ("GET", "/"): lambda _: [{}],
    ("GET", "/page/{name}"): lambda _: [{"path": "page.js"}],
}
"""How each route is asked for what is the other's. A new route fails the test below until it stands here."""
WHOLE = {"/v1/serving-status"}
"""Of the installation, so refused to a tenant."""


def addressed(path: str, case: Request) -> str:
    """The route's path with what the case puts in place of its first parameter and all behind it."""
    return path.split("{")[0] + str(case.pop("path", ""))


@pytest.fixture(scope="module")
def walked(mall: Mall) -> dict[tuple[str, str], list[httpx.Response]]:
    """The answers to the other's requests, of every route; those that change something come last."""
    before = mall.points(SOUTH)
    app = create_app(mall.settings, load_embedder=lambda _: mall.embedder)
    routes = [
        (method, route.path) for route in routes_of(app) for method in sorted((route.methods or set()) - {"HEAD"})
    ]
    assert set(routes) <= CASES.keys(), "a route that no case asks"
    assert other_paths_of(app) <= {"/openapi.json"}
    answers: dict[tuple[str, str], list[httpx.Response]] = {}
    for method, path in sorted(routes, key=lambda item: (item[0] not in {"GET", "POST"}, item)):
        made = CASES[method, path](mall)
        answers[method, path] = [mall.ask(NORTH, method, addressed(path, case), **case) for case in made]
    mall.follow()
    assert mall.points(SOUTH) == before, "what one tenant asked for changed another's points"
    return answers


def test_no_route_answers_with_anything_of_another_tenant(walked: dict[tuple[str, str], list[httpx.Response]]) -> None:
    for route, answers in walked.items():
        for answer in answers:
            assert answer.status_code < 500, (route, answer.text)
            told = f"{answer.headers!r}{answer.text}".lower()
            assert THEIRS not in told, (route, answer.request.url, answer.text[:500])


def test_what_is_only_the_other_s_is_not_there(walked: dict[tuple[str, str], list[httpx.Response]]) -> None:
    for (method, path), answers in walked.items():
        first = answers[0]
        if "{product_id" in path and method in {"GET", "POST"}:
            assert (first.status_code, first.json()["code"]) == (404, "product_not_found"), (method, path)
        if "{run_id}" in path:
            assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "run_not_found")}
        if path in WHOLE:
            assert (first.status_code, first.json()["code"]) == (403, "installation_only")


def test_searches_find_and_count_the_own_products_alone(walked: dict[tuple[str, str], list[httpx.Response]]) -> None:
    browsed, by_text, by_product, by_liking, *_, by_cursor, by_photo = walked["POST", "/v1/search"]
    own = {*IDS, ONLY[NORTH]}
    assert {hit["product_id"] for hit in browsed.json()["hits"]} == own
    facets = browsed.json()["facets"]
    assert [(item["value"], item["count"]) for item in facets["brand"]["values"]] == [("northern brand", len(own))]
    assert facets["price"]["max_minor"] == 100 * len(own)
    assert {hit["product_id"] for hit in by_text.json()["hits"]} <= own
    assert {answer.json()["code"] for answer in (by_product, by_liking)} == {"product_not_found"}
    assert by_cursor.json()["code"] == "cursor_invalid"
    assert {hit["product_id"] for hit in by_photo.json()["hits"]} <= own
    (copies,) = walked["POST", "/v1/duplicates"]
    assert copies.json()["same_picture"] == [], "it is the other's picture alone"


def test_feeds_and_pictures_of_another_s_folder_cannot_be_named(
    walked: dict[tuple[str, str], list[httpx.Response]], mall: Mall
) -> None:
    own, beside, absolute, uploaded = walked["POST", "/v1/index-runs"]
    assert (own.status_code, uploaded.status_code) == (202, 202)
    assert {answer.json()["code"] for answer in (beside, absolute)} == {"feed_not_found"}
    assert THEIRS.encode() in (Path(mall.settings.feeds_dir) / SOUTH / "feed.jsonl").read_bytes()
    assert {answer.status_code for answer in walked["PUT", "/v1/products/{product_id:path}"][2:]} == {422}


def test_each_has_what_it_changed_itself(walked: dict[tuple[str, str], list[httpx.Response]], mall: Mall) -> None:
    assert walked
    north = {point.payload.product_id: point.payload for point in mall.points(NORTH).values()}
    assert "p2" not in north
    assert north["p3"].price_minor == 7
    assert {payload.tenant for payload in north.values()} == {NORTH}
    south = {point.payload.product_id: point.payload for point in mall.points(SOUTH).values()}
    assert south.keys() == {*IDS, ONLY[SOUTH]}
    assert all(payload.price_minor is not None and payload.price_minor >= 50_000 for payload in south.values())
    with closing(bootstrap.open_event_log(mall.settings, SOUTH)) as log:
        assert log.position() == 0
    listed = mall.ask(SOUTH, "GET", "/v1/index-runs").json()["runs"]
    assert mall.runs[SOUTH].run_id in {run["run_id"] for run in listed}
    assert not {mall.runs[NORTH].run_id, mall.requests[NORTH]} & {run["run_id"] for run in listed}


def test_a_key_of_no_tenant_gets_nothing_but_what_is_of_the_installation(mall: Mall) -> None:
    app = create_app(mall.settings, load_embedder=lambda _: mall.embedder)
    for route in routes_of(app):
        if scope_of(route.dependencies) is None or route.path == "/metrics":
            continue
        for method in sorted((route.methods or set()) - {"HEAD"}):
            for case in CASES[method, route.path](mall):
                answer = mall.ask("", method, addressed(route.path, case), **case)
                if route.path in WHOLE:
                    assert answer.status_code == 200
                else:
                    assert (answer.status_code, answer.json()["code"]) == (403, "tenant_required"), (method, route.path)


def test_searches_at_the_same_time_are_not_mixed_up(mall: Mall) -> None:
    """One query, asked by both at once again and again: caches and shared work are each one's own."""
    wrong: list[str] = []

    def ask(tenant: str, other: str) -> None:
        for round_number in range(12):
            answer = mall.ask(tenant, "POST", "/v1/search", **their_search(texts=[{"text": f"lamp {round_number}"}]))
            if answer.status_code != 200 or text_of(other) in answer.text or text_of(tenant) not in answer.text:
                wrong.append(answer.text)

    threads = [threading.Thread(target=ask, args=pair) for pair in ((NORTH, SOUTH), (SOUTH, NORTH))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    asked: Request = {"json": {"text": "never asked before", "limit": 1}}
    sources = [mall.ask(tenant, "POST", "/v1/search/text", **asked).json() for tenant in (NORTH, SOUTH, NORTH)]
    assert [item["timings_ms"]["embedding_source"] for item in sources] == ["model", "model", "cache"]


def test_a_full_feed_removes_the_own_products_alone(mall: Mall, tmp_path: Path) -> None:
    south = mall.points(SOUTH)
    feed = write_shop(tmp_path / "north", NORTH)
    rows = feed.read_text("utf-8").splitlines()
    feed.write_text("\n".join(rows[:2]) + "\n", "utf-8")
    with index_parts(mall.settings, mall.embedder) as parts:
        record = index(parts, feed, NORTH, full=True)
    assert record.counts.removed
    assert {point.payload.product_id for point in mall.points(NORTH).values()} <= {"p0", "p1", "p2", ONLY[SOUTH]}
    assert mall.points(SOUTH) == south


@pytest.mark.parametrize("command", ["index FEED", "failures", "retry RUN", "calibrate", "tag", "evaluate FEED"])
def test_commands_name_a_tenant_exactly_where_there_are_tenants(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feed = tmp_path / "feed.jsonl"
    feed.write_text("{}\n", "utf-8")
    words = [str(feed) if word == "FEED" else word for word in command.split()]
    for more, said in (
        (["--tenants", "true"], "--tenant NAME"),
        (["--tenants", "true", "--tenant", "No_Name"], "cannot be the name"),
        (["--tenant", "north"], "VITRINE_TENANTS"),
    ):
        assert indexer([*words, "--data-dir", str(tmp_path / "data"), "--model", "demo", *more]) == 2
        assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "data").exists(), "refused before anything was made"


@pytest.mark.parametrize("command", ["reindex FEED", "rollback", "promote"])
def test_what_would_lose_the_others_products_is_refused(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tmp_path / "feed.jsonl") if word == "FEED" else word for word in command.split()]
    assert indexer([*words, "--data-dir", str(tmp_path / "data"), "--tenants", "true"]) == 2
    assert "not possible in an installation with tenants" in " ".join(capsys.readouterr().err.split())


def test_open_search_and_tenants_do_not_go_together(tmp_path: Path) -> None:
    flags = {"data_dir": tmp_path / "data", "tenants": True, "open_search": True}
    with pytest.raises(ConfigurationError, match="open_search"):
        create_app(load_settings(flags, environment={}).settings)


def test_a_tenant_s_key_opens_nothing_where_there_are_no_tenants(mall: Mall) -> None:
    """The setting was turned off: what was indexed without tenants is nobody's of them."""
    settings = mall.settings.model_copy(update={"tenants": False})
    with served(create_app(settings, load_embedder=lambda _: mall.embedder)) as client:
        answer = client.get("/v1/products/p1", headers={"X-API-Key": mall.keys[SOUTH]})
        assert (answer.status_code, answer.json()["code"]) == (403, "installation_only")
        found = client.get("/v1/products/p1", headers={"X-API-Key": ADMIN_KEY})
        assert found.status_code != 200
        assert THEIRS not in found.text
