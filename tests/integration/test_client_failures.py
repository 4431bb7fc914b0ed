"""What the clients make of answers that are none: over real connections, to a server that fails as it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search_api.client import ApiAnswerInvalid, ApiProblem, ApiTimeout, ApiUnreachable, FindQuery, RetryPolicy, TextPart
from tests.either_client import EitherClient, Kind
from tests.processes import free_port
from tests.scripted_server import Scripted, scripted_server

POLICY = RetryPolicy(deadline_s=20, timeout_s=10, attempts=3, first_pause_s=0.01)
OK = Scripted()


def refusal(status: int, code: str, **headers: str) -> Scripted:
    body = {"type": "about:blank", "title": "", "status": status, "code": code, "detail": "Because."}
    return Scripted(status, json.dumps(body).encode(), {"Content-Type": "application/problem+json", **headers})


BUSY = refusal(503, "overloaded", **{"Retry-After": "0"})


@pytest.fixture(params=["blocking", "awaiting"])
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.mark.parametrize(
    "failure",
    [BUSY, refusal(429, ""), Scripted(502, b"<h1>Bad"), Scripted(cut=True)],
    ids=["503", "429", "502", "cut"],
)
def test_what_passes_is_tried_again(kind: Kind, failure: Scripted) -> None:
    with scripted_server([failure, failure, OK]) as server:
        assert EitherClient(kind, server.url, policy=POLICY)("health") == {"status": "ok"}
        assert len(server.received) == 3


def test_a_photo_is_sent_again_as_a_whole(kind: Kind, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8" * 50_000)
    answer = Scripted(body=b'{"vectors": [[1.0]], "space_id": "s", "dim": 1}')
    with scripted_server([BUSY, answer]) as server:
        found = EitherClient(kind, server.url, policy=POLICY)("embed_photos", [tmp_path / "photo.jpg"])
        first, second = server.received
    assert found.vectors == [[1.0]]
    assert len(first.body) > 100_000
    assert first.body.count(b"\xff\xd8") == second.body.count(b"\xff\xd8") == 50_000


def test_it_gives_up_with_what_the_api_said(kind: Kind) -> None:
    with scripted_server([refusal(503, "overloaded", **{"Retry-After": "0", "X-Request-ID": "r-17"})]) as server:
        with pytest.raises(ApiProblem) as caught:
            EitherClient(kind, server.url, policy=POLICY)("search_text", "red mug")
        assert len(server.received) == 3
    problem = caught.value
    assert (problem.status, problem.code, problem.detail) == (503, "overloaded", "Because.")
    assert (problem.request_id, problem.retry_after_s) == ("r-17", 0.0)
    assert str(problem) == "503 overloaded: Because. (request r-17)"
    assert problem.__notes__[0].startswith("3 attempts in ")


def test_a_date_to_come_back_at_is_understood(kind: Kind) -> None:
    again = {"Retry-After": "Wed, 21 Oct 2065 07:28:00 GMT"}
    with scripted_server([refusal(503, "overloaded", **again)]) as server:
        with pytest.raises(ApiProblem) as caught:
            EitherClient(kind, server.url, policy=POLICY)("health")
        assert len(server.received) == 1  # that is beyond the deadline
    assert (caught.value.retry_after_s or 0) > 1e9


@pytest.mark.parametrize("answer", [refusal(503, "collection_not_found"), refusal(500, "")], ids=["503", "500"])
def test_what_stays_is_told_at_once(kind: Kind, answer: Scripted) -> None:
    with scripted_server([answer]) as server:
        with pytest.raises(ApiProblem):
            EitherClient(kind, server.url, policy=POLICY)("health")
        assert len(server.received) == 1


@pytest.mark.parametrize("failure", [BUSY, Scripted(cut=True)], ids=["503", "cut"])
def test_an_index_run_is_asked_for_once(kind: Kind, failure: Scripted) -> None:
    with scripted_server([failure]) as server:
        with pytest.raises((ApiProblem, ApiUnreachable)):
            EitherClient(kind, server.url, policy=POLICY)("request_run", "feed.xml")
        assert len(server.received) == 1


def test_nobody_there(kind: Kind) -> None:
    with pytest.raises(ApiUnreachable) as caught:
        EitherClient(kind, f"http://127.0.0.1:{free_port()}", policy=POLICY)("request_run", "feed.xml")
    assert not caught.value.sent
    assert caught.value.__notes__[0].startswith("3 attempts in ")


@pytest.mark.parametrize(
    "slow", [Scripted(hang_s=60), Scripted(drip_s=0.05, body=b" " * 1000)], ids=["silent", "drips"]
)
def test_there_is_an_end_to_waiting(kind: Kind, slow: Scripted) -> None:
    """Whether nothing comes, or a byte now and then, at which the connection never looks idle."""
    policy = RetryPolicy(deadline_s=0.4, timeout_s=0.3, attempts=9, first_pause_s=0.01)
    with scripted_server([slow]) as server, pytest.raises((ApiTimeout, ApiUnreachable)):
        EitherClient(kind, server.url, policy=policy)("health")


@pytest.mark.parametrize("body", [b"<html>", b'{"hits": 5}', b"", b"[]"])
def test_an_answer_of_something_else_is_told(kind: Kind, body: bytes) -> None:
    with scripted_server([Scripted(body=body)]) as server:
        with pytest.raises(ApiAnswerInvalid, match="no SearchResponse"):
            EitherClient(kind, server.url, policy=POLICY)("search_text", "red mug")
        assert len(server.received) == 1


def test_fields_of_tomorrow_are_passed_over_and_those_not_given_are_not_sent(kind: Kind) -> None:
    answer = b'{"vectors": [[1.0]], "space_id": "s", "dim": 1, "new": {"field": 1}}'
    query = FindQuery(texts=[TextPart(text="red")], limit=3)
    with scripted_server([Scripted(body=answer)]) as server:
        client = EitherClient(kind, server.url, policy=POLICY)
        assert client("embed_texts", ["red"]).dim == 1
        with pytest.raises(ApiAnswerInvalid):
            client("search", query)
    assert json.loads(server.received[1].body) == {"texts": [{"text": "red"}], "limit": 3}


def test_a_picture_elsewhere_is_not_fetched(kind: Kind) -> None:
    elsewhere = Scripted(307, b"", {"Location": "https://cdn.shop.example/1.jpg"})
    with scripted_server([elsewhere]) as server:
        found = EitherClient(kind, server.url, policy=POLICY)("product_image", "p1")
    assert (found.url, found.jpeg) == ("https://cdn.shop.example/1.jpg", b"")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://shop.example", "http://", "/v1"])
def test_what_is_no_address_is_refused_at_once(kind: Kind, url: str) -> None:
    with pytest.raises(ValueError, match="no address of an API"):
        EitherClient(kind, url)("health")


def test_an_api_below_a_path(kind: Kind) -> None:
    with scripted_server([OK]) as server:
        EitherClient(kind, f"{server.url}/shop/search/")("health")
        assert server.received[0].path == "/shop/search/healthz"
