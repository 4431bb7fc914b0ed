"""How often and how many at once: by address, by key and in all, told in every answer and shared over Redis."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from indexer.embedding.port import Embedder
from indexer.rate_limits.port import Rate
from indexer.settings import load_settings
from search_api.limits import refusals
from search_api.limits.json_shape import MAX_DEPTH
from tests.raw_http import RawConnection, head
from tests.redis_server import RedisServer
from tests.served import served_as_configured

SLOWLY = 0.001
"""Requests a second, so that nothing to speak of comes back while a test runs."""


@pytest.fixture
def api(tmp_path: Path, tiny_embedder: Embedder) -> Iterator[Any]:
    """Opens servers with nothing indexed; what is limited is limited before that matters."""
    with ExitStack() as stack:

        def open_it(**flags: Any) -> httpx.Client:
            settings = load_settings({"data_dir": tmp_path, **flags}, environment={}).settings
            return stack.enter_context(served_as_configured(settings, tiny_embedder))

        yield open_it


def asked(client: httpx.Client, **headers: str) -> httpx.Response:
    """An answer that costs nothing and counts as a whole request."""
    return client.get("/v1/nothing", headers={name.replace("_", "-"): value for name, value in headers.items()})


def left(response: httpx.Response) -> tuple[int, int]:
    return int(response.headers["ratelimit-limit"]), int(response.headers["ratelimit-remaining"])


def refused(response: httpx.Response, code: str) -> str:
    assert response.status_code == 429
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == code
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert int(response.headers["retry-after"]) >= 1
    detail: str = response.json()["detail"]
    return detail


def test_an_address_may_ask_so_often(api: Any) -> None:
    client = api(address_requests_per_s=0.1, address_burst_requests=3)
    assert [left(asked(client)) for _ in range(3)] == [(3, 2), (3, 1), (3, 0)]
    answer = asked(client)
    assert (
        refused(answer, "rate_limited")
        == f"This address asks too often. Try again in {answer.headers['retry-after']} s."
    )
    assert 5 <= int(answer.headers["retry-after"]) <= 10
    assert 25 <= int(answer.headers["ratelimit-reset"]) <= 30
    refused(client.get("/v1/index-runs"), "rate_limited")
    refused(client.post("/v1/search/text", content=b"x" * 100_000), "rate_limited")
    refused(client.get("/"), "rate_limited")
    for path in ("/healthz", "/readyz"):
        assert client.get(path).status_code != 429, "a balancer must not take the server away"


def test_pictures_count_a_tenth(api: Any) -> None:
    client = api(address_requests_per_s=SLOWLY, address_burst_requests=3)
    for _ in range(20):
        assert client.get("/v1/products/a/images/0?size=thumbnail").status_code != 429
    assert left(asked(client)) == (3, 0)
    refused(asked(client), "rate_limited")


def test_a_wrong_key_costs_ten_requests(api: Any) -> None:
    client = api(address_requests_per_s=SLOWLY, address_burst_requests=25, admin_key="secret")
    answers = [client.get("/v1/index-runs", headers={"X-API-Key": "guess"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    refused(asked(client), "rate_limited")


def test_a_key_may_ask_so_often_wherever_from(api: Any) -> None:
    client = api(key_requests_per_s=SLOWLY, key_burst_requests=3, admin_key="secret", trusted_proxies="127.0.0.1")
    for number in range(3):
        answer = asked(client, X_API_Key="secret", X_Forwarded_For=f"203.0.113.{number}")
        assert left(answer) == (3, 2 - number), "the bucket that has the least"
    answer = asked(client, X_API_Key="secret", X_Forwarded_For="203.0.113.9")
    assert refused(answer, "rate_limited").startswith("This key asks too often.")
    assert left(asked(client, X_Forwarded_For="203.0.113.9"))[0] == 1000, "others are not concerned"


def test_whose_address_it_is_only_trusted_proxies_say(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    limits = {"address_requests_per_s": SLOWLY, "address_burst_requests": 1}
    behind = api(**limits, trusted_proxies="127.0.0.0/8,10.0.0.0/24")
    assert asked(behind, X_Forwarded_For="203.0.113.1").status_code == 404
    assert asked(behind, X_Forwarded_For="203.0.113.2").status_code == 404
    refused(asked(behind, X_Forwarded_For="203.0.113.1"), "rate_limited")
    refused(asked(behind, X_Forwarded_For="198.51.100.7, 203.0.113.1"), "rate_limited")
    refused(asked(behind, X_Forwarded_For="198.51.100.8, 203.0.113.1, 10.0.0.7"), "rate_limited")
    assert asked(behind, X_Forwarded_For="2001:db8::1").status_code == 404
    refused(asked(behind, X_Forwarded_For="2001:db8::2"), "rate_limited")
    assert asked(behind, X_Forwarded_For="garbage").status_code == 404
    refused(asked(behind, X_Forwarded_For="other garbage"), "rate_limited")

    open_to_all = api(**limits)
    with caplog.at_level(logging.WARNING, "search_api.limits.rates"):
        assert asked(open_to_all, X_Forwarded_For="203.0.113.1").status_code == 404
        for number in range(3):
            refused(asked(open_to_all, X_Forwarded_For=f"203.0.113.{number}"), "rate_limited")
    (told,) = caplog.messages
    assert told.startswith("127.0.0.1 is limited as one client")
    assert "trusted_proxies" in told


def test_who_goes_on_asking_is_refused_late(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals cost time, too: without a pace, one client's could take the server from all others."""
    late: list[float] = []

    async def sleep(seconds: float) -> None:
        late.append(seconds)

    monkeypatch.setattr(refusals, "QUICK", Rate(per_s=SLOWLY, burst=3))
    client = api(address_requests_per_s=SLOWLY, address_burst_requests=1, trusted_proxies="127.0.0.1")
    assert asked(client).status_code == 404
    monkeypatch.setattr(refusals, "asyncio", SimpleNamespace(sleep=sleep))
    for _ in range(3):
        refused(asked(client), "rate_limited")
    assert not late
    for _ in range(2):
        refused(asked(client), "rate_limited")
    assert late == [1.0, 1.0]
    assert asked(client, X_Forwarded_For="203.0.113.1").status_code == 404
    refused(asked(client, X_Forwarded_For="203.0.113.1"), "rate_limited")
    assert late == [1.0, 1.0], "others are told at once"


def test_no_limits(api: Any) -> None:
    client = api(address_requests_per_s=0, address_concurrency=0)
    answer = asked(client)
    assert answer.status_code == 404
    assert "ratelimit-limit" not in answer.headers


def test_processes_share_their_buckets_in_redis_and_go_on_alone(
    api: Any, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    limits = {"address_requests_per_s": SLOWLY, "address_burst_requests": 4, "redis_url": redis_server.url}
    first, second = api(**limits), api(**limits)
    taken = [asked(client).status_code for client in (first, second, first, second, first, second)]
    assert taken == [404, 404, 404, 404, 429, 429]
    redis_server.kill()
    with caplog.at_level(logging.WARNING, "indexer.rate_limits"):
        assert [asked(first).status_code for _ in range(5)] == [404, 404, 404, 404, 429]
        assert [asked(second).status_code for _ in range(5)] == [404, 404, 404, 404, 429]
    assert len([message for message in caplog.messages if "each process alone" in message]) == 2, "said once by each"


@contextmanager
def under_way(client: httpx.Client, count: int, *headers: str) -> Iterator[None]:
    """So many requests whose bodies do not end, until the end of the block."""
    with ExitStack() as stack:
        connections = [stack.enter_context(RawConnection(client)) for _ in range(count)]
        for connection in connections:
            start = head("POST", "/v1/search/text", "Content-Type: application/json", "Content-Length: 3", *headers)
            connection.send(start + b"{")
            connection.send(b" ")
        assert client.get("/healthz").status_code == 200
        yield
        for connection in connections:
            connection.send(b"}")
            assert connection.answer().status == 422


def test_one_address_has_so_many_requests_under_way(api: Any) -> None:
    client = api(address_concurrency=3, admin_key="secret", trusted_proxies="127.0.0.1")
    with under_way(client, 3):
        assert refused(asked(client), "too_many_at_once").startswith("This address has 3 requests under way")
        assert asked(client, X_Forwarded_For="203.0.113.1").status_code == 404
        assert asked(client, X_API_Key="secret").status_code == 404
        assert client.get("/v1/products/a/images/0").status_code != 429
    assert asked(client).status_code == 404


def test_one_key_has_so_many_requests_under_way(api: Any) -> None:
    client = api(key_concurrency=2, admin_key="secret")
    with under_way(client, 2, "X-API-Key: secret"):
        assert refused(asked(client, X_API_Key="secret"), "too_many_at_once").startswith("This key has 2 requests")
        assert asked(client).status_code == 404


def test_so_many_requests_are_under_way_at_once(api: Any) -> None:
    client = api(address_concurrency=0, request_concurrency=4)
    with under_way(client, 4):
        answer = asked(client)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"
        assert client.get("/v1/products/a/images/0").status_code == 503
        assert client.get("/healthz").status_code == 200
    assert asked(client).status_code == 404


def test_a_client_that_hangs_up_gives_its_place_back(api: Any) -> None:
    client = api(address_concurrency=1)
    with RawConnection(client) as connection:
        connection.send(head("POST", "/v1/search/text", "Content-Type: application/json", "Content-Length: 3") + b"{")
        while asked(client).status_code != 429:
            pass
    while asked(client).status_code != 404:
        pass


def test_pages_of_other_sites_may_ask_if_they_are_named(api: Any) -> None:
    client = api(cors_origins="https://shop.example", address_requests_per_s=SLOWLY, address_burst_requests=1)
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-api-key"}
    for _ in range(3):
        answer = client.options("/v1/search", headers={"Origin": "https://shop.example", **preflight})
        assert answer.status_code == 200, "asking whether one may ask is not limited"
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert "access-control-allow-credentials" not in answer.headers
    strange = client.options("/v1/search", headers={"Origin": "https://evil.example", **preflight})
    assert strange.status_code == 400
    assert "access-control-allow-origin" not in strange.headers
    admin = client.options(
        "/v1/products/a", headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "DELETE"}
    )
    assert admin.status_code == 400
    assert asked(client, Origin="https://shop.example").headers["access-control-allow-origin"] == "https://shop.example"
    limited = asked(client, Origin="https://shop.example")
    refused(limited, "rate_limited")
    assert limited.headers["access-control-allow-origin"] == "https://shop.example", "a page can read why"
    assert "Retry-After" in limited.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in asked(client, Origin="https://evil.example").headers


def test_nobody_else_may_without_a_list(api: Any) -> None:
    client = api()
    answer = asked(client, Origin="https://shop.example")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert client.options("/v1/search", headers={"Origin": "https://shop.example"}).status_code == 405


def test_json_is_bounded_in_depth_and_size_before_it_is_parsed(api: Any) -> None:
    client = api(image_max_bytes=100_000)

    def answer(content: bytes, path: str = "/v1/search/text", kind: str = "application/json") -> tuple[int, str]:
        response = client.post(path, content=content, headers={"Content-Type": kind})
        return response.status_code, response.json()["code"]

    deep = b'{"text": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    for path in ("/v1/search/text", "/v1/search", "/v1/classify", "/v1/embed"):
        assert answer(deep, path) == (422, "json_too_deep")
        assert answer(deep, path, "text/plain")[1] in {"json_too_deep", "image_not_an_image", "request_invalid"}, path
    assert answer(b'{"filter": ' + b'{"not": ' * 10_000, "/v1/search") == (422, "json_too_deep")
    assert answer(b'{"text": "' + b"a" * 3_000_000 + b'"}') == (413, "json_too_large")
    assert answer(b'{"a": [' + b"0," * 200_000 + b"0]}") == (413, "json_too_large")
    assert answer(b'{"photos": [{"data": "' + b"A" * 300_000 + b'"}]}', "/v1/search") == (413, "image_too_large")
    assert answer(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) == (422, "request_invalid")
    form = client.post("/v1/search", files={"a": b""}, data={"query": deep.decode()})
    assert (form.status_code, form.json()["code"]) == (422, "json_too_deep")


@pytest.mark.parametrize("path", ["/v1/search", "/v1/search/image", "/v1/regions", "/v1/duplicates", "/v1/classify"])
def test_parts_of_forms_are_bounded(api: Any, path: str) -> None:
    client = api()
    disposition = 'Content-Disposition: form-data; name="file"'
    forms = {
        "files": f'--b\r\n{disposition}; filename="a"\r\n\r\nx\r\n' * 2_000,
        "fields": f"--b\r\n{disposition}\r\n\r\nx\r\n" * 5_000,
        "headers": "--b\r\n" + "".join(f"A{number}: x\r\n" for number in range(100)) + f"{disposition}\r\n\r\nx\r\n",
        "a header": f"--b\r\nA: {'x' * 10_000}\r\n{disposition}\r\n\r\nx\r\n",
        "a field": f"--b\r\n{disposition}\r\n\r\n{'x' * 2_000_000}\r\n",
        "no name": "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n",
        "nothing": "",
    }
    for name, form in forms.items():
        content = (form + "--b--\r\n").encode()
        response = client.post(path, content=content, headers={"Content-Type": "multipart/form-data; boundary=b"})
        assert 400 <= response.status_code < 500, name
        assert response.headers["content-type"] == "application/problem+json", name
    long = client.post(path, content=b"", headers={"Content-Type": "multipart/form-data; boundary=" + "b" * 5_000})
    assert long.status_code == 400
