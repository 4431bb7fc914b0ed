"""Celery's tasks: each hands its message on, and does nothing else."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery

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
        app.task(_taking_a_message(handle), name=name)


def _taking_a_message(handle: Callable[[object], None]) -> Callable[[object], None]:
    """Celery wants a function of its own for each task."""

    def task(message: object) -> None:
        handle(message)

    return task
