"""The figures of this process, and of others beside it, in the text form that Prometheus reads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from indexer.atomic_file import replace_file
from indexer.telemetry.metrics import REGISTRY

_log = logging.getLogger(__name__)
MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_WRITTEN_EVERY_S = 2.0
_SUFFIX = ".prom"
_PORTS_TRIED = 32
_GONE_AFTER_S = 10.0
_OF_PROCESS = "process_"
"""Memory and the like, which a process that is gone has no more."""


def exposition(more: Iterable[Metric] = (), folder: Path | None = None) -> bytes:
    """The page that Prometheus reads.

    Args:
        more: figures that are worked out when they are asked for.
        folder: where processes of this installation leave theirs, see ``figures_file``; None: nowhere.
    """
    families = [*REGISTRY.collect(), *more]
    return generate_latest(_Families(_merged(families, [] if folder is None else _left_in(folder))))


@contextmanager
def figures_file(folder: Path, process: str) -> Iterator[None]:
    """Leaves this process's figures in a file every two seconds, and once more at the end of the block.

    That is how an indexer process beside the API, or a command that is gone before anybody asks, shows in ``/metrics``
    without a port of its own. The file stays: figures of the latest run, which the next one begins anew.

    Args:
        folder: made if missing.
        process: ``follow``, ``command``: what its figures are labelled with.
    """
    path = folder / f"{process}{_SUFFIX}"
    ended = threading.Event()

    def write() -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, generate_latest(_Families(_told(REGISTRY.collect()))), durable=False)
        except OSError as error:
            _log.warning("Figures cannot be left in %s: %s.", path, error.strerror)
            ended.set()  # a full disk is no reason to say so every two seconds, nor to stop the work

    def keep_writing() -> None:
        while not ended.wait(_WRITTEN_EVERY_S):
            write()

    writing = threading.Thread(target=keep_writing, name="figures", daemon=True)
    writing.start()
    try:
        yield
    finally:
        was_ended = ended.is_set()
        ended.set()
        writing.join()
        if not was_ended:
            write()


@contextmanager
def exporter(host: str, port: int) -> Iterator[int]:
    """Answers ``/metrics`` on a port of its own, for the length of the block; gives the port.

    Args:
        host: address to listen on.
        port: the next free one of 32 is taken, as several processes of a machine are started alike; 0: nothing is done.
    """
    if not port:
        yield 0
        return
    for number in range(port, min(port + _PORTS_TRIED, 65536)):
        try:
            server, thread = start_http_server(number, host, REGISTRY)
        except OSError as error:
            failure = error
            continue
        try:
            yield number
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
        return
    _log.warning("No port from %d on is free for figures on %s: %s.", port, host, failure.strerror)
    yield 0


class _Families:
    """What ``generate_latest`` asks a registry for."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _told(families: Iterable[Metric]) -> list[Metric]:
    """Those that say anything: an indexer process has no figures of requests."""
    return [family for family in families if any(sample.value for sample in family.samples)]


def _merged(own: Iterable[Metric], others: Iterable[tuple[str, Metric]]) -> list[Metric]:
    """Each family once, as the format wants it, with the samples of other processes labelled ``process``."""
    found = {family.name: family for family in own}
    for process, family in others:
        mine = found.setdefault(family.name, Metric(family.name, family.documentation, family.type))
        for sample in family.samples:
            mine.add_sample(sample.name, {**sample.labels, "process": process}, sample.value)
    return list(found.values())


def _left_in(folder: Path) -> list[tuple[str, Metric]]:
    found: list[tuple[str, Metric]] = []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            age_s = max(0.0, time.time() - path.stat().st_mtime)
            families = list(text_string_to_metric_families(path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            _log.warning("The figures in %s cannot be read: %s.", path, error)
            continue
        is_gone = age_s > _GONE_AFTER_S
        found += [(path.stem, item) for item in families if not (is_gone and item.name.startswith(_OF_PROCESS))]
        age = GaugeMetricFamily("vitrine_figures_age_seconds", "Since a process left its figures.", value=age_s)
        found.append((path.stem, age))
    return found
