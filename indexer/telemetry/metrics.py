"""Every figure that a process keeps for Prometheus: named here, counted where things happen.

Labels take words of this program's own (routes as they are declared, error codes, stages), never what comes in with a
request or a feed: so the number of series has a bound, however long a process lives. ``docs/monitoring.md`` lists them.
"""

from __future__ import annotations

from enum import StrEnum

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)


def _registry() -> CollectorRegistry:
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


REGISTRY = _registry()
"""Of this process; not prometheus_client's global one, so that nothing else writes into ours."""

_REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_BATCH_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_LAG_BUCKETS_S = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Breaker(StrEnum):
    """States of a circuit breaker, in the order of the numbers that ``vitrine_breaker_state`` gives them."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(name, text, labels, registry=REGISTRY, buckets=buckets)


# requests
HTTP_REQUESTS = _counter("vitrine_http_requests_total", "Requests answered.", "method", "route", "status")
HTTP_REQUEST_SECONDS = _histogram(
    "vitrine_http_request_duration_seconds",
    "From a request's first byte to its answer's last.",
    _REQUEST_BUCKETS_S,
    "method",
    "route",
)
HTTP_IN_PROGRESS = _gauge("vitrine_http_requests_in_progress", "Requests under way.")
FAILURES = _counter("vitrine_failures_total", "Failures by code of the error tree and part.", "part", "code")
LIMITED = _counter("vitrine_limited_requests_total", "Requests and connections refused by a limit.", "limit")
ACCESS_REFUSED = _counter("vitrine_access_refused_total", "Requests refused with 401 or 403.", "reason")

# queries
QUERY_STAGE_SECONDS = _histogram("vitrine_query_stage_duration_seconds", "A query's stages.", _STAGE_BUCKETS_S, "stage")
CACHE_LOOKUPS = _counter("vitrine_query_cache_lookups_total", "Where the vectors of queries came from.", "result")
STORE_CALL_SECONDS = _histogram(
    "vitrine_store_call_duration_seconds", "Questions that queries asked the store.", _STAGE_BUCKETS_S, "operation"
)

# the model
MODEL_BATCH_SIZE = _histogram(
    "vitrine_model_batch_size", "Pictures or texts in one pass of the model.", _BATCH_SIZES, "lane"
)
MODEL_PASS_SECONDS = _histogram("vitrine_model_pass_duration_seconds", "Passes of the model.", _STAGE_BUCKETS_S, "lane")
EMBEDDINGS = _counter("vitrine_embeddings_total", "Vectors that the model made.", "lane")
MODEL_REFUSED = _counter("vitrine_model_refused_total", "Queries for which a lane had no place.", "lane")

# indexing
INDEX_STAGE_SECONDS = _histogram(
    "vitrine_index_stage_duration_seconds", "Stages of index batches and events.", _BATCH_BUCKETS_S, "stage"
)
INDEX_BATCHES = _counter("vitrine_index_batches_total", "Batches on record.", "source")
INDEX_PRODUCTS = _counter("vitrine_index_products_total", "Products of batches on record.", "source")
INDEX_PICTURES = _counter("vitrine_index_pictures_total", "What became of their pictures.", "source", "outcome")
EVENT_LAG_SECONDS = _histogram(
    "vitrine_event_lag_seconds", "From an event's receipt to the product's being searchable so.", _LAG_BUCKETS_S
)

# tasks of workers
TASK_SECONDS = _histogram("vitrine_task_duration_seconds", "Messages that a worker handled.", _BATCH_BUCKETS_S, "task")
TASK_WAIT_SECONDS = _histogram(
    "vitrine_task_wait_seconds", "From a message's sending to its being taken.", _LAG_BUCKETS_S, "task"
)

# guards
BREAKER_STATE = _gauge("vitrine_breaker_state", "Circuit breaker: 0 closed, 1 half open, 2 open.", "part")
BREAKER_OPENED = _counter("vitrine_breaker_opened_total", "Times that a circuit breaker opened.", "part")
DECODER_FAILURES = _counter("vitrine_decoder_failures_total", "Decoder processes that were lost.", "reason")


def failed(part: str, code: str) -> None:
    """Counts a failure.

    Args:
        part: ``api``, ``store``, ``model``, ``feed``, ``events``, ``task``: a word of the program's.
        code: of the error tree, or of ``search_api.problems``; never a text.
    """
    FAILURES.labels(part, code).inc()


def limited(limit: str) -> None:
    """Counts a request or connection refused by a limit; ``limit``: a word of the program's for it."""
    LIMITED.labels(limit).inc()


def access_refused(reason: str) -> None:
    """Counts a request refused for its key; ``reason``: the code of its error."""
    ACCESS_REFUSED.labels(reason).inc()


def breaker_changed(part: str, state: Breaker) -> None:
    """Shows a circuit breaker's state; ``part``: what it protects, such as ``store``."""
    BREAKER_STATE.labels(part).set(list(Breaker).index(state))
    if state is Breaker.OPEN:
        BREAKER_OPENED.labels(part).inc()


def decoder_failed(reason: str) -> None:
    """Counts a decoder process that was lost; ``reason``: ``crashed``, ``timeout``, ``memory``."""
    DECODER_FAILURES.labels(reason).inc()
