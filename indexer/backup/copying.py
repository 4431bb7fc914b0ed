"""Copying files that are mostly holes, as the engine lays out its files ahead, and computing their checksums."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from indexer.errors import StoreUnavailable

_BLOCK_BYTES = 1 << 20
_PAGE_BYTES = 1 << 12
_ZEROS = bytes(_PAGE_BYTES)

Tell = Callable[[int], None]
"""Called with bytes that are done."""


def copy_open(source: int, target: Path, mode: int, tell: Tell) -> None:
    """Copies what a file held when this was called; pages of zeros become holes.

    Args:
        source: descriptor; its position may change.
        target: created; its folder is there.
        mode: permissions of the copy.
        tell: see ``Tell``.

    Raises:
        StoreUnavailable: it became shorter meanwhile.
        OSError: it cannot be read or written, or the disk is full.
    """
    size = os.fstat(source).st_size
    with target.open("xb") as made:
        target.chmod(mode)
        made.truncate(size)
        for offset, page in _pages(source, size, tell):
            written = 0
            while written < len(page):
                written += os.pwrite(made.fileno(), page[written:], offset + written)
    if os.fstat(source).st_size < size:
        raise StoreUnavailable(f"{target.name} became shorter while it was copied.", "Run the same command again.")


def checksum_of(path: Path, tell: Tell) -> str:
    """SHA-256, hexadecimal, of a file's size and of each page of 4096 bytes that is not all zeros, with its offset.

    Two files have the same if they have the same content; what is a hole in one may be written zeros in the other.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(_number(size))
        for offset, page in _pages(file.fileno(), size, tell):
            digest.update(_number(offset))
            digest.update(page)
    return digest.hexdigest()


def _pages(file: int, size: int, tell: Tell) -> Iterator[tuple[int, memoryview]]:
    """Pages that are not all zeros, with their offsets; ``tell`` counts the others too."""
    start = 0
    while start < size:
        written = min(size, _next_written(file, start))
        written -= written % _PAGE_BYTES if written < size else 0
        tell(written - start)
        block = memoryview(os.pread(file, min(_BLOCK_BYTES, size - written), written))
        if not block:
            return
        for offset in range(0, len(block), _PAGE_BYTES):
            page = block[offset : offset + _PAGE_BYTES]
            if page != _ZEROS[: len(page)]:
                yield written + offset, page
        tell(len(block))
        start = written + len(block)


def _next_written(file: int, start: int) -> int:
    """Where the next bytes are that were ever written; far away if there are none."""
    try:
        return os.lseek(file, start, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return 1 << 62
        return start  # a file system that cannot tell holes


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")
