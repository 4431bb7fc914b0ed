"""What a running fleet shows: figures of API and worker, and one trace from the request to the store."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from indexer.embedding.port import Embedder
from indexer.settings import load_settings
from search_api.app import create_app
from tests.docs.test_monitoring import DOCUMENTED, is_answered
from tests.fleet import running_fleet
from tests.otlp_collector import CollectedSpan, Collector, running_collector
from tests.pictures import DrawnCatalog, draw_catalog
from tests.processes import free_port
from tests.promql import alert_expressions, asked, dashboard_expressions
from tests.qdrant_server import remove_catalog
from tests.redis_server import RedisServer, require_redis
from tests.served import served, wait_for_status

ADMIN = {"X-API-Key": "the-admin-key-of-this-test"}
METRICS_KEY = "the-key-of-prometheus"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of a fleet that indexed one product and answered queries.

    Attributes:
        api, worker: families of figures by name.
        refused: answer to who asked for figures without a key.
        unlimited: figures after many requests that strangers made up.
        collector: of traces, after all processes ended.
        log: of the worker.
    """

    api: Mapping[str, Metric]
    worker: Mapping[str, Metric]
    refused: httpx.Response
    unlimited: Mapping[str, Metric]
    collector: Collector
    log: str


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> DrawnCatalog:
    return draw_catalog(tmp_path_factory.mktemp("shop") / "catalog", products=2)


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model: str,
    tiny_embedder: Embedder,
    qdrant_url: str,
    catalog: DrawnCatalog,
) -> Iterator[Watched]:
    require_redis()
    folder = tmp_path_factory.mktemp("fleet")
    redis = RedisServer(folder / "redis")
    redis.start()
    name = f"test_{secrets.token_hex(6)}"
    port = free_port()
    try:
        with (
            running_collector() as collector,
            running_fleet(
                folder / "fleet",
                tiny_model,
                name,
                redis_url=redis.url,
                qdrant_url=qdrant_url,
                feeds_dir=str(catalog.folder),
                data_dir=str(folder / "data"),
                worker_metrics_port=str(port),
                otlp_endpoint=collector.url,
            ) as fleet,
        ):
            fleet.start_worker()
            fleet.wait_for_workers(1)
            flags = fleet.settings | {"admin_key": ADMIN["X-API-Key"], "metrics_key": METRICS_KEY}
            app = create_app(load_settings(flags, environment={}).settings, load_embedder=lambda _: tiny_embedder)
            with served(app) as client:
                api, refused, unlimited = _used(client, catalog)
            worker = _families(httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text)
            fleet.stop_all()
            yield Watched(api, worker, refused, unlimited, collector, fleet.logs())
    finally:
        redis.stop()
        remove_catalog(qdrant_url, name)


def _used(
    client: httpx.Client, catalog: DrawnCatalog
) -> tuple[Mapping[str, Metric], httpx.Response, Mapping[str, Metric]]:
    picture = next(catalog.folder.rglob("*.jpg")).relative_to(catalog.folder)
    product = {"title": "A lamp", "image_refs": [str(picture)], "updated_at": "2026-01-01T00:00:00Z"}
    parent = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
    put = client.put("/v1/products/lamp-1", json=product, headers=ADMIN | parent)
    assert put.status_code == 202, put.text
    wait_for_status(client, "/v1/products/lamp-1", 200)
    for _ in range(2):
        assert client.post("/v1/search/text", json={"text": "a lamp"}).status_code == 200
    photo = {"file": (catalog.folder / picture).read_bytes()}
    assert client.post("/v1/search/image", files=photo).status_code == 200
    key = {"Authorization": f"Bearer {METRICS_KEY}"}
    refused = client.get("/metrics")
    api = _families(client.get("/metrics", headers=key).text)
    for number in range(20):
        client.get(f"/v1/products/none-{number}")
        client.get(f"/made/up/{number}")
        client.request(f"MADE{number}", "/")
        client.get("/", headers={"X-API-Key": f"guess-{number}"})
    return api, refused, _families(client.get("/metrics", headers=key).text)


def _families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def _value(families: Mapping[str, Metric], name: str, **labels: str) -> float:
    for family in families.values():
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    raise AssertionError(f"{name}{labels} is not shown")


def _series(families: Mapping[str, Metric]) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))) for family in families.values() for sample in family.samples
    }


def test_what_was_done_is_in_the_figures(watched: Watched) -> None:
    api, worker = watched.api, watched.worker
    assert _value(api, "vitrine_http_requests_total", method="POST", route="/v1/search/text", status="200") >= 2
    assert _value(api, "vitrine_http_request_duration_seconds_count", route="/v1/search/image") >= 1
    assert _value(api, "vitrine_query_cache_lookups_total", result="cache") >= 1
    assert _value(api, "vitrine_model_batch_size_count", lane="texts") >= 1
    assert _value(api, "vitrine_store_call_duration_seconds_count", operation="search") >= 3
    assert {part: _value(api, "vitrine_up", part=part) for part in ("model", "store", "broker")} == {
        "model": 1,
        "store": 1,
        "broker": 1,
    }
    assert _value(api, "vitrine_model_queue_depth", lane="images") == 0
    assert _value(api, "vitrine_queue_workers", queue="vitrine.events") == 1
    assert _value(api, "vitrine_queue_depth", queue="requests") == 0
    assert _value(api, "vitrine_events_behind") == 0
    assert _value(api, "vitrine_access_refused_total", reason="key_required") >= 1
    assert _value(worker, "vitrine_event_lag_seconds_count") >= 1
    assert _value(worker, "vitrine_embeddings_total", lane="index") >= 1
    assert _value(worker, "vitrine_index_products_total", source="events") >= 1
    assert _value(worker, "vitrine_index_stage_duration_seconds_count", stage="write") >= 1
    assert _value(worker, "vitrine_task_duration_seconds_count", task="vitrine.apply_events") >= 1


def test_every_figure_that_is_shown_is_documented_with_its_labels(watched: Watched) -> None:
    for families in (watched.api, watched.worker, watched.unlimited):
        for name, family in families.items():
            if not name.startswith("process_"):
                row = DOCUMENTED[name]
                assert row.type == family.type, name
                for sample in family.samples:
                    assert set(sample.labels) - {"le", "process"} == set(row.labels), sample


def test_dashboard_and_alerts_ask_for_what_is_shown(watched: Watched) -> None:
    shown = {**watched.api, **watched.worker, "vitrine_figures_age_seconds": None}  # the last is of embedded indexers
    for where, expression in {**alert_expressions(), **dashboard_expressions()}.items():
        for item in asked(expression):
            assert is_answered(item, shown), (where, item)


def test_strangers_do_not_make_series(watched: Watched) -> None:
    more = _series(watched.unlimited) - _series(watched.api)
    assert not [item for item in more if "none-" in str(item) or "made" in str(item).lower() or "guess" in str(item)]
    routes = {dict(labels).get("route") for name, labels in more if name == "vitrine_http_requests_total"}
    assert routes <= {"other", "/v1/products/{product_id:path}", "/", "/metrics"}
    assert len(more) < 100


def test_figures_need_the_key_where_there_is_one(watched: Watched) -> None:
    assert (watched.refused.status_code, watched.refused.json()["code"]) == (401, "key_required")


def test_one_trace_joins_request_broker_worker_and_store(watched: Watched) -> None:
    spans = watched.collector.trace(TRACE_ID)  # the one that the client began
    written = next((span for span in spans if (span.service, span.name) == ("vitrine-worker", "index.write")), None)
    assert written is not None, [(span.service, span.name) for span in spans]
    assert _ancestors(written, {span.span_id: span for span in spans}) == [
        ("vitrine-worker", "events.apply"),
        ("vitrine-worker", "vitrine.apply_events"),
        ("vitrine-api", "send vitrine.apply_events"),
        ("vitrine-api", "PUT /v1/products/{product_id:path}"),
    ]
    request = next(span for span in spans if span.name.startswith("PUT"))
    assert request.parent_id == "00f067aa0ba902b7"
    assert request.attributes["http.response.status_code"] == "202"


def test_queries_are_traced_to_the_model_and_the_store(watched: Watched) -> None:
    searches = [span for span in watched.collector.spans if span.name == "POST /v1/search/text"]
    inside = {span.name for search in searches for span in watched.collector.trace(search.trace_id)}
    assert {"embed.text", "store.search"} <= inside


def test_a_worker_logs_json_lines_for_programs(watched: Watched) -> None:
    assert '"service": "worker"' in watched.log
    assert "its figures are at http://127.0.0.1:" in watched.log


def _ancestors(span: CollectedSpan, by_id: Mapping[str, CollectedSpan]) -> list[tuple[str, str]]:
    found = []
    while (parent := by_id.get(span.parent_id)) is not None:
        found.append((parent.service, parent.name))
        span = parent
    return found
