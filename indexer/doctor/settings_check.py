"""Settings that do not go together, though each of them is possible."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from indexer.doctor.findings import Finding, Notes
from indexer.settings import Settings

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", ""})


def check_settings(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``."""
    notes = Notes("settings")
    _fleet(settings, notes)
    _server(settings, notes)
    _model(settings, notes)
    _api(settings, notes)
    _paths(settings, notes)
    if not notes.made:
        notes.ok("They go together.")
    return notes.made


def _fleet(settings: Settings, notes: Notes) -> None:
    if settings.dispatcher == "celery" and (settings.store == "edge" or settings.ledger == "sqlite"):
        notes.error(
            "dispatcher_needs_servers",
            f"dispatcher is celery, but store is {settings.store} and ledger is {settings.ledger}.",
            "Set store to qdrant and ledger to redis, or dispatcher to inline.",
        )
    if "redis" in {settings.ledger, {"celery": "redis"}.get(settings.dispatcher)} and not _is_set(settings.redis_url):
        notes.error("redis_url_missing", "ledger or dispatcher need Redis, and redis_url is empty.", "Set it.")
    if settings.retry_max_s < settings.retry_base_s:
        notes.warning(
            "retries_reversed",
            f"retry_max_s ({settings.retry_max_s:g}) is below retry_base_s ({settings.retry_base_s:g}).",
            "Make retry_max_s the larger one.",
        )


def _server(settings: Settings, notes: Notes) -> None:
    if settings.store == "edge":
        if settings.qdrant_url:
            notes.warning(
                "qdrant_url_unused", "qdrant_url is set, and store is edge.", "Set store to qdrant, or take it away."
            )
        return
    if not settings.qdrant_url:
        notes.error("qdrant_url_missing", "store is qdrant, and qdrant_url is empty.", "Set it.")
        return
    address = urlsplit(settings.qdrant_url)
    if address.scheme == "http" and _is_set(settings.qdrant_api_key) and (address.hostname or "") not in _LOOPBACK:
        notes.warning(
            "qdrant_key_in_clear",
            f"The Qdrant key goes to {address.hostname} unencrypted.",
            "Use https, or keep both in one network that nobody else is in.",
        )
    replicas, factor = settings.qdrant_replication_factor, settings.qdrant_write_consistency_factor
    if replicas and factor > replicas:
        notes.error(
            "write_consistency_impossible",
            f"qdrant_write_consistency_factor is {factor}, and there are {replicas} copies: no write can succeed.",
            f"Set it to {replicas} or less.",
        )


def _model(settings: Settings, notes: Notes) -> None:
    size = settings.embed_batch_size
    if size & (size - 1):
        notes.error("batch_size_odd", f"embed_batch_size is {size}.", "It must be a power of two.")
    if settings.precision == "int8" and settings.backend == "torch":
        notes.error("int8_needs_openvino", "precision is int8, which torch cannot compute.", "Set backend to openvino.")
    if settings.backend == "openvino" and settings.device == "cuda":
        notes.error(
            "openvino_on_gpu", "backend is openvino, and device is cuda.", "Set device to cpu, or backend to torch."
        )


def _api(settings: Settings, notes: Notes) -> None:
    is_local = settings.host in _LOOPBACK
    if settings.open_search and not is_local and not settings.open_search_anywhere and not settings.tenants:
        notes.error(
            "open_search_refused",
            f"open_search is on and host is {settings.host}: the search API does not start so.",
            "Set open_search to false and give out keys, or open_search_anywhere where something in front guards it.",
        )
    if settings.tenants and settings.open_search:
        notes.error("open_search_of_tenants", "tenants and open_search are both on.", "Set open_search to false.")


def _paths(settings: Settings, notes: Notes) -> None:
    if settings.feeds_dir and not Path(settings.feeds_dir).is_dir():
        notes.error(
            "feeds_dir_missing", f"There is no folder {settings.feeds_dir} (feeds_dir).", "Make it, or correct it."
        )
    for name in ("qdrant_ca_file", "keys_file"):
        path = getattr(settings, name)
        if path and not Path(path).is_file() and not (name == "keys_file" and Path(path).parent.is_dir()):
            notes.error(f"{name}_missing", f"There is no file {path} ({name}).", "Correct the path.")
    weights = settings.region_detector.partition(":")[2]
    if settings.region_detector and not Path(weights).is_file():
        notes.error(
            "region_detector_missing", f"region_detector names no file: {settings.region_detector}.", "Correct it."
        )


def _is_set(secret: object) -> bool:
    return bool(getattr(secret, "get_secret_value", lambda: secret)())
