"""Holding on to the generations that serve while they are copied, however many are published and pruned meanwhile."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from indexer.errors import StoreUnavailable
from indexer.store.edge_files import settled_paths
from indexer.store.generations import GenerationFolders
from indexer.store.port import Alias

_TRIES = 20
_SPARE_DESCRIPTORS = 200


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """An open file.

    Attributes:
        path: below the store's folder, with slashes.
        descriptor: open for reading.
        inode: device and number; equal ones share their content.
        size_bytes: of its content.
        disk_bytes: that it takes, without its holes.
        mode: permissions.
    """

    path: str
    descriptor: int
    inode: tuple[int, int]
    size_bytes: int
    disk_bytes: int
    mode: int


@dataclass(frozen=True, slots=True)
class PinnedStore:
    """What serves at one moment, and what a rollback would go back to.

    Attributes:
        pointers: content of each alias's pointer file, by its path below the store's folder.
        aliases: alias by the collection that it answers with; empty for collections kept for a rollback.
        files: of these collections.
    """

    pointers: dict[str, bytes]
    aliases: dict[str, str]
    files: tuple[PinnedFile, ...]

    @property
    def size_bytes(self) -> int:
        """Content of the files, holes included; those that share it are counted once."""
        return sum({item.inode: item.size_bytes for item in self.files}.values())

    @property
    def disk_bytes(self) -> int:
        """What they take on disk, and a copy of them will take."""
        return sum({item.inode: item.disk_bytes for item in self.files}.values())


@contextmanager
def pinned(folders: GenerationFolders) -> Iterator[PinnedStore]:
    """Opens every file of the published generations that aliases name.

    A file that is open can be read to its end though an index run deletes it, and a process that is killed leaves
    nothing behind. Nothing is locked and nothing is written.

    Raises:
        StoreDamaged: a pointer or record cannot be read.
        StoreUnavailable: files cannot be opened, or there are more than one process may have open.
    """
    with ExitStack() as stack:
        yield _opened(folders, stack)


def _opened(folders: GenerationFolders, stack: ExitStack) -> PinnedStore:
    for _ in range(_TRIES):
        with ExitStack() as attempt:
            pointers, aliases = _named(folders)
            try:
                files = tuple(item for name in aliases for item in _open_all(folders, name, attempt))
            except FileNotFoundError:
                continue  # an index run published, and pruned what was named a moment ago
            # records are deleted first: one that is still there vouches for all the files that were found before
            if set(aliases) <= set(folders.names()):
                stack.push(attempt.pop_all())
                return PinnedStore(pointers, aliases, files)
    raise StoreUnavailable(
        f"The generations of {folders.root} change faster than they can be opened.", "Run the same command again."
    )


def _named(folders: GenerationFolders) -> tuple[dict[str, bytes], dict[str, str]]:
    pointers: dict[str, bytes] = {}
    aliases: dict[str, str] = {}
    previous: list[str] = []
    known = set(folders.names())
    for name in folders.aliases():  # says what is wrong with one that cannot be read
        catalog, _, space_id = name.rpartition("--")
        path = folders.pointer(Alias(catalog, space_id))
        # read once: what is copied is what names the collections
        content = path.read_bytes()
        value = json.loads(content)
        pointers[path.relative_to(folders.root).as_posix()] = content
        aliases[value["collection"]] = name
        previous.append(value.get("previous", ""))
    for collection in previous:
        if collection in known:
            aliases.setdefault(collection, "")
    return pointers, aliases


def _open_all(folders: GenerationFolders, collection: str, stack: ExitStack) -> Iterator[PinnedFile]:
    for path in settled_paths(folders.folder(collection)):
        if path.is_dir() or path.name.startswith("."):
            continue
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreUnavailable(
                f"{path} cannot be opened: {error.strerror}.", "Check its rights, and the limit of open files (ulimit)."
            ) from error
        stack.callback(os.close, descriptor)
        _make_room(descriptor)
        facts = os.fstat(descriptor)
        yield PinnedFile(
            path.relative_to(folders.root).as_posix(),
            descriptor,
            (facts.st_dev, facts.st_ino),
            facts.st_size,
            facts.st_blocks * 512,
            facts.st_mode & 0o777,
        )


def _make_room(descriptor: int) -> None:
    """Raises this process's limit of open files when it is near; a descriptor's number tells how many there are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and descriptor + _SPARE_DESCRIPTORS > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
