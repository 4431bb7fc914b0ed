"""Who may do what over HTTP: each route asks for its scope, keys come and go meanwhile, changes are on record."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from indexer.embedding.port import Embedder
from indexer.settings import Settings, load_settings
from search_api.access import Scope
from search_api.app import create_app
from search_api.client import ApiProblem, Client, RetryPolicy
from search_api.indexer_process import IndexerProcess
from search_api.keys.file import KeyFile
from search_api.keys.records import KeyRecord, digest_of, key_id_of, new_key
from search_api.routes.scopes import scope_of
from tests.routes import other_paths_of, routes_of
from tests.served import served, wait_for_status

ADMIN_KEY = "correct horse ü"
PUBLIC = {
    "GET /": "the page; what it shows needs a key",
    "GET /page/{name}": "the page's scripts and styles",
    "GET /healthz": "asked by what keeps the process running",
    "GET /readyz": "asked by what sends it requests",
    "POST /v1/session": "signs in with a key, which it judges itself",
    "DELETE /v1/session": "signs out whoever is",
    "GET /metrics": "has a key of its own",
}
"""Routes that need no scope, and why."""
PRODUCT = {"title": "Red mug", "image_refs": ["https://cdn.shop.example/1.jpg"]}
_DEADLINE_S = 30.0


class Keys:
    """Keys of an installation, by what they are for."""

    def __init__(self, settings: Settings) -> None:
        self.file = KeyFile(settings.keys_path)

    def make(self, *scopes: Scope, expires_at: int | None = None) -> str:
        key = new_key()
        now = int(time.time())
        name = "+".join(sorted(scopes))
        digest = digest_of(key.encode())
        self.file.add(KeyRecord(key_id_of(key), name, frozenset(scopes), "", digest, now, expires_at))
        return key


def settings_for(folder: Path, **flags: Any) -> Settings:
    given = {"data_dir": folder / "data", "admin_key": ADMIN_KEY, "open_search": False}
    return load_settings(given | flags, environment={}).settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_for(tmp_path_factory.mktemp("access"))


@pytest.fixture(scope="module")
def keys(settings: Settings) -> Iterator[Keys]:
    opened = Keys(settings)
    yield opened
    opened.file.close()


@pytest.fixture(scope="module")
def by_scope(keys: Keys) -> dict[Scope, str]:
    return {scope: keys.make(scope) for scope in Scope}


@pytest.fixture(scope="module")
def app(settings: Settings, by_scope: dict[Scope, str], tiny_embedder: Embedder) -> FastAPI:
    return create_app(settings, load_embedder=lambda _: tiny_embedder)


@pytest.fixture(scope="module")
def url(app: FastAPI) -> Iterator[str]:
    with served(app) as opened:
        wait_for_status(opened, "/readyz", 503)  # nothing is indexed, which is all the same here
        yield str(opened.base_url)


def ask(url: str, method: str, path: str, key: str = "", **more: Any) -> httpx.Response:
    headers = {b"X-API-Key": key.encode()} if key else {}
    return httpx.request(method, url + path, headers=headers | more.pop("headers", {}), trust_env=False, **more)


def until_status(url: str, path: str, key: str, status: int) -> httpx.Response:
    deadline_s = time.monotonic() + _DEADLINE_S
    while (answer := ask(url, "GET", path, key)).status_code != status:
        assert time.monotonic() < deadline_s, answer.text
        time.sleep(0.05)
    return answer


def told(answer: httpx.Response) -> dict[str, Any]:
    """All that an answer says, but what differs between any two."""
    headers = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "date"}}
    limits = {name for name in headers if name.startswith("ratelimit")}
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    return {"status": answer.status_code, **{n: v for n, v in headers.items() if n not in limits}, **body}


def test_every_route_needs_a_scope_or_is_on_the_list_of_those_that_need_none(app: FastAPI) -> None:
    routes = routes_of(app)
    assert len(routes) > 20
    for route in routes:
        for method in route.methods or ():
            needs = scope_of(route.dependencies)
            assert (needs is None) == (f"{method} {route.path}" in PUBLIC), f"{method} {route.path}"
    assert other_paths_of(app) <= {"/openapi.json", "/metrics"}


def test_every_route_refuses_who_has_no_key_or_one_for_something_else(
    app: FastAPI, url: str, by_scope: dict[Scope, str]
) -> None:
    asked = 0
    with httpx.Client(base_url=url, trust_env=False) as client:
        for route in routes_of(app):
            needs = scope_of(route.dependencies)
            for method in (route.methods or set()) if needs is not None else ():
                assert needs is not None
                path = route.path.replace(":path", "").replace("{product_id}", "p/1").replace("{position}", "0")
                path = path.replace("{run_id}", "r1")
                where = f"{method} {path}"
                # a body that is none: before the key is judged it must not even be looked at
                refused = client.request(method, path, content=b"{", headers={"Content-Type": "application/json"})
                assert refused.status_code == 401, where
                assert refused.headers["www-authenticate"] == "Bearer", where
                wanted = "admin_key_required" if needs.scope is Scope.ADMIN else "key_required"
                assert refused.json()["code"] == wanted, where
                asked += 1
                if method == "GET":
                    assert client.head(path).status_code in {401, 405}, where
                for scope, key in by_scope.items():
                    answer = client.request(method, path, content=b"{", headers={"X-API-Key": key})
                    if scope is needs.scope:
                        assert answer.status_code not in {401, 403}, where
                    else:
                        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), where
    assert asked > 20


def test_the_admin_key_of_the_settings_may_do_everything(url: str) -> None:
    assert ask(url, "GET", "/v1/products/p1", ADMIN_KEY).json()["code"] == "collection_not_found"
    assert ask(url, "POST", "/v1/embed", ADMIN_KEY, json={"texts": ["a"]}).status_code == 200
    assert ask(url, "GET", "/v1/index-runs", ADMIN_KEY).status_code == 200


def test_no_answer_tells_why_a_key_is_not_accepted(url: str, keys: Keys, by_scope: dict[Scope, str]) -> None:
    good = by_scope[Scope.SEARCH]
    expired, revoked = keys.make(Scope.SEARCH, expires_at=int(time.time()) - 1), keys.make(Scope.SEARCH)
    keys.file.revoke(key_id_of(revoked), time.time())
    until_status(url, "/v1/products/p1", revoked, 401)
    wrong_secret = good[:-4] + ("0000" if not good.endswith("0000") else "1111")
    answers = [
        told(ask(url, "GET", "/v1/products/p1", key))
        for key in ("", new_key(), expired, revoked, wrong_secret, good[:-1], f"{good}0", "x", "ü", "vitrine__")
    ]
    assert answers[0]["status"] == 401
    assert all(answer == answers[0] for answer in answers)


def test_keys_count_from_when_they_are_made_until_they_are_revoked(url: str, keys: Keys) -> None:
    key = keys.make(Scope.SEARCH)
    until_status(url, "/v1/products/p1", key, 503)
    bearer = {"Authorization": f"Bearer {key}"}
    assert ask(url, "GET", "/v1/products/p1", headers=bearer).status_code == 503
    keys.file.revoke(key_id_of(key), time.time())
    until_status(url, "/v1/products/p1", key, 401)
    assert ask(url, "GET", "/v1/products/p1", headers=bearer).status_code == 401


def test_who_signs_in_may_search_without_a_header_but_change_nothing(
    url: str, keys: Keys, by_scope: dict[Scope, str]
) -> None:
    everything = keys.make(*Scope)
    until_status(url, "/v1/products/p1", everything, 503)
    answer = ask(url, "POST", "/v1/session", everything)
    assert answer.json() == {"key": "admin+embed+search", "scopes": ["embed", "search"], "tenant": ""}
    assert answer.headers["cache-control"] == "no-store"
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "strict", "/", "")
    assert everything not in answer.headers["set-cookie"]
    with httpx.Client(base_url=url, trust_env=False, cookies={cookie.key: cookie.value}) as page:
        assert page.get("/v1/products/p1").status_code == 503
        assert page.post("/v1/embed", json={"texts": ["a"]}).status_code == 200
        assert page.get("/v1/index-runs").json()["code"] == "scope_missing"
        assert page.put("/v1/products/p1", json=PRODUCT).status_code == 403
        # a key that is sent is what counts, right or wrong
        assert page.get("/v1/products/p1", headers={"X-API-Key": "x"}).status_code == 401
        assert page.delete("/v1/session").status_code == 204
        page.cookies.set(cookie.key, cookie.value)  # and keeps it all the same
        assert page.get("/v1/products/p1").status_code == 401
    for key, status, code in (("", 401, "key_required"), (new_key(), 401, "key_required")):
        refused = ask(url, "POST", "/v1/session", key)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert "set-cookie" not in refused.headers
    assert ask(url, "POST", "/v1/session", by_scope[Scope.ADMIN]).json()["code"] == "scope_missing"


@pytest.mark.parametrize("given", ["x", "0" * 64, "ü", ""])
def test_cookies_that_nobody_was_given_count_for_nothing(url: str, given: str) -> None:
    headers = {b"Cookie": f"vitrine_session={given}".encode()}
    assert ask(url, "GET", "/v1/products/p1", headers=headers).status_code == 401


def test_a_session_ends_with_its_key(url: str, keys: Keys) -> None:
    key = keys.make(Scope.SEARCH)
    until_status(url, "/v1/products/p1", key, 503)
    with httpx.Client(base_url=url, trust_env=False) as page:
        assert page.post("/v1/session", headers={"X-API-Key": key}).status_code == 200
        assert page.get("/v1/products/p1").status_code == 503
        keys.file.revoke(key_id_of(key), time.time())
        deadline_s = time.monotonic() + _DEADLINE_S
        while page.get("/v1/products/p1").status_code != 401:
            assert time.monotonic() < deadline_s


def test_a_session_of_the_admin_key_outlives_a_restart_but_not_another_admin_key(
    url: str, settings: Settings, tiny_embedder: Embedder
) -> None:
    with httpx.Client(base_url=url, trust_env=False) as page:
        assert page.post("/v1/session", headers={b"X-API-Key": ADMIN_KEY.encode()}).status_code == 200
        assert page.get("/v1/products/p1").status_code == 503
        assert page.get("/v1/index-runs").status_code == 403
        cookies = dict(page.cookies)
    for admin_key, status in ((ADMIN_KEY, 503), ("another", 401), ("", 401)):
        changed = settings.model_copy(update={"admin_key": type(settings.admin_key)(admin_key)})
        with served(create_app(changed, load_embedder=lambda _: tiny_embedder)) as client:
            wait_for_status(client, "/readyz", 503)
            client.cookies.update(cookies)
            deadline_s = time.monotonic() + _DEADLINE_S
            while (answer := client.get("/v1/products/p1")).json()["code"] == "model_loading":
                assert time.monotonic() < deadline_s
            assert answer.status_code == status


def test_by_https_the_cookie_is_for_this_host_and_https_alone(
    app: FastAPI, url: str, by_scope: dict[Scope, str]
) -> None:
    transport = httpx.ASGITransport(app)
    key = by_scope[Scope.SEARCH]

    async def sign_in() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
            return await client.post("/v1/session", headers={"X-API-Key": key})

    answer = asyncio.run(sign_in())
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert (cookie.key, cookie["secure"], cookie["path"]) == ("__Host-vitrine_session", True, "/")
    # sent by plain HTTP under its name there, it is not looked at, nor the other way round
    assert ask(url, "GET", "/v1/products/p1", headers={"Cookie": f"{cookie.key}={cookie.value}"}).status_code == 401


def test_where_searching_is_open_a_wrong_key_is_refused_all_the_same(tmp_path: Path, tiny_embedder: Embedder) -> None:
    settings = settings_for(tmp_path, open_search=True, admin_key="")
    with served(create_app(settings, load_embedder=lambda _: tiny_embedder)) as client:
        wait_for_status(client, "/readyz", 503)
        assert client.get("/v1/products/p1").status_code == 503
        assert client.get("/v1/products/p1", headers={"Authorization": "Basic eDp5"}).status_code == 503
        assert client.get("/v1/products/p1", headers={"X-API-Key": new_key()}).status_code == 401
        assert client.get("/v1/index-runs").json()["code"] == "admin_disabled"
        assert not settings.keys_path.exists()
        keys = Keys(settings)
        admin = keys.make(Scope.ADMIN)
        keys.file.close()
        # the admin routes open in the running server, with the first key for them
        until_status(str(client.base_url), "/v1/index-runs", admin, 200)
        assert client.get("/v1/index-runs").json()["code"] == "admin_key_required"
        assert client.get("/v1/products/p1", headers={"X-API-Key": admin}).json()["code"] == "scope_missing"


def test_what_admins_change_is_on_record(url: str, settings: Settings, keys: Keys, by_scope: dict[Scope, str]) -> None:
    log = settings.data_dir / "audit.jsonl"
    before = log.read_text().splitlines() if log.exists() else []
    key = by_scope[Scope.ADMIN]
    headers = {"X-Request-ID": "r-77"}
    assert ask(url, "PUT", "/v1/products/a%2Fb", key, json=PRODUCT, headers=headers).status_code == 202
    assert ask(url, "PATCH", "/v1/products/p1", ADMIN_KEY, json={"nope": 1}).status_code == 422
    assert ask(url, "POST", "/v1/index-runs", key, json={"feed": "none.xml"}).status_code == 422
    assert ask(url, "POST", "/v1/index-runs", key, files={"file": ("up.jsonl", b"{}")}).status_code == 422
    assert ask(url, "POST", "/v1/index-runs/r1/retry", key).status_code == 404
    assert ask(url, "DELETE", "/v1/products/p1", by_scope[Scope.SEARCH]).status_code == 403
    assert ask(url, "GET", "/v1/index-runs", key).status_code == 200
    assert ask(url, "DELETE", "/v1/products/p1", new_key()).status_code == 401
    entries = [json.loads(line) for line in log.read_text("ascii").splitlines()[len(before) :]]
    found = [(item["who"], item["action"], item["target"], item["outcome"], item["status"]) for item in entries]
    admin = key_id_of(key)
    assert found == [
        (admin, "put_product", "a/b", "done", 202),
        ("admin-key", "patch_product", "p1", "request_invalid", 422),
        (admin, "request_run", "none.xml", "feed_not_found", 422),
        (admin, "request_run", "up.jsonl", "feed_not_found", 422),
        (admin, "retry_run", "r1", "run_not_found", 404),
        (key_id_of(by_scope[Scope.SEARCH]), "delete_product", "p1", "scope_missing", 403),
    ]
    assert (entries[0]["name"], entries[0]["address"], entries[0]["request_id"]) == ("admin", "127.0.0.1", "r-77")
    assert all(item["request_id"] for item in entries)


def test_what_cannot_be_put_on_record_is_not_done(tmp_path: Path, tiny_embedder: Embedder) -> None:
    settings = settings_for(tmp_path)
    (settings.data_dir / "audit.jsonl").mkdir(parents=True)
    headers = {b"X-API-Key": ADMIN_KEY.encode()}
    with served(create_app(settings, load_embedder=lambda _: tiny_embedder)) as client:
        wait_for_status(client, "/readyz", 503)
        answer = client.put("/v1/products/p1", json=PRODUCT, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "audit_unavailable")
        (settings.data_dir / "audit.jsonl").rmdir()
        assert client.put("/v1/products/p1", json=PRODUCT, headers=headers).json()["sequence"] == 1


def test_the_description_says_whether_a_key_is_needed(url: str) -> None:
    described = ask(url, "GET", "/openapi.json").json()["paths"]
    assert {} not in described["/v1/search"]["post"]["security"]


def test_the_client_sends_its_key_with_every_call(url: str, keys: Keys) -> None:
    everything = keys.make(*Scope)
    until_status(url, "/v1/products/p1", everything, 503)
    policy = RetryPolicy(attempts=1)
    for key, code in ((everything, "collection_not_found"), ("", "key_required")):
        with Client(url, key=key, policy=policy) as shop, pytest.raises(ApiProblem) as caught:
            shop.product("p1")
        assert caught.value.code == code
    with Client(url, key=everything, policy=policy) as shop:
        assert shop.runs().runs == []
        assert everything.split("_")[2] not in repr(shop._address)
    with httpx.Client(trust_env=False) as browser:
        Client(url, key=everything, http=browser).sign_in()
        assert Client(url, http=browser).embed_texts(["red"]).dim > 0
        Client(url, http=browser).sign_out()
        with pytest.raises(ApiProblem, match="key"):
            Client(url, http=browser).embed_texts(["red"])


def test_no_indexer_is_started_before_anybody_could_give_it_work(settings: Settings) -> None:
    asked = threading.Event()

    def wanted() -> bool:
        asked.set()
        return False

    indexer = IndexerProcess(settings, wanted=wanted)
    indexer.start()
    assert asked.wait(_DEADLINE_S)
    assert indexer.pid is None
    indexer.stop()
    assert indexer.pid is None
