"""Celery's tasks: each hands its message on, and does nothing else."""

from __future__ import annotations

from typing import Any

from celery import Celery

from workers.celery_app import DISPATCH_RUN, FINISH_RUN, INDEX_BATCH
from workers.runtime import WorkerRuntime


def add_tasks(app: Celery, runtime: WorkerRuntime) -> None:
    """Gives an app the tasks of a worker."""

    @app.task(name=INDEX_BATCH)  # type: ignore[untyped-decorator]
    def index_batch(message: Any) -> None:
        runtime.batches.handle(message)

    @app.task(name=FINISH_RUN)  # type: ignore[untyped-decorator]
    def finish_run(message: Any) -> None:
        runtime.runs.finish(message)

    @app.task(name=DISPATCH_RUN)  # type: ignore[untyped-decorator]
    def dispatch_run(message: Any) -> None:
        runtime.runs.dispatch(message)
