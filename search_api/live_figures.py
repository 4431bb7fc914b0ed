"""Figures that are looked up when they are asked for: what waits, what works, what is held."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import TypeAlias

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from indexer.errors import VitrineError
from search_api.backlog import Backlog, Waiting
from search_api.embedding_cache import CacheFigures
from search_api.lanes import LaneBacklog

_PATIENCE_S = 3.0
"""Less than Prometheus's own: a part that is away must show as down, rather than take the whole page with it."""

Check: TypeAlias = Callable[[], Awaitable[object]]


class LiveFigures:
    """Asks the parts.

    Args:
        lanes: what waits for the model, by lane.
        cache: of embeddings.
        checks: by part, ``model`` and ``store``: returns if it works, raises a VitrineError if not.
        backlog: what waits for indexers.
    """

    def __init__(
        self,
        lanes: Callable[[], Mapping[str, LaneBacklog]],
        cache: Callable[[], CacheFigures],
        checks: Mapping[str, Check],
        backlog: Backlog,
    ) -> None:
        self._lanes = lanes
        self._cache = cache
        self._checks = checks
        self._backlog = backlog
        self._reading: asyncio.Task[Waiting] | None = None

    async def families(self) -> list[Metric]:
        """All of them, as they are now; takes seconds at most."""
        checks = asyncio.gather(*map(_works, self._checks.values()))
        up, waiting = await asyncio.gather(checks, self._waiting())
        works = dict(zip(self._checks, up, strict=True))
        lanes = self._lanes()
        found: list[Metric] = [_lanes_depth(lanes), _lanes_age(lanes), *_cache(self._cache())]
        if self._backlog.has_broker:
            works["broker"] = waiting is not None
        found += [_up(works), *_waiting(waiting)]
        found.append(_gauge("vitrine_info", "Version of the program.", {version("vitrine"): 1}, "version"))
        return found

    async def _waiting(self) -> Waiting | None:
        # one at a time, however often somebody asks: where Redis hangs, each would hold a thread for a minute
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(self._backlog.read))
            self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        with suppress(VitrineError, TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._reading), _PATIENCE_S)
        return None


async def _works(check: Check) -> bool:
    try:
        await asyncio.wait_for(check(), _PATIENCE_S)
    except (VitrineError, TimeoutError):
        return False
    return True


def _gauge(name: str, text: str, values: Mapping[str, float], label: str) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _up(works: Mapping[str, bool]) -> Metric:
    return _gauge("vitrine_up", "Whether a part answers: 1, or 0.", works, "part")


def _lanes_depth(lanes: Mapping[str, LaneBacklog]) -> Metric:
    depths = {name: lane.depth for name, lane in lanes.items()}
    return _gauge("vitrine_model_queue_depth", "Queries that wait for the model.", depths, "lane")


def _lanes_age(lanes: Mapping[str, LaneBacklog]) -> Metric:
    ages_s = {name: lane.oldest_age_s for name, lane in lanes.items()}
    return _gauge("vitrine_model_queue_oldest_age_seconds", "How long the oldest has waited.", ages_s, "lane")


def _cache(cache: CacheFigures) -> list[Metric]:
    return [
        GaugeMetricFamily("vitrine_query_cache_bytes", "Held by embeddings of queries.", value=cache.held_bytes),
        GaugeMetricFamily("vitrine_query_cache_entries", "Embeddings of queries that are held.", value=cache.entries),
    ]


def _waiting(waiting: Waiting | None) -> list[Metric]:
    queues = () if waiting is None else waiting.queues
    depths = {queue.name: queue.depth for queue in queues}
    ages_s = {queue.name: queue.oldest_age_s for queue in queues}
    workers = {queue.name: queue.workers for queue in queues if queue.has_workers}
    families = [
        _gauge("vitrine_queue_depth", "Messages and requests that wait for indexers.", depths, "queue"),
        _gauge("vitrine_queue_oldest_age_seconds", "How long the oldest of them has waited.", ages_s, "queue"),
        _gauge("vitrine_queue_workers", "Live workers that take from a queue.", workers, "queue"),
    ]
    behind = GaugeMetricFamily("vitrine_events_behind", "Changes of products that are not searchable yet, at most.")
    oldest = GaugeMetricFamily("vitrine_events_oldest_age_seconds", "Since the oldest of them was received.")
    if waiting is not None and waiting.events is not None:
        behind.add_metric([], waiting.events.behind)
        oldest.add_metric([], waiting.events.oldest_age_s)
    return [*families, behind, oldest]
