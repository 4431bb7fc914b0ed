"""``reindex FEED``: index a whole catalog anew, with no downtime."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from indexer import bootstrap
from indexer.catalog import open_feed
from indexer.cli.console import escaped, messages, progress_display
from indexer.cli.exit_codes import STOPPED
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.cli.reindex_summary import conclude
from indexer.errors import FeedError, VitrineError
from indexer.indexing.progress import IndexProgress
from indexer.ledger.reindexes import ReindexRecord
from indexer.reindex.parts import ReindexOptions, ReindexParts
from indexer.reindex.reindexer import reindex
from indexer.settings import Settings

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
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``reindex``."""
    settings = settings_of(arguments).settings
    options = ReindexOptions(
        promote=arguments.promote == "auto",
        batch_products=settings.batch_products,
        default_currency=settings.default_currency,
        limits=settings.verify_limits(),
    )
    old = _settings_without_model(arguments) if arguments.golden else None
    # before seconds go into the model: a wrong path is told at once
    open_feed(arguments.feed, default_currency=settings.default_currency)
    with bootstrap.reindexing(settings, arguments.golden, old) as parts:
        record = _supervised(arguments.feed, options, parts)
        return STOPPED if record is None else conclude(record, parts.parts.ledger)


def _supervised(feed: Path, options: ReindexOptions, parts: ReindexParts) -> ReindexRecord | None:
    """The record; None after saying what stopped it on the way."""
    begun = False
    try:
        with progress_display() as show:

            def listen(progress: IndexProgress) -> None:
                nonlocal begun
                begun = True
                show(progress)

            return reindex(feed, options, parts, listen)
    except KeyboardInterrupt:
        messages().print(f"Interrupted. {_KEPT}")
        raise
    except VitrineError as error:
        if not begun or isinstance(error, FeedError):
            raise
        messages().print(f"[bold red]stopped[/]: {escaped(str(error))} {_KEPT}")
        return None


def _settings_without_model(arguments: argparse.Namespace) -> Settings:
    """The settings of whoever serves: those of this command without its --model."""
    others = argparse.Namespace(**vars(arguments) | {"model": None, "pretrained": None})
    return settings_of(others).settings
