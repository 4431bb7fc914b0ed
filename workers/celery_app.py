"""Celery as this program uses it: a factory, so that nothing happens at import."""

from __future__ import annotations

from celery import Celery

from indexer.settings import Settings
from workers.redis_connection import redis_address

INDEX_BATCH = "vitrine.index_batch"
FINISH_RUN = "vitrine.finish_run"
DISPATCH_RUN = "vitrine.dispatch_run"
START_RUN = "vitrine.start_run"
APPLY_EVENTS = "vitrine.apply_events"
UPSERT_PRODUCT = "products.upsert"
UPDATE_PRODUCT_FIELDS = "products.update_fields"
DELETE_PRODUCT = "products.delete"
_CONNECT_TIMEOUT_S = 5.0


def create_celery(settings: Settings) -> Celery:
    """An app without tasks.

    JSON only; a message is acknowledged when its task is done, and comes back if its worker is gone before that; a
    worker takes no more messages than it works on. Results are in the run ledger, so Celery keeps none.

    Raises:
        ConfigurationError: the address of Redis is not set.
    """
    app = Celery("vitrine", broker=redis_address(settings), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue="vitrine.unrouted",
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_timeout=_CONNECT_TIMEOUT_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": settings.visibility_timeout_s,
            "socket_connect_timeout": _CONNECT_TIMEOUT_S,
            "socket_keepalive": True,
        },
    )
    return app
