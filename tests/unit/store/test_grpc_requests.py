"""What goes to a server over gRPC, which carries the points where there is a real one: recorded, and read back."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from qdrant_client import QdrantClient
from qdrant_client import grpc as messages

from indexer.breaker import BreakerPolicy, CircuitBreaker
from indexer.errors import CollectionNotFound, ConfigurationError, StoreRefused, StoreUnavailable
from indexer.lexical.sparse import product_vector, query_vector
from indexer.points import with_product_fields
from indexer.store.filters import And, AnyOf, Not, Or, Range
from indexer.store.ordering import ByValue
from indexer.store.payload_indexes import SERVER_PAYLOAD_INDEXES
from indexer.store.port import PayloadUpdate
from indexer.store.qdrant_async_gateway import AsyncQdrantGateway
from indexer.store.qdrant_calls import QdrantCalls, connect
from indexer.store.qdrant_collection_questions import CollectionQuestions
from indexer.store.qdrant_gateway import QdrantGateway
from indexer.store.qdrant_options import ServerAddress, ServerOptions
from indexer.store.queries import NearestQuery, SearchQuery
from indexer.store.retries import RetryPolicy
from indexer.store.tuning import DEFAULT_FACET_ATTRIBUTES, IndexTuning, Quantization
from tests.points import made_up_point, made_up_product, made_up_space, unit_vector

SPACE = made_up_space()
DONE = messages.UpdateResult(operation_id=1, status=messages.UpdateStatus.Completed)
TYPES: dict[str, tuple[Any, Any]] = {
    "/qdrant.Collections/CollectionExists": (
        messages.CollectionExistsRequest,
        messages.CollectionExistsResponse(result=messages.CollectionExists(exists=False)),
    ),
    "/qdrant.Collections/Create": (messages.CreateCollection, messages.CollectionOperationResponse(result=True)),
    "/qdrant.Collections/Update": (messages.UpdateCollection, messages.CollectionOperationResponse(result=True)),
    "/qdrant.Collections/ListAliases": (messages.ListAliasesRequest, messages.ListAliasesResponse()),
    "/qdrant.Collections/UpdateAliases": (messages.ChangeAliases, messages.CollectionOperationResponse(result=True)),
    "/qdrant.Points/CreateFieldIndex": (
        messages.CreateFieldIndexCollection,
        messages.PointsOperationResponse(result=DONE),
    ),
    "/qdrant.Points/CreateVectorName": (
        messages.CreateVectorNameRequest,
        messages.PointsOperationResponse(result=DONE),
    ),
    "/qdrant.Points/UpdateBatch": (messages.UpdateBatchPoints, messages.UpdateBatchResponse(result=[DONE])),
    "/qdrant.Points/Query": (messages.QueryPoints, messages.QueryResponse()),
    "/qdrant.Points/Get": (messages.GetPoints, messages.GetResponse()),
    "/qdrant.Points/Scroll": (messages.ScrollPoints, messages.ScrollResponse()),
    "/qdrant.Points/Facet": (messages.FacetCounts, messages.FacetResponse()),
    "/qdrant.Points/Count": (messages.CountPoints, messages.CountResponse(result=messages.CountResult(count=3))),
}


class _Recorder(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers as a server that has nothing would; ``failure`` is what it answers instead, once."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.failures: list[grpc.StatusCode] = []

    def service(self, call: Any) -> Any:
        kind, reply = TYPES[call.method]

        def answer(request: bytes, context: Any) -> bytes:
            self.requests.append(kind.FromString(request))
            if self.failures:
                context.abort(self.failures.pop(0), "as the test wants it")
            serialized: bytes = reply.SerializeToString()
            return serialized

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def recorder() -> _Recorder:
    return _Recorder()


@pytest.fixture
def address(recorder: _Recorder) -> Iterator[ServerAddress]:
    server = grpc.server(ThreadPoolExecutor(2), handlers=(recorder,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield ServerAddress("http://127.0.0.1:9", grpc_port=port)
    server.stop(None).wait()


@pytest.fixture
def gateway(address: ServerAddress) -> Iterator[QdrantGateway]:
    client = connect(address)
    options = ServerOptions(
        retries=RetryPolicy(patience_s=20, first_wait_s=0.01), shards=6, replicas=2, write_consistency=1
    )
    yield QdrantGateway(client, IndexTuning(exact_below=1000, oversampling=3.0), options)
    client.close()


def test_a_collection_is_laid_out_as_the_settings_say(gateway: QdrantGateway, recorder: _Recorder) -> None:
    gateway.create("c", SPACE, "index")
    _, created, *indexes = recorder.requests
    assert (created.shard_number, created.replication_factor, created.write_consistency_factor) == (6, 2, 1)
    assert created.optimizers_config.HasField("indexing_threshold")
    assert created.optimizers_config.indexing_threshold == 0
    vector = created.vectors_config.params_map.map["image"]
    assert (vector.size, vector.distance, vector.on_disk) == (16, messages.Distance.Cosine, True)
    assert vector.quantization_config.scalar.type == messages.QuantizationType.Int8
    assert vector.quantization_config.scalar.always_ram
    assert (vector.hnsw_config.m, vector.hnsw_config.ef_construct) == (16, 128)
    assert created.metadata["purpose"].string_value == "index"
    attributes = {f"attributes.{name}" for name in DEFAULT_FACET_ATTRIBUTES}
    assert {index.field_name for index in indexes} == SERVER_PAYLOAD_INDEXES.keys() | attributes
    assert all(index.wait for index in indexes)
    for index in indexes:
        given = getattr(index.field_index_params, str(index.field_index_params.WhichOneof("index_params")))
        assert given.on_disk, index.field_name


@pytest.mark.parametrize("quantization", ["4bit", "none"])
def test_vectors_are_kept_in_memory_as_the_settings_say(
    gateway: QdrantGateway, recorder: _Recorder, quantization: Quantization
) -> None:
    calls = QdrantCalls(IndexTuning(quantization=quantization), ServerOptions())
    gateway.answer(calls.create("c", SPACE, "index"))
    gateway.answer(calls.nearest("c", NearestQuery(unit_vector(1), 20)))
    created, near = recorder.requests
    config = created.vectors_config.params_map.map["image"].quantization_config
    assert config.WhichOneof("quantization") == (None if quantization == "none" else "turboquant")
    assert near.params.quantization.ignore == (quantization == "none")


def test_searches_rescore(gateway: QdrantGateway, recorder: _Recorder) -> None:
    gateway.answer(gateway.calls.nearest("c", NearestQuery(unit_vector(1), 20)))
    gateway.answer(gateway.calls.nearest("c", NearestQuery(unit_vector(1), 20), exact=True))
    near, exact = recorder.requests
    assert (near.using, near.limit, near.params.hnsw_ef) == ("image", 20, IndexTuning().hnsw_ef)
    assert (near.params.quantization.rescore, near.params.quantization.oversampling) == (True, 3.0)
    assert not near.params.exact
    assert not near.HasField("filter")
    assert (exact.params.exact, exact.params.quantization.ignore) == (True, True)


def test_filters_reach_the_server_as_they_are_meant(gateway: QdrantGateway, recorder: _Recorder) -> None:
    where = And(
        (
            Or((AnyOf("brand", ("Acme", "Bolt")), AnyOf("in_stock", (True, False)))),
            Not(AnyOf("attributes.screen size", ("15",))),
            Range("price_minor", gte=10, lt=20.5),
            Range("updated_at", gt="2026-01-01T02:00:00+02:00"),
        )
    )
    gateway.answer(gateway.calls.count("c", where))
    gateway.answer(gateway.calls.facet("c", "attributes.color", AnyOf("main", (True,)), 7))
    gateway.answer(gateway.calls.page("c", ByValue("price_minor", True, None, 3)))
    counted, facet, page = recorder.requests
    either, neither, price, updated = counted.filter.must
    brand, stock = either.filter.should
    assert list(brand.field.match.keywords.strings) == ["Acme", "Bolt"]
    assert [item.field.match.boolean for item in stock.filter.should] == [True, False]
    assert neither.filter.must_not[0].field.key == 'attributes."screen size"'
    assert (price.field.range.gte, price.field.range.lt) == (10, 20.5)
    assert not price.field.range.HasField("gt")
    assert updated.field.datetime_range.gt.ToJsonString() == "2026-01-01T00:00:00Z"
    assert (facet.key, facet.limit, facet.exact) == ("attributes.color", 7, True)
    assert (page.order_by.key, page.order_by.direction, page.limit) == ("price_minor", messages.Direction.Desc, 3)


def test_writes_wait(gateway: QdrantGateway, recorder: _Recorder) -> None:
    points = [made_up_point(f"p{number}", 0, seed=number) for number in range(200)]
    gateway.upsert("c", points)
    payload = with_product_fields(points[0].payload, made_up_product("p0", price_minor=7))
    gateway.overwrite_payloads("c", [PayloadUpdate(points[0].id, payload)])
    gateway.delete("c", [points[1].id])
    gateway.delete_products("c", ["p2"])
    assert all(request.wait for request in recorder.requests)
    first, second, overwritten, deleted, of_product = recorder.requests
    assert [len(request.operations[0].upsert.points) for request in (first, second)] == [128, 72]
    words, overwrite = overwritten.operations  # what changed was not said, so the words are written too
    assert overwrite.overwrite_payload.payload["price_minor"].integer_value == 7
    vectors = [
        first.operations[0].upsert.points[0].vectors.vectors.vectors["lexical"],
        words.update_vectors.points[0].vectors.vectors.vectors["lexical"],
    ]
    wanted = product_vector(payload)
    assert [tuple(item.sparse.indices) for item in vectors] == [wanted.indices] * 2
    assert [list(item.sparse.values) for item in vectors] == [pytest.approx(wanted.values)] * 2
    assert deleted.operations[0].delete_points.points.points.ids[0].uuid == str(points[1].id)
    assert of_product.operations[0].delete_points.points.HasField("filter")


def test_words_are_laid_out_asked_for_and_added_to_an_older_collection(
    gateway: QdrantGateway, recorder: _Recorder
) -> None:
    gateway.answer(gateway.calls.create("c", SPACE, "index"))
    gateway.answer(gateway.calls.lexical("c", query_vector("red mug"), 20, AnyOf("main", (True,))))
    gateway.answer(gateway.calls.create_lexical_vector("c"))
    created, asked, added = recorder.requests
    words = created.sparse_vectors_config.map["lexical"]
    assert (words.modifier, words.index.on_disk) == (messages.Modifier.Idf, True)
    assert (asked.using, asked.limit, asked.query.HasField("nearest")) == ("lexical", 20, True)
    assert tuple(asked.query.nearest.sparse.indices) == query_vector("red mug").indices
    assert asked.filter.should[0].field.match.boolean
    assert (added.collection_name, added.vector_name, added.wait) == ("c", "lexical", True)
    assert added.sparse_config.modifier == messages.Modifier.Idf


def test_aliases_change_in_one_call(gateway: QdrantGateway, recorder: _Recorder) -> None:
    gateway.set_aliases({"a": "c2", "a--previous": "c1"})
    _, changed = recorder.requests
    assert [(item.create_alias.alias_name, item.create_alias.collection_name) for item in changed.actions] == [
        ("a", "c2"),
        ("a--previous", "c1"),
    ]


def test_reading_asks_for_what_is_needed_only(gateway: QdrantGateway, recorder: _Recorder) -> None:
    gateway.answer(gateway.calls.points("c", [made_up_point("p1", 0, seed=1).id]))
    gateway.answer(gateway.calls.vectors("c", [made_up_point("p1", 0, seed=1).id]))
    assert gateway.answer(gateway.calls.of_products("c", ["p1"], None)).items == []
    assert list(gateway.product_ids("c")) == []
    assert gateway.answer(gateway.calls.count("c")) == 3
    gateway.build_index("c", 16)
    points, vectors, _, ids, counted, built = recorder.requests
    assert (points.with_payload.enable, vectors.with_payload.enable) == (True, False)
    assert list(vectors.with_vectors.include.names) == ["image"]
    assert list(ids.with_payload.include.fields) == ["product_id"]
    assert counted.exact
    assert built.optimizers_config.indexing_threshold == 1000 * 16 * 4 // 1024


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL]
)
def test_what_passes_is_asked_again(gateway: QdrantGateway, recorder: _Recorder, code: grpc.StatusCode) -> None:
    recorder.failures = [code, code]
    assert gateway.answer(gateway.calls.count("c")) == 3
    assert len(recorder.requests) == 3


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.NOT_FOUND, CollectionNotFound),
        (grpc.StatusCode.UNAUTHENTICATED, StoreRefused),
        (grpc.StatusCode.PERMISSION_DENIED, StoreRefused),
        (grpc.StatusCode.INVALID_ARGUMENT, StoreRefused),
    ],
)
def test_what_does_not_pass_is_not(
    gateway: QdrantGateway, recorder: _Recorder, code: grpc.StatusCode, error: type[Exception]
) -> None:
    recorder.failures = [code]
    with pytest.raises(error, match="as the test wants it"):
        gateway.answer(gateway.calls.count("c"))
    assert len(recorder.requests) == 1


def test_nobody_there_is_unavailable() -> None:
    client = QdrantClient(url="http://127.0.0.1:9", grpc_port=9, prefer_grpc=True, timeout=2, check_compatibility=False)
    gateway = QdrantGateway(client, IndexTuning(), ServerOptions(retries=RetryPolicy(patience_s=0)))
    with pytest.raises(StoreUnavailable, match="qdrant_url"):
        gateway.answer(gateway.calls.count("c"))
    client.close()


def test_the_asynchronous_client_asks_the_same_and_again(address: ServerAddress, recorder: _Recorder) -> None:
    async def ask() -> None:
        gateway = AsyncQdrantGateway(
            address,
            RetryPolicy(patience_s=20, first_wait_s=0.01),
            CircuitBreaker("store", BreakerPolicy(), StoreUnavailable),
        )
        questions = CollectionQuestions(QdrantCalls(IndexTuning(oversampling=3.0), ServerOptions()), "c")
        recorder.failures = [grpc.StatusCode.UNAVAILABLE]
        assert (await gateway.converse(questions.search(SearchQuery(unit_vector(1), 5)))).hits == ()
        assert await gateway.converse(questions.product_points(["p1"])) == {}
        recorder.failures = [grpc.StatusCode.NOT_FOUND]
        with pytest.raises(CollectionNotFound, match="as the test wants it"):
            await gateway.converse(questions.vectors([made_up_point("p1", 0, seed=1).id]))
        await gateway.close()

    asyncio.run(ask())
    first, again, scrolled, vectors = recorder.requests
    assert first == again
    assert (first.params.quantization.rescore, first.params.quantization.oversampling) == (True, 3.0)
    assert list(scrolled.filter.must[0].field.match.keywords.strings) == ["p1"]
    assert list(vectors.with_vectors.include.names) == ["image"]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A key and its self-signed certificate for 127.0.0.1, as PEM files."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


def test_an_authority_of_the_shops_own_is_trusted_over_grpc(
    recorder: _Recorder, certificate: tuple[Path, Path]
) -> None:
    key, trusted = certificate
    server = grpc.server(ThreadPoolExecutor(2), handlers=(recorder,))
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), trusted.read_bytes())])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    options = ServerOptions(retries=RetryPolicy(patience_s=0))

    def counted(ca_file: str) -> int:
        client = connect(ServerAddress("https://127.0.0.1:9", grpc_port=port, timeout_s=5, ca_file=ca_file))
        try:
            gateway = QdrantGateway(client, IndexTuning(), options)
            return gateway.answer(gateway.calls.count("c"))
        finally:
            client.close()

    assert counted(str(trusted)) == 3
    with pytest.raises(StoreUnavailable):
        counted("")
    server.stop(None).wait()


def test_an_authority_of_the_shops_own_is_trusted_over_rest(certificate: tuple[Path, Path]) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"result": {"collections": [{"name": "c"}]}, "status": "ok", "time": 0.0}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    key, trusted = certificate
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"https://127.0.0.1:{server.server_address[1]}"
        address = ServerAddress(url, prefer_grpc=False, ca_file=str(trusted))
        gateway = QdrantGateway.connect(address, IndexTuning(), ServerOptions())
        assert gateway.names() == ["c"]
        gateway.close()
        with pytest.raises(StoreUnavailable, match=r"(?i)certificate"):
            QdrantGateway.connect(ServerAddress(url, prefer_grpc=False), IndexTuning(), ServerOptions())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"authority\.pem"):
        connect(ServerAddress("https://127.0.0.1:9", ca_file=str(file)))
