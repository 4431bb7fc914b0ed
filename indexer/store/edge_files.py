"""Copying a shard's folder without copying what no copy will ever write to.

A generation is copied before each index run that changes something. Most of its bytes are the vectors of segments whose
graph is built: original vectors, quantized vectors and the graph itself. The engine maps these files for reading only;
what it changes of such a segment (deleted points, payloads, versions) lies in other files, and optimising writes new
segments. So these files are shared between generations by hard links, and only the others are copied. The engine lays
out most of its files larger than what is in them; what was never written takes no room in a copy either.
``tests/unit/store/test_edge_files.py`` holds the engine to it.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path

from indexer.errors import StoreUnavailable

_VECTORS = "matrix.dat"
"""Original vectors of a segment that takes no more points; one that does keeps them in chunks under other names."""
_QUANTIZED = "quantized.data"
GRAPHS = frozenset({"links.bin", "links_compressed.bin"})
"""Names of a graph's file."""
_BEING_REPLACED = ".atomicwrite*"
"""Folders in which the engine writes a small file anew before it takes the old one's place. It does so whenever a shard
is opened, by a process that serves it too, and they are gone the next moment."""
_COPIED_AT_ONCE_BYTES = 1 << 20


def is_never_written(path: Path) -> bool:
    """Whether the engine leaves a file of a shard as it is until it deletes it."""
    if path.name == _QUANTIZED:
        return (path.parent / _VECTORS).exists()
    return path.name == _VECTORS or path.name in GRAPHS


def settled_paths(folder: Path) -> list[Path]:
    """All that is below a folder of shards, in order of their paths, but for what the engine replaces just now."""
    found: list[Path] = []
    for inside, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not fnmatch(name, _BEING_REPLACED)]  # nor looked into: it may be gone
        found += [Path(inside, name) for name in (*folders, *files)]
    return sorted(found)


def copy_shard(source: Path, target: Path) -> None:
    """Copies a shard that nobody writes to; the copy may be written to and the source stays as it is.

    Args:
        source: folder of the shard.
        target: made, atomically: it is there only when it is whole.

    Raises:
        StoreUnavailable: the disk is full or not writable.
    """
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        shutil.copytree(source, partial, copy_function=_link_or_copy, ignore=shutil.ignore_patterns(_BEING_REPLACED))
        partial.rename(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise StoreUnavailable(
            f"{source} could not be copied for writing: {error.strerror or error}.", "Check the disk's space."
        ) from error


def _link_or_copy(source: str, target: str) -> None:
    if is_never_written(Path(source)):
        try:
            os.link(source, target)
        except OSError:
            pass  # a file system without hard links, or a file that has too many
        else:
            return
    try:
        _copy_written(source, target)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        shutil.copy2(source, target)  # a file system that cannot tell holes


def _copy_written(source: str, target: str) -> None:
    """Copies a file as ``shutil.copy2`` does, but leaves holes where it has holes."""
    with Path(source).open("rb") as given, Path(target).open("wb") as made:
        size = os.fstat(given.fileno()).st_size
        made.truncate(size)
        end = 0
        while (start := _next_written(given.fileno(), end)) < size:
            end = _next_hole(given.fileno(), start, size)
            while start < end:
                part = os.pread(given.fileno(), min(_COPIED_AT_ONCE_BYTES, end - start), start)
                start += os.pwrite(made.fileno(), part, start)
    shutil.copystat(source, target)


def _next_written(file: int, start: int) -> int:
    try:
        return os.lseek(file, start, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return sys.maxsize  # nothing is written behind it


def _next_hole(file: int, start: int, size: int) -> int:
    return min(size, os.lseek(file, start, os.SEEK_HOLE))
