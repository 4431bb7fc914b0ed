"""A worker process: everything loaded, then Celery takes messages until a signal."""

from __future__ import annotations

import logging
import warnings

from celery.platforms import SecurityWarning

from indexer.settings import Settings
from indexer.telemetry.exposition import exporter
from indexer.telemetry.tracing import tracing
from workers.celery_app import create_celery
from workers.consumer import consumer_with
from workers.dead_letters import DeadLetters
from workers.names import EVENTS_QUEUE, events_queue, index_queue
from workers.redis_connection import RedisConnection, redis_address
from workers.runtime import worker_runtime
from workers.tasks import add_tasks

_log = logging.getLogger(__name__)


def serve(settings: Settings) -> int:
    """Works until SIGTERM or SIGINT; then takes no more messages and finishes what it has in hand.

    Returns:
        Exit code: 0 if it was told to stop.

    Raises:
        VitrineError: it cannot start.
    """
    traces = tracing("vitrine-worker", settings.otlp_endpoint, settings.otlp_trace_ratio)
    figures = exporter(settings.worker_metrics_host, settings.worker_metrics_port)
    with traces, worker_runtime(settings) as runtime, figures as port:
        app = create_celery(settings)
        add_tasks(app, runtime)
        connection = RedisConnection(redis_address(settings))
        app.conf.worker_consumer = consumer_with(DeadLetters(connection))
        queues = [EVENTS_QUEUE, events_queue(runtime.space_id), index_queue(runtime.space_id)]
        # Celery warns of root because pickled messages run code; these are JSON, and no other is accepted
        warnings.filterwarnings("ignore", category=SecurityWarning)
        worker = app.Worker(
            pool="threads",  # the model is shared, and its numbers are computed outside the interpreter's lock
            concurrency=settings.concurrency,
            queues=queues,
            loglevel="WARNING",
            quiet=True,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        )
        _log.info("%s takes from %s", runtime.description, ", ".join(queues))
        if port:
            _log.info("its figures are at http://%s:%d/metrics", settings.worker_metrics_host, port)
        worker.start()
        app.close()
        connection.close()
        return int(worker.exitcode or 0)
