"""``tag``: tell attributes of the whole catalog from its stored vectors."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from indexer import bootstrap
from indexer.cli.console import escaped, messages, output, plain_table
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, add_tenant_flag, settings_of, tenant_of
from indexer.store.tenant_store import of_tenant
from indexer.tagging.catalog import TagCounts, tag_catalog
from indexer.tagging.tagger import Tagger
from indexer.tagging.taxonomy import DEFAULT_TAXONOMY, read_taxonomy

_SHOWN_VALUES = 6
_LINE_EVERY_S = 5.0


def add_command(commands: Any) -> None:
    """Adds ``tag``."""
    parser = commands.add_parser(
        "tag",
        help="Tell attributes (category, colour, pattern, ...) from the catalog's pictures, as fields tag.NAME.",
        description="Holds the values of a taxonomy against the stored vectors and writes the likeliest of each "
        "attribute, with its probability, beside what the feed says; products are then filtered and counted by "
        "tag.NAME. Nothing is fetched or embedded again. Again after an interruption it goes on; again with another "
        "file, tags that are no longer told go. New and changed pictures have no tags until the next call.",
    )
    parser.add_argument(
        "--taxonomy",
        type=Path,
        default=DEFAULT_TAXONOMY,
        metavar="FILE",
        help="TOML, JSON or YAML; without it the one in configs/taxonomies.",
    )
    parser.add_argument("--dry-run", action="store_true", help="Only tell what would be written.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    add_tenant_flag(parser)
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``tag``."""
    settings = settings_of(arguments).settings
    tenant, taxonomy = tenant_of(arguments, settings), read_taxonomy(arguments.taxonomy)
    with bootstrap.indexing(settings) as parts, messages().status("tagging") as status:
        tagger = Tagger(taxonomy, parts.embedder)
        shown = _Shown(status.update, is_terminal=messages().is_terminal)
        store = of_tenant(parts.store, tenant)
        counts = tag_catalog(store, parts.alias, parts.embedder, tagger, shown.update, dry_run=arguments.dry_run)
    if arguments.json:
        output().print_json(json.dumps(_json(counts)))
    else:
        _print(counts, dry_run=arguments.dry_run)
    return DONE


class _Shown:
    """Progress with its rate: on a terminal in place, elsewhere a line every few seconds."""

    def __init__(self, update: Any, *, is_terminal: bool) -> None:
        self._update = update
        self._is_terminal = is_terminal
        self._start_s = time.monotonic()
        self._printed_s = self._start_s

    def update(self, counts: TagCounts, total: int) -> None:
        """Shows how far it is."""
        now_s = time.monotonic()
        rate = counts.pictures / max(1e-3, now_s - self._start_s)
        text = f"tagging: {counts.products:,} of {total:,} products, {rate:,.0f} pictures/s"
        if self._is_terminal:
            self._update(text)
        elif now_s - self._printed_s >= _LINE_EVERY_S:
            self._printed_s = now_s
            messages().print(text)


def _print(counts: TagCounts, *, dry_run: bool) -> None:
    out = output()
    table = plain_table("tag", "products", "mean probability", "as the feed says", "values")
    for name, values in counts.values.items():
        tagged = values.total()
        most = [f"{value} {count:,}" for value, count in values.most_common(_SHOWN_VALUES)]
        more = len(values) - len(most)
        text = ", ".join(most) + (f", {more} more" if more > 0 else "")
        mean = counts.probabilities[name] / tagged
        known = counts.known[name]
        agreeing = f"{counts.agreeing[name] / known:.1%} of {known:,}" if known else ""
        table.add_row(f"tag.{name}", f"{tagged:,}", f"{mean:.2f}", agreeing, escaped(text))
    out.print(table)
    done = "would be tagged anew" if dry_run else "tagged anew"
    out.print(
        f"{counts.products:,} products, {counts.pictures:,} pictures: {counts.changed:,} {done}, "
        f"{counts.pictures - counts.changed:,} unchanged"
    )


def _json(counts: TagCounts) -> dict[str, Any]:
    return {
        "products": counts.products,
        "pictures": counts.pictures,
        "changed": counts.changed,
        "values": {f"tag.{name}": dict(values.most_common()) for name, values in counts.values.items()},
        "agreeing_with_feed": {
            f"tag.{name}": {"known": known, "agreeing": counts.agreeing[name]} for name, known in counts.known.items()
        },
    }
