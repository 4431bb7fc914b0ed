"""Whether a worker of this machine shows signs of life, for whoever watches containers."""

from __future__ import annotations

import socket
from contextlib import closing

from indexer.errors import WorkerLost
from indexer.settings import Settings
from workers.attendance import Attendance
from workers.redis_connection import RedisConnection, redis_address


def check(settings: Settings) -> str:
    """Ids of the workers of this host, which a container has to itself.

    Raises:
        WorkerLost: there is none, or none has signed for ``worker_lease_s``.
        LedgerUnavailable: Redis does not answer.
    """
    with closing(RedisConnection(redis_address(settings))) as connection:
        cards = Attendance(connection, lease_s=settings.worker_lease_s).present()
    host = socket.gethostname()
    found = [card.worker_id for card in cards if card.worker_id.startswith(f"{host}:")]
    if not found:
        raise WorkerLost(
            f"No worker of {host} shows signs of life.", "Its log says why; it joins once it has the model."
        )
    return ", ".join(found)
