"""``index FEED``: index a catalog feed."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from indexer import bootstrap
from indexer.catalog import open_feed
from indexer.cli.flags import add_settings_flags, add_tenant_flag, settings_of, tenant_of
from indexer.cli.run_summary import supervise
from indexer.cli.tuning_advice import tuning_advice
from indexer.indexing.run import IndexOptions, index_feed


def add_command(commands: Any) -> None:
    """Adds ``index``."""
    parser = commands.add_parser(
        "index",
        help="Index a catalog feed; the same command resumes after an interruption.",
        description="Reads a feed (Google Merchant XML or TSV, Yandex YML, CSV, JSONL, Parquet; plain or gzip), embeds "
        "the pictures that are new or changed, and brings every product up to date. Exit codes: 0 all indexed, "
        "3 finished with failures listed, 2 cannot start, 1 stopped on the way, 130 interrupted.",
    )
    parser.add_argument("feed", type=Path, help="The feed file; image paths in it are relative to its folder.")
    parser.add_argument("--full", action="store_true", help="Also remove products that the feed does not name.")
    parser.add_argument("--limit", type=_positive, default=0, metavar="N", help="Index only the first N products.")
    add_tenant_flag(parser)
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``index``."""
    settings = settings_of(arguments).settings
    size, currency, tenant = settings.batch_products, settings.default_currency, tenant_of(arguments, settings)
    options = IndexOptions(arguments.full, arguments.limit, size, currency, tenant)
    readable = partial(open_feed, arguments.feed, default_currency=settings.default_currency)
    with bootstrap.dispatching(settings, before_model=readable) as dispatcher:
        return supervise(
            lambda listen: index_feed(arguments.feed, options, dispatcher, listen),
            dispatcher.ledger,
            lambda record: tuning_advice(record, settings),
        )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value
