"""The Qdrant adapter over a connection: keys, refusals, silence, layout. What fails is a stand-in, which obeys."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from qdrant_client import QdrantClient

from indexer import bootstrap
from indexer.errors import CollectionNotFound, StoreRefused, StoreUnavailable
from indexer.settings import load_settings
from indexer.store.port import Alias, BatchChange
from indexer.store.qdrant_gateway import QdrantGateway
from indexer.store.qdrant_options import ServerAddress, ServerOptions
from indexer.store.qdrant_store import QdrantStore
from indexer.store.queries import SearchQuery
from indexer.store.retries import RetryPolicy, Setback, with_retries
from indexer.store.tuning import IndexTuning
from tests.points import made_up_point, made_up_space, unit_vector
from tests.qdrant_server import REAL_URL, control, remove_catalog

SPACE = made_up_space()
TUNING = IndexTuning(exact_below=200)


def connected(url: str, *, key: str = "", patience_s: float = 30.0, timeout_s: int = 10) -> QdrantStore:
    options = ServerOptions(retries=RetryPolicy(patience_s=patience_s, first_wait_s=0.05, longest_wait_s=0.5))
    address = ServerAddress(url, api_key=key, prefer_grpc=bool(REAL_URL) and url == REAL_URL, timeout_s=timeout_s)
    return QdrantStore(QdrantGateway.connect(address, TUNING, options), options)


@pytest.fixture
def alias() -> Alias:
    return Alias(f"test_{secrets.token_hex(6)}", SPACE.space_id)


def publish(store: QdrantStore, alias: Alias, count: int = 3) -> str:
    writer = store.writer(alias, SPACE)
    writer.write(BatchChange(points=tuple(made_up_point(f"p{number}", 0, seed=number) for number in range(count))))
    writer.publish()
    return writer.collection


def test_a_server_that_refuses_for_a_while_is_asked_again(stand_in_url: str, alias: Alias) -> None:
    store = connected(stand_in_url)
    publish(store, alias)
    control(stand_in_url, refuse_s=2)
    writer = store.writer(alias, SPACE)
    writer.write(BatchChange(points=(made_up_point("p9", 0, seed=9),)))
    assert store.reader(alias).status().points == 4
    store.close()


def test_one_that_refuses_for_longer_is_given_up(stand_in_url: str, alias: Alias) -> None:
    store = connected(stand_in_url, patience_s=0.3)
    publish(store, alias)
    control(stand_in_url, refuse_s=60)
    before = control(stand_in_url)["calls"]["aliases"]
    with pytest.raises(StoreUnavailable, match=r"does not answer: 503 .*the stand-in refuses"):
        store.reader(alias).status()
    assert 2 <= control(stand_in_url)["calls"]["aliases"] - before <= 8
    store.close()


def test_one_that_says_nothing_is_not_waited_for_without_end(stand_in_url: str, alias: Alias) -> None:
    store = connected(stand_in_url, patience_s=0.0, timeout_s=1)
    publish(store, alias)
    control(stand_in_url, pause_s=60)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.reader(alias).status()
    control(stand_in_url, pause_s=0)
    assert store.reader(alias).status().points == 3
    store.close()


def test_nobody_there_is_told_at_once() -> None:
    with pytest.raises(StoreUnavailable, match="qdrant_url"):
        connected("http://127.0.0.1:9")


def test_a_wrong_key_is_not_tried_again(stand_in_url: str) -> None:
    control(stand_in_url, key="right", read_only_key="reader")
    before = control(stand_in_url)["calls"].get("names", 0)
    with pytest.raises(StoreRefused, match="401"):
        connected(stand_in_url, key="wrong")
    assert control(stand_in_url)["calls"]["names"] - before == 1


def test_the_api_reads_with_a_key_that_cannot_write(stand_in_url: str, alias: Alias) -> None:
    control(stand_in_url, key="right", read_only_key="reader")
    flags = {
        "store": "qdrant",
        "qdrant_url": stand_in_url,
        "qdrant_prefer_grpc": False,
        "qdrant_api_key": "right",
        "qdrant_read_only_api_key": "reader",
    }
    settings = load_settings(flags, environment={}).settings
    store = bootstrap.open_store(settings)
    writer = store.writer(alias, SPACE)
    writer.write(BatchChange(points=(made_up_point("p1", 0, seed=1),)))
    writer.publish()
    reading = bootstrap.open_store(settings, read_only=True)
    reader = reading.reader(alias)
    (hit,) = reader.search(SearchQuery(unit_vector(1), 1)).hits
    assert hit.product_id == "p1"
    assert reader.product_points(["p1"]).keys() == {"p1"}
    assert reader.vectors([hit.point.id]).keys() == {hit.point.id}
    assert reader.status().points == 1
    with pytest.raises(StoreRefused, match="403"):
        reading.writer(alias, SPACE).write(BatchChange(points=(made_up_point("p2", 0, seed=2),)))
    assert store.reader(alias).status().points == 1
    reading.close()
    store.close()


def test_many_threads_may_use_one_connection(qdrant_url: str, alias: Alias) -> None:
    store = connected(qdrant_url)
    publish(store, alias)
    problems: list[str] = []

    def work(number: int) -> None:
        try:
            writer = store.writer(alias, SPACE)
            for step in range(5):
                point = made_up_point(f"t{number}-{step}", 0, seed=1000 + number * 10 + step)
                writer.write(BatchChange(points=(point,)))
                (hit,) = store.reader(alias).search(SearchQuery(point.vector, 1)).hits
                if hit.point.id != point.id:
                    problems.append(f"{hit.product_id} instead of {number}-{step}")
        except Exception as error:
            problems.append(str(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert store.reader(alias).status().points == 43
    store.close()
    remove_catalog(qdrant_url, alias.catalog)


def test_the_graph_is_built_after_the_upload(qdrant_url: str, alias: Alias) -> None:
    store = connected(qdrant_url)
    raw = QdrantClient(url=qdrant_url, check_compatibility=False)
    writer = store.writer(alias, SPACE)
    writer.write(BatchChange(points=tuple(made_up_point(f"p{number}", 0, seed=number) for number in range(300))))
    assert not raw.get_collection(writer.collection).config.optimizer_config.indexing_threshold
    writer.publish()
    # 200 vectors of 16 float32 in kilobytes
    assert raw.get_collection(writer.collection).config.optimizer_config.indexing_threshold == 12
    raw.close()
    store.close()
    remove_catalog(qdrant_url, alias.catalog)


def test_large_changes_are_sent_in_parts(stand_in_url: str, alias: Alias) -> None:
    store = connected(stand_in_url)
    publish(store, alias, 300)
    assert control(stand_in_url)["calls"]["change_points"] == 3  # 128 + 128 + 44
    store.close()


def test_a_collection_that_was_pruned_under_a_reader_is_looked_up_anew(qdrant_url: str, alias: Alias) -> None:
    store = connected(qdrant_url)
    old = publish(store, alias)
    reader = store.reader(alias)
    assert reader.search(SearchQuery(unit_vector(1), 1)).collection == old
    names = []
    for number in range(2):
        target = store.target(alias, SPACE)
        target.write(BatchChange(points=(made_up_point(f"new{number}", 0, seed=number),)))
        target.publish()
        store.promote(alias, target.collection)
        names.append(target.collection)
    assert list(store.prune(alias)) == [old]
    assert reader.search(SearchQuery(unit_vector(1), 1)).collection == names[1]
    with pytest.raises(CollectionNotFound):
        store.collection_reader(old).status()
    store.close()
    remove_catalog(qdrant_url, alias.catalog)


@pytest.fixture
def strange_server() -> Iterator[Callable[[list[tuple[int, dict[str, str], str]]], str]]:
    """A server that gives these answers, one after the other, the last one from then on."""
    servers: list[HTTPServer] = []

    def start(answers: list[tuple[int, dict[str, str], str]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *arguments: Any) -> None:
                """Nothing to standard error."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


GOOD: tuple[int, dict[str, str], str] = (
    200,
    {},
    '{"result": {"collections": [], "aliases": []}, "status": "ok", "time": 0}',
)


def test_an_answer_that_asks_to_wait_is_heeded(strange_server: Callable[..., str]) -> None:
    waited: list[float] = []
    url = strange_server([GOOD, (429, {"Retry-After": "1"}, "{}"), GOOD])
    store = connected(url)
    start_s = time.monotonic()
    assert store.collections() == []
    waited.append(time.monotonic() - start_s)
    assert waited[0] >= 1.0  # what it asked for, where the policy's own first wait is a twentieth of it
    store.close()


def test_an_answer_that_asks_to_wait_too_long_is_given_up(strange_server: Callable[..., str]) -> None:
    store = connected(strange_server([GOOD, (429, {"Retry-After": "600"}, "{}")]))
    with pytest.raises(StoreUnavailable):
        store.collections()
    store.close()


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_what_speaks_against_the_call_is_not_tried_again(strange_server: Callable[..., str], status: int) -> None:
    answers = [GOOD, (status, {}, '{"status": {"error": "no"}}'), GOOD]
    store = connected(strange_server(answers))
    with pytest.raises((StoreRefused, CollectionNotFound)):
        store.collections()
    assert answers == [GOOD]
    store.close()


def test_an_answer_that_is_no_qdrants_is_refused(strange_server: Callable[..., str]) -> None:
    with pytest.raises(StoreRefused):
        connected(strange_server([(200, {}, '{"hello": "world"}')])).collections()


class _Failing:
    """Fails a number of times, then answers; counts."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionError("away")
        return "here"


def test_retries_end() -> None:
    quick = RetryPolicy(patience_s=60, attempts=4, first_wait_s=0.001, longest_wait_s=0.002)
    patient = _Failing(3)
    assert with_retries(patient, quick, lambda _: Setback(True)) == "here"
    for failing, policy, setback, calls in (
        (_Failing(9), quick, Setback(True), 4),
        (_Failing(9), quick, Setback(False), 1),
        (_Failing(9), RetryPolicy(patience_s=0), Setback(True), 1),
        (_Failing(9), quick, Setback(True, wait_s=61), 1),
    ):
        with pytest.raises(ConnectionError):
            with_retries(failing, policy, lambda _, setback=setback: setback)  # type: ignore[misc]
        assert failing.calls == calls
