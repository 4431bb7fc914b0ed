"""Copies of SQLite files that others are writing to, as they were at one moment."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from indexer.backup.copying import Tell
from indexer.errors import StoreUnavailable

_HEADER = b"SQLite format 3\0"
_PAGES_AT_ONCE = 4096
_BUSY_S = 30.0


def is_database(path: Path) -> bool:
    """Whether a file is one of SQLite's."""
    with path.open("rb") as file:
        return file.read(len(_HEADER)) == _HEADER


def copy_database(source: Path, target: Path, mode: int, tell: Tell) -> None:
    """Copies what was committed when this was called; writers go on meanwhile.

    Args:
        source: in write-ahead mode or not.
        target: created; its folder is there.
        mode: permissions of the copy.
        tell: see ``Tell``.

    Raises:
        StoreUnavailable: it cannot be read, or the copy cannot be written, or the copy is damaged as the source is.
    """
    try:
        with (
            closing(sqlite3.connect(source, timeout=_BUSY_S, isolation_level=None)) as given,
            closing(sqlite3.connect(target, isolation_level=None)) as made,
        ):
            target.chmod(mode)
            given.execute("PRAGMA query_only = ON")
            # the transaction holds one state, so that commits of others meanwhile do not begin the copy anew
            given.execute("BEGIN")
            given.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            page_bytes = int(given.execute("PRAGMA page_size").fetchone()[0])
            copied = 0

            def progress(_status: int, remaining: int, total: int) -> None:
                nonlocal copied
                tell((total - remaining - copied) * page_bytes)
                copied = total - remaining

            given.backup(made, pages=_PAGES_AT_ONCE, progress=progress)
            given.execute("ROLLBACK")
            # the copy has all in one file: no log beside it, which could be forgotten or mixed up
            made.execute("PRAGMA journal_mode = DELETE")
            wrong = made.execute("PRAGMA quick_check(1)").fetchone()[0]
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(
            f"{source} cannot be copied: {error}.", "Check the disk's space and rights; python -m indexer doctor tells."
        ) from error
    if wrong != "ok":
        raise StoreUnavailable(f"{source} is damaged: {wrong}.", "Restore it from an earlier backup.")
