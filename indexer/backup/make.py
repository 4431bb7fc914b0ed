"""Making a backup of an embedded installation while it serves and is written to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from indexer.atomic_file import sync
from indexer.backup.copying import checksum_of, copy_open
from indexer.backup.databases import copy_database, is_database
from indexer.backup.manifest import DATA, BackedUpFile, Manifest, program_version
from indexer.backup.pinned import pinned
from indexer.backup.progress import BytesListener, Telling
from indexer.backup.sole_folder import LOCK, filling
from indexer.backup.store_copy import copy_store, looked_into, published_bytes
from indexer.errors import ConfigurationError, StoreUnavailable
from indexer.points import utc_text
from indexer.store.disk_room import disk_bytes
from indexer.store.generations import GenerationFolders

STORE = "store"
MADE_AGAIN = frozenset({"models", "follower", "figures", "lost+found"})
"""Folders of the data folder that are left out: converted models and what was measured of them, which ``tune`` and the
next start make again, what a process had in hand, and its figures."""
_FIRST = ("requests.sqlite3", "events.sqlite3")
_LAST = ("ledger.sqlite3",)
_SIDE_FILES = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class MadeBackup:
    """A backup that is whole.

    Attributes:
        folder: of it.
        manifest: what it says of itself.
        disk_bytes: that it takes.
    """

    folder: Path
    manifest: Manifest
    disk_bytes: int


def make_backup(data_dir: Path, target: Path, listen: BytesListener) -> MadeBackup:
    """Copies all of a data folder that cannot be made again: one acknowledged state, as of now or a little later.

    What refers to something is copied before what it refers to: requests and events before the ledger, all of these
    before the store is looked at. So no event counts as applied, and no run as finished, whose points are missing; what
    is in the points already and not in the log yet does no harm when it is applied again. Of the store, the published
    generations are copied that serve, and those before them; what an unfinished run wrote is left out, and the run
    starts anew when its command is given again.

    Args:
        data_dir: of the installation.
        target: folder that appears when the backup is whole; there must be none.
        listen: told how far it is.

    Raises:
        ConfigurationError: there is nothing to back up, or the target is there already or inside the data folder.
        StoreLocked: another process is making it.
        StoreDamaged: what should be copied is damaged.
        StoreUnavailable: something cannot be read or written, or the disk has too little room.
    """
    _check(data_dir, target)
    created_at = utc_text(datetime.now(UTC))
    # beside the target, so that one renaming is enough; a killed process leaves it under this name and without manifest
    with filling(target.with_name(f".{target.name}.partial"), f"A backup to {target}") as partial:
        data = partial / DATA
        data.mkdir(mode=0o700)
        manifest = _filled(data_dir, data, created_at, listen)
        os.sync()  # a thousand small files: one call for all of them takes a fraction of one for each
        try:
            manifest.write(partial)
            partial.rename(target)
            (target / LOCK).unlink()
            sync(target.parent)
        except OSError as error:
            raise StoreUnavailable(f"{target} cannot be made: {error.strerror}.", "Name another folder.") from error
    return MadeBackup(target, manifest, disk_bytes(target))


def _check(data_dir: Path, target: Path) -> None:
    if not data_dir.is_dir() or (not any(_to_copy(data_dir)) and not (data_dir / STORE).is_dir()):
        raise ConfigurationError(f"There is nothing to back up in {data_dir}.", "Name the data folder with --data-dir.")
    if target.exists() or target.is_symlink():
        raise ConfigurationError(f"{target} is there already.", "Name a folder that is not there yet.")
    if not target.parent.is_dir():
        raise ConfigurationError(f"There is no folder {target.parent}.", "Make it first, or name another.")
    if target.parent.resolve().is_relative_to(data_dir.resolve()):
        raise ConfigurationError(f"{target} lies inside the data folder.", "Name a folder elsewhere, on another disk.")


def _filled(data_dir: Path, data: Path, created_at: str, listen: BytesListener) -> Manifest:
    others, folders = list(_to_copy(data_dir)), GenerationFolders(data_dir / STORE)
    others_bytes = sum(path.stat().st_size for path in others)
    telling = Telling(listen, 2 * (others_bytes + published_bytes(folders)))
    try:
        telling.begin("copying what is on record")
        for path in others:
            _copy_other(path, data / path.relative_to(data_dir), telling)
        with pinned(folders) as store:
            telling.expect(2 * store.size_bytes + others_bytes)
            telling.begin("copying the store")
            links = copy_store(store, data / STORE, telling)
        collections = looked_into(data / STORE, store.aliases)
        telling.begin("computing checksums")
        same = {f"{STORE}/{path}": f"{STORE}/{first}" for path, first in links.items()}
        return Manifest(created_at, program_version(), _listed(data, same, telling), collections)
    except OSError as error:
        raise StoreUnavailable(f"The backup could not be written: {error}.", "Check the disk's space.") from error


def _listed(data: Path, same: Mapping[str, str], telling: Telling) -> tuple[BackedUpFile, ...]:
    """All files with their checksums as they can be read back, those of the store last."""
    paths = sorted((path for path in data.rglob("*") if path.is_file()), key=lambda path: path.relative_to(data).parts)
    paths.sort(key=lambda path: path.relative_to(data).parts[0] == STORE)
    names = [path.relative_to(data).as_posix() for path in paths]
    # what others share is listed before them
    known: dict[str, str] = {}
    for name, path in zip(names, paths, strict=True):
        if name not in same:
            known[name] = checksum_of(path, telling.done)
    listed = []
    for name, path in sorted(zip(names, paths, strict=True), key=lambda item: item[0] in same):
        facts = path.stat()
        shared = same.get(name, "")
        listed.append(BackedUpFile(name, facts.st_size, known[shared or name], facts.st_mode & 0o777, shared))
    return tuple(listed)


def _to_copy(data_dir: Path) -> Iterator[Path]:
    """Files beside the store, in the order in which they must be copied."""
    found = []
    for entry in sorted(data_dir.iterdir()):
        if entry.name in MADE_AGAIN or entry.name == STORE:
            continue
        inside = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
        found += [path for path in inside if path.is_file() and _is_kept(path)]
    order = {name: number for number, name in enumerate((*_FIRST, "", *_LAST))}
    yield from sorted(found, key=lambda path: order.get(path.name, len(_FIRST)))


def _is_kept(path: Path) -> bool:
    return not path.name.startswith(".") and not path.name.endswith(_SIDE_FILES)


def _copy_other(source: Path, target: Path, telling: Telling) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = source.stat().st_mode & 0o777
    if is_database(source):
        copy_database(source, target, mode, telling.done)
        return
    with source.open("rb") as file:
        copy_open(file.fileno(), target, mode, telling.done)
