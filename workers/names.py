"""Names of keys in Redis, and of the queues of workers."""

from __future__ import annotations

from indexer.store.port import Alias

RUNS = "vitrine:runs"
RUNNING = "vitrine:running"
REINDEXES = "vitrine:reindexes"
DEAD_LETTERS = "vitrine:dead-letters"
WORKERS = "vitrine:workers"
REQUESTS = "vitrine:requests"
OPEN_REQUESTS = "vitrine:requests:open"

QUEUES = "vitrine."
"""What the names of all queues begin with; keys that are no queues have a colon there."""
EVENTS_QUEUE = "vitrine.events"
"""Queue of events as messages; any worker takes from it."""


def of_tenant(key: str, tenant: str) -> str:
    """The key of a tenant; the same key without one."""
    return f"{key}:tenant:{tenant}" if tenant else key


def run_prefix(run_id: str) -> str:
    """What the names of a run's keys begin with."""
    return f"vitrine:run:{run_id}:"


def latest_of(line: str) -> str:
    """Key that names the latest run of a line."""
    return f"vitrine:latest:{line}"


def right(name: str) -> str:
    """Key of a lease."""
    return f"vitrine:lease:{name}"


def request_key(request_id: str) -> str:
    """Key of a run that was asked for."""
    return f"vitrine:request:{request_id}"


def events_queue(space_id: str) -> str:
    """Queue of the workers that apply events in that space."""
    return f"vitrine.events.{space_id}"


def index_queue(space_id: str) -> str:
    """Queue of the workers whose model is of that space."""
    return f"vitrine.index.{space_id}"


def alias_of(name: str) -> Alias:
    """An alias from its name."""
    catalog, _, space_id = name.rpartition("--")
    return Alias(catalog, space_id)
