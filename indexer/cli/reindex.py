"""``reindex FEED``: index a whole catalog anew, with no downtime."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from indexer import bootstrap
from indexer.catalog import open_feed
from indexer.cli.exit_codes import STOPPED
from indexer.cli.flags import add_settings_flags, add_tenant_flag, settings_of, tenant_of
from indexer.cli.reindex_summary import conclude
from indexer.cli.run_summary import shown
from indexer.reindex.parts import ReindexOptions
from indexer.reindex.reindexer import reindex
from indexer.settings import Settings
from indexer.tenants import refuse_for_tenants

_KEPT = "What was done is kept, and what serves is as it was; the same command goes on from there."


def add_command(commands: Any) -> None:
    """Adds ``reindex``."""
    parser = commands.add_parser(
        "reindex",
        help="Index a whole feed anew beside what serves, verify it, and switch over in one step.",
        description="Fills a new collection from the feed; vectors of pictures that have not changed are copied, not "
        "embedded. Then brings in what events said meanwhile, verifies counts, samples and recall, and promotes. With "
        "--model NEW the new collection is behind the alias of the new model: restart the API with that model then. "
        "Exit codes: 0 promoted or verified, 3 the same with failures listed, 1 not fit or stopped on the way, 2 "
        "cannot start, 130 interrupted.",
    )
    parser.add_argument("feed", type=Path, help="The feed file; products that it does not name are left behind.")
    parser.add_argument(
        "--promote", choices=("auto", "manual"), default="auto", help="manual: wait for the command promote."
    )
    parser.add_argument(
        "--golden", type=Path, metavar="QUERIES", help="Labelled queries, as for evaluate: old against new."
    )
    add_tenant_flag(parser)
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``reindex``."""
    settings = settings_of(arguments).settings
    refuse_for_tenants(
        settings,
        "A reindex, which fills a new collection from one feed,",
        "Run index --full --tenant NAME for each; for a new model with --model NEW, then restart the API with it.",
    )
    tenant_of(arguments, settings)
    options = ReindexOptions(
        promote=arguments.promote == "auto",
        batch_products=settings.batch_products,
        default_currency=settings.default_currency,
        limits=settings.verify_limits(),
    )
    old = _settings_without_model(arguments) if arguments.golden else None
    readable = partial(open_feed, arguments.feed, default_currency=settings.default_currency)
    with bootstrap.reindexing(settings, arguments.golden, old, before_model=readable) as parts:
        record = shown(lambda listen: reindex(arguments.feed, options, parts, listen), _KEPT)
        return STOPPED if record is None else conclude(record, parts.parts.ledger)


def _settings_without_model(arguments: argparse.Namespace) -> Settings:
    """The settings of whoever serves: those of this command without its --model."""
    others = argparse.Namespace(**vars(arguments) | {"model": None, "pretrained": None})
    return settings_of(others).settings
