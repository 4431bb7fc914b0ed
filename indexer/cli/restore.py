"""``restore``: fill an empty data folder with a backup."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from indexer.backup.manifest import Manifest
from indexer.backup.restore import check_backup, restore_backup
from indexer.cli.bytes_display import bytes_display
from indexer.cli.console import output
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, settings_of


def add_command(commands: Any) -> None:
    """Adds ``restore``."""
    parser = commands.add_parser(
        "restore",
        help="Fill an empty data folder with what backup copied.",
        description="Every file is compared with its checksum and every collection opened before anything appears.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="That backup made.")
    parser.add_argument("--check", action="store_true", help="Only compare its files with their checksums.")
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``restore``."""
    settings = settings_of(arguments).settings
    backup, start_s = arguments.folder.absolute(), time.monotonic()
    with bytes_display() as listen:
        if arguments.check:
            manifest = check_backup(backup, listen)
        else:
            manifest = restore_backup(backup, settings.data_dir.absolute(), listen)
    done = "is whole" if arguments.check else f"restored into {settings.data_dir}"
    output().print(f"{backup} of {manifest.created_at} {done}: {_described(manifest)}", markup=False)
    output().print(f"{len(manifest.files):,} files compared with their checksums ({time.monotonic() - start_s:.1f} s)")
    if not arguments.check:
        output().print("What came after it: index the latest feed, and send later events again.")
    return DONE


def _described(manifest: Manifest) -> str:
    serving = [f"{item.points:,} pictures of {item.alias}" for item in manifest.collections if item.alias]
    return ", ".join(serving) or "no collection"
