"""Celery's tasks: each hands its message on, and does nothing else."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from celery import Celery, Task
from celery.app.task import Context

from indexer.errors import VitrineError
from indexer.telemetry import metrics
from indexer.telemetry.context import of_run
from indexer.telemetry.tracing import TRACE_HEADERS, span
from workers.celery_app import (
    APPLY_EVENTS,
    DELETE_PRODUCT,
    DISPATCH_RUN,
    FINISH_RUN,
    INDEX_BATCH,
    START_RUN,
    UPDATE_PRODUCT_FIELDS,
    UPSERT_PRODUCT,
)
from workers.runtime import WorkerRuntime
from workers.sender import SENT_AT, waited_s


def add_tasks(app: Celery, runtime: WorkerRuntime) -> None:
    """Gives an app the tasks of a worker."""
    for name, handle in {
        INDEX_BATCH: runtime.batches.handle,
        FINISH_RUN: runtime.runs.finish,
        DISPATCH_RUN: runtime.runs.dispatch,
        START_RUN: runtime.runs.start,
        APPLY_EVENTS: runtime.events.apply,
        UPSERT_PRODUCT: runtime.events.upsert,
        UPDATE_PRODUCT_FIELDS: runtime.events.update_fields,
        DELETE_PRODUCT: runtime.events.delete,
    }.items():
        app.task(_taking_a_message(name, handle), name=name, bind=True)


def _taking_a_message(name: str, handle: Callable[[object], None]) -> Callable[[Task, object], None]:
    """Celery wants a function of its own for each task. It goes on with the trace that its message came with."""

    def task(self: Task, message: object) -> None:
        start_s = perf_counter()
        try:
            with (
                of_run(_run_of(message)),
                span(name, "consumer", carrier=_carrier(self.request), messaging__system="celery") as traced,
            ):
                wait_s = waited_s(self.request.get(SENT_AT))
                traced.note("vitrine.waited_s", round(wait_s, 6))
                metrics.TASK_WAIT_SECONDS.labels(name).observe(wait_s)
                handle(message)
        except VitrineError as error:
            metrics.failed("task", error.code)
            raise
        finally:
            metrics.TASK_SECONDS.labels(name).observe(perf_counter() - start_s)

    return task


def _carrier(request: Context) -> dict[str, str]:
    found = {name: request.get(name) for name in TRACE_HEADERS}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _run_of(message: object) -> str:
    run_id = message.get("run_id", "") if isinstance(message, dict) else ""
    return run_id if isinstance(run_id, str) else ""
