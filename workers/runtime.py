"""A worker's parts: the one place where this package is wired."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache

from indexer import bootstrap
from indexer.errors import ConfigurationError
from indexer.events.pending import PendingEvents
from indexer.settings import Settings
from workers.batch_task import BatchTask
from workers.event_tasks import EventTasks
from workers.fleet import open_fleet
from workers.gate import Gate
from workers.messages import WorkerCard
from workers.rights import SoleRights
from workers.run_tasks import FeedOptions, RunTasks
from workers.upkeep import Upkeep
from workers.writers import RunWriters

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerRuntime:
    """What tasks are handled by; one in a process, loaded and warm before the first message is taken.

    Attributes:
        space_id: of the model.
        description: of the model, for people.
        batches: messages of batches.
        runs: messages about runs.
        events: messages about single products.
    """

    space_id: str
    description: str
    batches: BatchTask
    runs: RunTasks
    events: EventTasks


@contextmanager
def worker_runtime(settings: Settings) -> Iterator[WorkerRuntime]:
    """The parts, released at the end; takes as long as the model takes to load.

    Raises:
        ConfigurationError: the settings are not those of a fleet.
        VitrineError: a part cannot be had.
    """
    if settings.store == "edge" or settings.ledger != "redis":
        raise ConfigurationError(
            f"Workers need a store and a ledger that several processes write to; these are {settings.store} and "
            f"{settings.ledger}.",
            "Use --profile production, or set store to qdrant and ledger to redis.",
        )
    with ExitStack() as stack:
        fleet = stack.enter_context(open_fleet(settings))
        parts = stack.enter_context(bootstrap.indexing(settings))
        logs = bootstrap.open_event_logs(settings)
        stack.callback(logs.close)
        space, lease_s, gate = parts.embedder.space, settings.worker_lease_s, Gate()
        card = WorkerCard(
            worker_id=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
            catalog=settings.alias_catalog,
            model=settings.model,
            pretrained=settings.pretrained,
            space=space.to_json(),
        )

        @cache
        def pending(tenant: str) -> PendingEvents:
            size = settings.batch_products
            return PendingEvents(parts.of_tenant(tenant), logs.of(tenant), _log.warning, batch_products=size)

        def behind() -> Sequence[str]:
            tenants = logs.tenants() if settings.tenants else [""]
            return [tenant for tenant in tenants if pending(tenant).is_behind()]

        upkeep = stack.enter_context(Upkeep(card, fleet, behind, lease_s=lease_s))
        rights = SoleRights(fleet.ledger, upkeep, parts.alias.name, lease_s=lease_s)
        feeds = FeedOptions(settings.batch_products, settings.default_currency, settings.dispatch_ahead)
        yield WorkerRuntime(
            space_id=space.space_id,
            description=f"{space.model}, {parts.embedder.description}",
            batches=BatchTask(parts, fleet, upkeep, RunWriters(parts.store, space), gate),
            runs=RunTasks(parts, fleet, rights, logs, feeds),
            events=EventTasks(fleet, rights, pending, logs, gate, settings),
        )
