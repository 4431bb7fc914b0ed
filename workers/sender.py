"""Puts messages into queues."""

from __future__ import annotations

import time
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError, OperationalError

from indexer.errors import QueueUnavailable
from indexer.telemetry.tracing import carried, span
from workers.celery_app import APPLY_EVENTS, DISPATCH_RUN, FINISH_RUN, INDEX_BATCH, START_RUN
from workers.messages import ApplyMessage, BatchMessage, DispatchMessage, FinishMessage, StartMessage
from workers.names import events_queue, index_queue

SENT_AT = "sent_at"
"""Header: seconds since 1970."""


def waited_s(sent_at: object) -> float:
    """How long ago a message was sent; 0 if it does not say.

    Args:
        sent_at: its header ``SENT_AT``, None without one.
    """
    return max(0.0, time.time() - sent_at) if isinstance(sent_at, int | float) else 0.0


class Sender:
    """Sends to the queue of a message's own space; every method raises ``QueueUnavailable`` if that fails."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def close(self) -> None:
        """Closes the connections."""
        self._app.close()

    def send_batch(self, message: BatchMessage) -> None:
        """To be indexed."""
        self._send(INDEX_BATCH, message.to_json(), message.space_id)

    def send_finish(self, message: FinishMessage) -> None:
        """To be ended."""
        self._send(FINISH_RUN, message.to_json(), message.space_id)

    def send_start(self, message: StartMessage) -> None:
        """To be begun."""
        self._send(START_RUN, message.to_json(), message.space_id)

    def send_apply(self, message: ApplyMessage) -> None:
        """Events to be applied; they have a queue of their own, in which nobody waits behind a feed."""
        self._put(APPLY_EVENTS, message.to_json(), events_queue(message.space_id))

    def send_dispatch(self, message: DispatchMessage) -> None:
        """To be read and sent."""
        self._send(DISPATCH_RUN, message.to_json(), message.space_id)

    def _send(self, task: str, value: dict[str, Any], space_id: str) -> None:
        self._put(task, value, index_queue(space_id))

    def _put(self, task: str, value: dict[str, Any], queue: str) -> None:
        try:
            with span(f"send {task}", "producer", messaging__system="celery"):
                headers = {SENT_AT: time.time(), **carried()}
                self._app.send_task(task, args=[value], queue=queue, headers=headers, retry=False)
        except (KombuError, OperationalError, OSError) as error:
            raise QueueUnavailable(
                f"The message could not be put into the queue: {error}.", "Check that Redis runs, and redis_url."
            ) from error
