"""A folder that one process at a time fills under another name; what a killed one left is taken away."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import StoreLocked, StoreUnavailable

LOCK = ".lock"
"""Name of a file in it."""


@contextmanager
def filling(folder: Path, what: str) -> Iterator[Path]:
    """An empty folder, readable by its owner alone; deleted at the end of the block, unless it was moved away.

    Args:
        folder: made; its parent is there.
        what: is done there, for the message to a second process: "A backup to /backups/monday".

    Raises:
        StoreLocked: another process is filling it.
        StoreUnavailable: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"{folder} cannot be made: {error.strerror}.", "Check the rights and the disk."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # who had it may have moved the folder away meanwhile
            (folder / LOCK).stat()
        except OSError as error:
            raise StoreLocked(f"{what} is being made by another process.", "Wait until it is done.") from error
        for left in folder.iterdir():
            if left.name != LOCK:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
