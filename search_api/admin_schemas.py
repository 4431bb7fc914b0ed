"""What the admin routes take and give, as OpenAPI describes it; kept stable."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:  # what the functions below are given; programs that use the client need no more than pydantic
    from indexer.events.port import Appended
    from indexer.ledger.port import Counts, Failure
    from search_api.admin import EventStatus, IndexRun
    from search_api.query_embeddings import EmbeddingFigures


class EventAnswer(BaseModel):
    """An event was recorded, or is known to be out of date."""

    product_id: str
    sequence: int = Field(description="Of the product's newest state; searchable once /v1/index-status has applied it.")
    stale: bool = Field(description="A newer state is known, so nothing was changed; nothing needs to be sent again.")
    ignored_fields: list[str] = Field(description="Of a PATCH: fields of which a newer value is known.")


class RunOrderBody(BaseModel):
    """A feed to index."""

    model_config = ConfigDict(extra="forbid")

    feed: str = Field(min_length=1, max_length=4096, description="Path of the feed, relative to feeds_dir.")
    full: bool = Field(default=False, description="Also remove products that the feed does not name.")
    limit: int = Field(default=0, ge=0, description="Take the first products only; 0: all.")

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.full and self.limit:
            raise ValueError("full with a limit would remove every product behind the limit")
        return self


class RunCounts(BaseModel):
    """What a run did, in numbers."""

    rows: int
    products: int
    images: int
    embedded: int
    reused: int
    payload_updates: int
    unchanged: int
    removed: int
    failed: int


class IndexRunAnswer(BaseModel):
    """An index run."""

    id: str = Field(description="Of the request, or of the ledger for runs that were not asked for over HTTP.")
    run_id: str = Field(description="Of the ledger, as python -m indexer status shows it; empty before it began.")
    kind: Literal["feed", "retry", "events"]
    state: str = Field(description="queued, running, finished, failed, or superseded by another run.")
    feed: str = Field(description="Absolute path, empty for events.")
    full: bool
    limit: int
    retry_of: str
    fraction: float | None = Field(description="Of the feed that is done, 0 to 1; null where nobody knows.")
    counts: RunCounts | None
    reason: str = Field(description="Why it failed.")
    requested_at: datetime | None
    started_at: datetime | None
    updated_at: datetime


class IndexRunList(BaseModel):
    """The latest index runs, newest first."""

    runs: list[IndexRunAnswer]


class FailureAnswer(BaseModel):
    """An item that could not be indexed."""

    product_id: str
    position: int | None = Field(description="Of the picture, null for the whole product.")
    image_ref: str
    stage: str
    code: str
    reason: str
    retryable: bool
    line: int = Field(description="Of the feed; 0 for an event.")


class FailureList(BaseModel):
    """What is still missing of a run, a page of it."""

    failures: list[FailureAnswer]
    total: int


class Delay(BaseModel):
    """Seconds from an event's acknowledgement to its being searchable, of the latest thousand."""

    count: int = Field(description="Events since the log began.")
    p50: float | None
    p95: float | None


class IndexStatus(BaseModel):
    """How far the index is behind the events."""

    position: int = Field(description="Sequence of the latest event.")
    applied: int = Field(description="Every event up to this sequence is searchable.")
    is_current: bool
    event_to_searchable_s: Delay


class CacheStatus(BaseModel):
    """The cache of queries' embeddings."""

    entries: int
    held_bytes: int
    hits: int = Field(description="Queries that it answered.")
    misses: int
    evicted: int = Field(description="Embeddings that made room for later ones.")
    hit_rate: float = Field(description="Hits to all queries, 0 to 1.")


class LaneStatus(BaseModel):
    """What the model did for queries of one kind."""

    under_way: int
    answered: int
    passes: int = Field(description="Forward passes; answered / passes is the mean batch.")
    failed: int = Field(description="Queries that made the model fail, alone.")
    refused: int = Field(description="Queries answered with 503, as too many waited.")
    item_ms: float = Field(description="Of the model's time that one takes in a batch, smoothed.")


class ServingStatus(BaseModel):
    """What this process did for queries since it started."""

    cache: CacheStatus
    shared: int = Field(description="Queries that waited for the same query of another request.")
    images: LaneStatus
    texts: LaneStatus


def serving_status(figures: EmbeddingFigures) -> ServingStatus:
    """What became of queries, as the API shows it."""
    return ServingStatus(
        cache=CacheStatus(hit_rate=round(figures.cache.hit_rate, 4), **asdict(figures.cache)),
        shared=figures.shared,
        images=LaneStatus(**asdict(figures.model.images)),
        texts=LaneStatus(**asdict(figures.model.texts)),
    )


def event_answer(appended: Appended) -> EventAnswer:
    """What became of an event, as the API shows it."""
    return EventAnswer(
        product_id=appended.product_id,
        sequence=appended.sequence,
        stale=appended.stale,
        ignored_fields=list(appended.ignored_fields),
    )


def index_status(status: EventStatus) -> IndexStatus:
    """The state of the events, as the API shows it."""
    applied = status.applied
    return IndexStatus(
        position=status.position,
        applied=applied.sequence,
        is_current=applied.sequence >= status.position,
        event_to_searchable_s=Delay(count=applied.events, p50=applied.p50_s, p95=applied.p95_s),
    )


def run_answer(run: IndexRun) -> IndexRunAnswer:
    """A run, as the API shows it; where request and ledger differ, the request says whether it is over."""
    request, record = run.request, run.record
    if request is not None:
        order = request.order
        return IndexRunAnswer(
            id=request.request_id,
            run_id=request.run_id,
            kind="retry" if order.retry_of else "feed",
            state=request.state,
            feed=order.feed,
            full=order.full,
            limit=order.limit,
            retry_of=order.retry_of,
            fraction=request.fraction,
            counts=_counts(record.counts) if record else None,
            reason=request.reason,
            requested_at=request.requested_at,
            started_at=record.started_at if record else None,
            updated_at=max(request.updated_at, record.updated_at) if record else request.updated_at,
        )
    if record is None:
        raise ValueError("a run is in the queue or in the ledger")
    plan = record.plan
    return IndexRunAnswer(
        id=record.run_id,
        run_id=record.run_id,
        kind="retry" if plan.retry_of else "events" if plan.is_events else "feed",
        state=record.state,
        feed=plan.feed,
        full=plan.full,
        limit=plan.limit,
        retry_of=plan.retry_of,
        fraction=None,
        counts=_counts(record.counts),
        reason=record.reason,
        requested_at=None,
        started_at=record.started_at,
        updated_at=record.updated_at,
    )


def failure_answer(failure: Failure) -> FailureAnswer:
    """A failure, as the API shows it."""
    return FailureAnswer(**{name: getattr(failure, name) for name in FailureAnswer.model_fields})


def _counts(counts: Counts) -> RunCounts:
    return RunCounts(**{name: getattr(counts, name) for name in RunCounts.model_fields})
