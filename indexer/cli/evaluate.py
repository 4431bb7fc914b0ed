"""``evaluate QUERIES``: how well labelled queries find their products."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from indexer import bootstrap
from indexer.cli.console import messages, output, plain_table
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, add_tenant_flag, settings_of, tenant_of
from indexer.errors import ConfigurationError
from indexer.evaluation.evaluate import GroupScores, evaluate
from indexer.evaluation.metrics import METRICS, SEARCH_DEPTH
from indexer.evaluation.queries import read_queries
from indexer.store.port import Alias
from indexer.store.tenant_store import of_tenant


def add_command(commands: Any) -> None:
    """Adds ``evaluate``."""
    parser = commands.add_parser(
        "evaluate",
        help="Score labelled queries: hit@k, recall@10, MRR, nDCG@10.",
        description='Lines of QUERIES: {"image": PATH or "text": TEXT, "relevant": [PRODUCT_ID, ...]}. '
        f"The first {SEARCH_DEPTH} products of each answer count; intervals are 95 % bootstrap intervals.",
    )
    parser.add_argument("queries", type=Path, help="JSONL file; image paths are relative to its folder.")
    parser.add_argument("--where", action="append", default=[], metavar="FIELD=VALUE", help="Only such lines.")
    parser.add_argument("--group-by", default="", metavar="FIELD", help="Also score each value of a field.")
    parser.add_argument("--relevant-field", default="relevant", metavar="FIELD", help="Where the right ids stand.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    add_tenant_flag(parser)
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``evaluate``."""
    settings = settings_of(arguments).settings
    tenant = tenant_of(arguments, settings)
    where = dict(_pair(item) for item in arguments.where)
    queries = read_queries(arguments.queries, where=where, relevant_field=arguments.relevant_field)
    store = bootstrap.open_store(settings)
    try:
        embedder = bootstrap.open_embedder(settings)
        reader = of_tenant(store, tenant).reader(Alias(settings.alias_catalog, embedder.space.space_id))
        status = reader.status()
        with bootstrap.open_decoder(settings) as decoder, messages().status("evaluating") as shown:
            groups = evaluate(
                queries,
                embedder,
                reader,
                decoder,
                group_by=arguments.group_by,
                done=lambda count: shown.update(f"{count} of {len(queries)} queries"),
            )
    finally:
        store.close()
    if arguments.json:
        value = {
            "queries": str(arguments.queries),
            "collection": status.collection,
            "space_id": status.space.space_id,
            "model": status.space.model,
            "points": status.points,
            "groups": [asdict(group) for group in groups],
        }
        output().print_json(json.dumps(value))
        return DONE
    output().print(f"{status.collection}: {status.points:,} points, model {status.space.model}")
    _print_table(groups)
    return DONE


def _print_table(groups: Sequence[GroupScores]) -> None:
    table = plain_table("queries", "", *METRICS)
    for group in groups:
        cells = [f"{item.mean:.3f} ({item.low:.3f}-{item.high:.3f})" for item in group.metrics.values()]
        table.add_row(group.name, f"{group.queries:,}", *cells)
    output().print(table)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(f"--where {text} is not of the form FIELD=VALUE.", "For example: --where split=val.")
    return name, value
