"""What happens to batches and events, in figures; the names are in ``metrics``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Literal, TypeAlias

from indexer.ledger.port import BatchReport
from indexer.telemetry import metrics
from indexer.telemetry.tracing import span

Source: TypeAlias = Literal["feed", "events"]
IndexStage: TypeAlias = Literal["prepare", "embed", "write", "publish"]


@contextmanager
def index_stage(stage: IndexStage) -> Iterator[None]:
    """Times a stage of indexing, and makes it a span of the trace under way."""
    start_s = perf_counter()
    with span(f"index.{stage}"):
        yield
    metrics.INDEX_STAGE_SECONDS.labels(stage).observe(perf_counter() - start_s)


def model_pass(lane: str, inputs: int, pass_s: float) -> None:
    """Counts a pass of the model that succeeded.

    Args:
        lane: ``images``, ``texts`` or ``looks`` of queries; ``index``.
        inputs: in the batch.
        pass_s: seconds it took.
    """
    metrics.MODEL_PASS_SECONDS.labels(lane).observe(pass_s)
    metrics.MODEL_BATCH_SIZE.labels(lane).observe(inputs)
    metrics.EMBEDDINGS.labels(lane).inc(inputs)


def batch_recorded(source: Source, report: BatchReport) -> None:
    """Counts a batch that is on record: its products, what became of their pictures, its failures by code."""
    counts = report.counts
    metrics.INDEX_BATCHES.labels(source).inc()
    metrics.INDEX_PRODUCTS.labels(source).inc(counts.products)
    for outcome, number in {
        "embedded": counts.embedded,
        "reused": counts.reused,
        "updated": counts.payload_updates,
        "unchanged": counts.unchanged,
        "removed": counts.removed,
    }.items():
        metrics.INDEX_PICTURES.labels(source, outcome).inc(number)
    for code, number in Counter(failure.code for failure in report.failures).items():
        metrics.FAILURES.labels(source, code).inc(number)
