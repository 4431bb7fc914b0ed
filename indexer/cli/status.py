"""``status``: collections, runs and reindexes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from indexer import bootstrap
from indexer.cli.console import output, plain_table
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, add_tenant_flag, settings_of, tenant_of
from indexer.cli.reindex_summary import reindex_json
from indexer.events.port import EventLog
from indexer.indexing.dispatcher import QueueStatus
from indexer.ledger.port import RunRecord
from indexer.ledger.reindexes import ReindexRecord
from indexer.store.queries import CollectionStatus

_RUNS_LOOKED_AT = 200


def add_command(commands: Any) -> None:
    """Adds ``status``."""
    parser = commands.add_parser("status", help="Show collections, the latest runs, and what waits for workers.")
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="How many runs and reindexes to show.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    add_tenant_flag(parser)
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``status``."""
    settings = settings_of(arguments).settings
    # without one the collections are shown, which are all tenants'
    tenant = tenant_of(arguments, settings) if arguments.tenant else ""
    store, ledger = bootstrap.open_store(settings), bootstrap.open_ledger(settings)
    log = bootstrap.open_event_log(settings, tenant)
    try:
        collections, recent = store.collections(), ledger.runs(max(arguments.runs, _RUNS_LOOKED_AT), tenant)
        runs, embedded_with = recent[: max(0, arguments.runs)], _embedded_with(recent[:_RUNS_LOOKED_AT])
        reindexes = ledger.reindexes(arguments.runs)
        events = [_events_json(item.alias, log) for item in collections if item.alias]
    finally:
        log.close()
        ledger.close()
        store.close()
    queues = bootstrap.queue_status(settings)
    if arguments.json:
        value: dict[str, Any] = {
            "collections": [_collection_json(item) for item in collections],
            "runs": [_run_json(r) for r in runs],
        }
        value["embedded_with"] = embedded_with
        value["events"] = events
        value["reindexes"] = [reindex_json(record) for record in reindexes]
        value["queues"] = [asdict(item) for item in queues]
        output().print_json(json.dumps(value))
        return DONE
    _print_collections(collections, embedded_with)
    _print_runs(runs)
    _print_reindexes(reindexes)
    _print_events(events)
    _print_queues(queues)
    return DONE


def _embedded_with(runs: Sequence[RunRecord]) -> dict[str, list[str]]:
    """What computed the embeddings behind each alias, as far back as the runs go.

    By alias and not by collection: a run's collection may be a copy of the one before, with its vectors.
    """
    found: dict[str, set[str]] = {}
    for record in runs:
        if record.embedded_with:
            found.setdefault(_alias_of(record.collection), set()).update(record.embedded_with)
    return {alias: sorted(ways) for alias, ways in found.items()}


def _alias_of(collection: str) -> str:
    return collection.rpartition("--")[0]


def _print_collections(collections: Any, embedded_with: Mapping[str, Sequence[str]]) -> None:
    out = output()
    if not collections:
        out.print("No collections yet. Run: python -m indexer index FEED")
        return
    table = plain_table("collection", "serves", "model", "embedded with", "points", "in graph", "where")
    for item in collections:
        table.add_row(
            item.collection,
            "yes" if item.alias else "no",
            item.space.model,
            "; ".join(embedded_with.get(_alias_of(item.collection), ())),
            f"{item.points:,}",
            f"{item.indexed_points:,}",
            item.detail,
        )
    out.print(table)


def _print_runs(runs: Any) -> None:
    out = output()
    if not runs:
        return
    table = plain_table("run", "state", "products", "embedded", "failed", "feed")
    for record in runs:
        counts = record.counts
        feed = f"retry of {record.plan.retry_of}" if record.plan.retry_of else record.plan.feed or "events"
        table.add_row(
            record.run_id, record.state, f"{counts.products:,}", f"{counts.embedded:,}", f"{counts.failed:,}", feed
        )
    out.print(table)


def _print_events(events: list[dict[str, Any]]) -> None:
    for item in events:
        if item["position"]:
            waiting = "all applied" if item["applied"] >= item["position"] else "some wait to be applied"
            p95_s = item["event_to_searchable_s"]["p95"]
            delay = f", searchable within {p95_s:.1f} s (p95)" if p95_s is not None else ""
            output().print(f"events behind {item['alias']}: {waiting}{delay}")


def _events_json(alias: str, log: EventLog) -> dict[str, Any]:
    applied = log.applied(alias)
    delay = {"count": applied.events, "p50": applied.p50_s, "p95": applied.p95_s}
    return {
        "alias": alias,
        "position": log.position(),
        "applied": applied.sequence,
        "event_to_searchable_s": delay,
    }


def _print_queues(queues: Sequence[QueueStatus]) -> None:
    if not queues:
        return
    table = plain_table("queue", "workers", "waiting", "oldest")
    for item in queues:
        table.add_row(item.name, str(item.workers), f"{item.depth:,}", f"{item.oldest_age_s:,.0f} s")
    output().print(table)


def _print_reindexes(reindexes: Sequence[ReindexRecord]) -> None:
    if not reindexes:
        return
    table = plain_table("reindex", "state", "target", "instead of", "feed", "reason")
    for record in reindexes:
        table.add_row(record.reindex_id, record.state, record.target, record.donor, record.feed, record.reason)
    output().print(table)


def _collection_json(item: CollectionStatus) -> dict[str, Any]:
    return {
        "collection": item.collection,
        "alias": item.alias,
        "space_id": item.space.space_id,
        "space": item.space.to_json(),
        "points": item.points,
        "indexed_points": item.indexed_points,
    }


def _run_json(record: RunRecord) -> dict[str, Any]:
    return {
        "run_id": record.run_id,
        "state": record.state,
        "feed": record.plan.feed,
        "full": record.plan.full,
        "retry_of": record.plan.retry_of,
        "collection": record.collection,
        "batches": record.batches,
        "expected_batches": record.expected_batches,
        "counts": {name: getattr(record.counts, name) for name in record.counts.__slots__},
        "embedded_with": list(record.embedded_with),
        "reason": record.reason,
        "started_at": record.started_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
    }
