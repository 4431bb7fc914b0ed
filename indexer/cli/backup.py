"""``backup``: copy all of the data folder that cannot be made again, while it serves."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from indexer.backup.make import MadeBackup, make_backup
from indexer.cli.bytes_display import bytes_display
from indexer.cli.console import messages, output
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.settings import Settings


def add_command(commands: Any) -> None:
    """Adds ``backup``."""
    parser = commands.add_parser(
        "backup",
        help="Copy the embedded store, its ledger, events, aliases, keys and calibration into a new folder.",
        description="Searches and index runs go on meanwhile. The folder appears when all is copied and read back; one "
        "that was interrupted leaves a hidden folder beside it, which the next backup of that name takes away.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="Must not be there yet; best on another disk.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``backup``."""
    settings = settings_of(arguments).settings
    start_s = time.monotonic()
    with bytes_display() as listen:
        made = make_backup(settings.data_dir.resolve(), arguments.folder.absolute(), listen)
    missing = _not_in_it(settings)
    if arguments.json:
        output().print_json(json.dumps(_json(made, missing)))
        return DONE
    serving = [item for item in made.manifest.collections if item.alias]
    for item in serving:
        output().print(f"{item.alias}: {item.points:,} pictures ({item.collection})", markup=False)
    output().print(
        f"{made.folder}: {len(made.manifest.files):,} files, {made.disk_bytes / 1e6:,.1f} MB on disk, whole and read "
        f"back ({time.monotonic() - start_s:.1f} s)",
        markup=False,
    )
    for sentence in missing:
        messages().print(f"not in it: {sentence}", markup=False)
    return DONE


def _not_in_it(settings: Settings) -> list[str]:
    """What an installation has elsewhere, so that nobody takes this for a copy of it."""
    missing = []
    if settings.store == "qdrant":
        missing.append("the collections of the Qdrant server; take snapshots of them (docs/operations.md).")
    if settings.ledger == "redis":
        missing.append("runs and events, which are in Redis; copy its append-only files (docs/operations.md).")
    keys = settings.keys_path
    if keys.exists() and not keys.resolve().is_relative_to(settings.data_dir.resolve()):
        missing.append(f"the API keys, which are in {keys} (keys_file); copy that file, too.")
    return missing


def _json(made: MadeBackup, missing: list[str]) -> dict[str, Any]:
    manifest = made.manifest
    return {
        "folder": str(made.folder),
        "created_at": manifest.created_at,
        "files": len(manifest.files),
        "disk_bytes": made.disk_bytes,
        "collections": [
            {"collection": item.collection, "alias": item.alias, "space_id": item.space_id, "points": item.points}
            for item in manifest.collections
        ],
        "not_in_it": missing,
    }
