"""What becomes of deliveries that Celery itself cannot use: they are put aside, never dropped without a trace."""

from __future__ import annotations

import logging
from typing import Any

from celery.worker.consumer import Consumer

from indexer.errors import VitrineError
from workers.dead_letters import DeadLetters

_log = logging.getLogger(__name__)


def consumer_with(letters: DeadLetters) -> type[Consumer]:
    """Celery's consumer, which puts unusable deliveries among the dead letters."""

    def put_aside(reason: str, delivery: object) -> None:
        try:
            letters.add(reason, delivery)
        except VitrineError as error:
            _log.error("%s: %r (%s)", reason, delivery, error)

    class DeadLetterConsumer(Consumer):  # type: ignore[misc]
        """See the module."""

        def on_unknown_message(self, body: Any, message: Any) -> None:
            """No task message at all."""
            put_aside("The delivery is no task message.", message.body)
            super().on_unknown_message(body, message)

        def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
            """A task that this version does not have."""
            put_aside(f"There is no task {exc}.", message.body)
            super().on_unknown_task(body, message, exc)

        def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
            """A task message with members missing."""
            put_aside(f"The task message is invalid: {exc}.", message.body)
            super().on_invalid_task(body, message, exc)

        def on_decode_error(self, message: Any, exc: Exception) -> None:
            """No JSON, or a content type that is not taken."""
            put_aside(f"The delivery cannot be decoded: {exc}.", message.body)
            super().on_decode_error(message, exc)

    return DeadLetterConsumer
