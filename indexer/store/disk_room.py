"""Room on the disk, looked at before the engine writes: on a full disk it would take the whole process with it.

The engine maps its files into memory, and lays them out ahead as holes. A write into a hole that the file system has no
block for is no error that could be caught, but the signal SIGBUS (``man 2 mmap``, ERRORS).
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from indexer.errors import StoreUnavailable
from indexer.store.edge_files import settled_paths

LEAST_BYTES = 200_000_000
"""What one write may take: points of a batch, the pages they lie in, and those of their payload indexes. A collection
of 300 products took 93 MB on a file system that fills holes when they are looked at (tmpfs), and 2 MB on ext4."""


def check_room(folder: Path, more_bytes: int = 0) -> None:
    """Returns if something can be written.

    Args:
        folder: on the disk that is meant; it is there.
        more_bytes: to be written beyond what a batch takes.

    Raises:
        StoreUnavailable: there is too little room, or the folder is gone.
    """
    needed = LEAST_BYTES + more_bytes
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StoreUnavailable(f"The disk of {folder} cannot be looked at: {error.strerror}.") from error
    if free < needed:
        raise StoreUnavailable(
            f"The disk of {folder} has {free / 1e6:,.0f} MB left, and the store needs {needed / 1e6:,.0f} MB to write.",
            "Make room, for example with python -m indexer prune; then give the same command again.",
        )


def disk_bytes(folder: Path) -> int:
    """What a folder's files take on disk: those that share their content once, those that go meanwhile not."""
    taken: dict[tuple[int, int], int] = {}
    for path in settled_paths(folder):
        with suppress(FileNotFoundError):
            facts = path.lstat()
            taken[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return sum(taken.values())
