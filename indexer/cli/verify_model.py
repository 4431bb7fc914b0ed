"""``verify-model MODEL``: whether a checkpoint gives its published scores."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from indexer import bootstrap
from indexer.cli.console import output, plain_table
from indexer.cli.exit_codes import DONE, STOPPED
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.embedding.port import Embedder
from indexer.embedding.verify import TOLERANCE, Comparison, compare, tables_for


def add_command(commands: Any) -> None:
    """Adds ``verify-model``."""
    parser = commands.add_parser(
        "verify-model",
        help="Check a checkpoint against published scores.",
        description="Loads a model, which proves that weights, recipe and tokenizer belong together, and computes the "
        f"score tables anew that were published with it (logits within {TOLERANCE} where the pictures have the model's "
        "size). Exit codes: 0 it agrees or nothing is published for it, 1 it does not agree, 2 it cannot be loaded.",
    )
    parser.add_argument("verified_model", metavar="MODEL", help="As for the setting model.")
    parser.add_argument("--published", type=Path, metavar="DIR", help="Folder of the published tables and pictures.")
    parser.add_argument("--as", dest="published_as", default="", metavar="NAME", help="open_clip name of a local-dir.")
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``verify-model``."""
    arguments.model = arguments.verified_model
    settings = settings_of(arguments).settings
    embedder = bootstrap.open_embedder(settings)
    _print_space(embedder)
    name = arguments.published_as or settings.model
    tables = tables_for(name)
    out = output()
    if not tables:
        out.print(f"No scores are published for {name}; it loads, and its parts belong together.")
        return DONE
    if arguments.published is None:
        out.print(f"Scores are published for {name}; name their folder with --published to compare.")
        return DONE
    results = [compare(embedder, table, arguments.published) for table in tables]
    _print_results(results)
    return DONE if all(result.agrees for result in results) else STOPPED


def _print_space(embedder: Embedder) -> None:
    space, scale = embedder.space, embedder.label_scale
    out = output()
    out.print(f"{space.model} {space.pretrained} ({embedder.description}), space {space.space_id}")
    out.print(
        f"dim {space.dim}, {space.image_size_px} px, scale {scale.scale:.3f}, bias {scale.bias}, fingerprints: "
        f"preprocess {space.preprocess_fingerprint}, tokenizer {space.tokenizer_fingerprint}, "
        f"weights {space.weights_fingerprint}"
    )


def _print_results(results: list[Comparison]) -> None:
    table = plain_table("table", "pictures x texts", "largest difference", "mean", "same best picture", "worst", "")
    for result in results:
        table.add_row(
            result.table.stem,
            f"{result.pictures} x {result.texts}",
            f"{result.largest:.3f}" + ("" if result.table.at_model_size else " (thumbnails)"),
            f"{result.mean:.3f}",
            f"{result.same_best:.0%}",
            f"picture {result.worst[0]}, {result.worst[1]!r}",
            "agrees" if result.agrees else "DOES NOT AGREE",
        )
    output().print(table)
