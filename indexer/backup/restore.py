"""Restoring a backup into an empty data folder, and checking one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from indexer.atomic_file import sync
from indexer.backup.copying import checksum_of, copy_open
from indexer.backup.make import STORE
from indexer.backup.manifest import DATA, BackedUpFile, Manifest, read_manifest
from indexer.backup.progress import BytesListener, Telling
from indexer.backup.sole_folder import filling
from indexer.backup.store_copy import looked_into
from indexer.errors import BackupDamaged, ConfigurationError, StoreUnavailable

RESTORING = ".restoring"
"""Folder inside the data folder while a restore goes on."""
_NO_CONTENT = frozenset({RESTORING, "lost+found"})


def check_backup(backup: Path, listen: BytesListener) -> Manifest:
    """Compares every file of a backup with its checksum.

    Raises:
        BackupUnreadable: it is no backup of this program, or one of a newer version.
        BackupDamaged: a file is missing or changed; the first of them is named.
    """
    manifest = read_manifest(backup)
    telling = Telling(listen, manifest.size_bytes)
    telling.begin("checking")
    _check_files(backup / DATA, manifest, telling, backup)
    return manifest


def restore_backup(backup: Path, data_dir: Path, listen: BytesListener) -> Manifest:
    """Fills an empty data folder with a backup; until all is copied and checked it holds but one hidden folder.

    Args:
        backup: left as it is.
        data_dir: missing or empty; what an interrupted restore left in it is taken away.
        listen: told how far it is.

    Raises:
        BackupUnreadable, BackupDamaged: see ``check_backup``; a collection that lacks points counts as damaged.
        ConfigurationError: the data folder is not empty.
        StoreLocked: another process is restoring into it.
        StoreUnavailable: it cannot be written, or the disk has too little room.
    """
    manifest = read_manifest(backup)
    _check_empty(data_dir)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with filling(data_dir / RESTORING, f"A restore into {data_dir}") as partial:
            _check_empty(data_dir)
            telling = Telling(listen, 2 * manifest.size_bytes)
            telling.begin("copying")
            _copy_all(backup, partial, manifest, telling)
            telling.begin("checking what was copied")
            _check_files(partial, manifest, telling, backup)
            _check_collections(partial, manifest)
            os.sync()
            _move_into(partial, data_dir)
    except OSError as error:
        raise StoreUnavailable(
            f"{data_dir} could not be filled: {error}.", "Check the disk's space and rights, and restore again."
        ) from error
    return manifest


def _check_empty(data_dir: Path) -> None:
    if not data_dir.exists():
        return
    if not data_dir.is_dir():
        raise ConfigurationError(f"{data_dir} is no folder.", "Name an empty one with --data-dir.")
    inside = sorted(path.name for path in data_dir.iterdir() if path.name not in _NO_CONTENT)
    if inside:
        raise ConfigurationError(
            f"{data_dir} is not empty: it has {', '.join(inside[:3])}.",
            "Restore into an empty folder with --data-dir, or move what is there away first.",
        )


def _copy_all(backup: Path, partial: Path, manifest: Manifest, telling: Telling) -> None:
    free_bytes = shutil.disk_usage(partial).free
    needed_bytes = _needed_bytes(backup, manifest)
    if needed_bytes > free_bytes:
        raise StoreUnavailable(
            f"The backup takes {needed_bytes / 1e9:.1f} GB, and the disk of {partial.parent} has "
            f"{free_bytes / 1e9:.1f} GB left.",
            "Make room, or name a folder on another disk.",
        )
    for item in manifest.files:
        target = partial / item.path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if item.same_as:
            try:
                os.link(partial / item.same_as, target)
                continue
            except OSError:
                pass  # a file system without hard links: then it takes its room twice
        _copy(backup / DATA / item.path, target, item, telling)


def _copy(source: Path, target: Path, item: BackedUpFile, telling: Telling) -> None:
    try:
        descriptor = os.open(source, os.O_RDONLY)
    except OSError as error:
        raise _damaged(source, f"cannot be read: {error.strerror}") from error
    try:
        copy_open(descriptor, target, item.mode, telling.done)
    finally:
        os.close(descriptor)


def _check_files(data: Path, manifest: Manifest, telling: Telling, backup: Path) -> None:
    checked: dict[tuple[int, int], str] = {}
    for item in manifest.files:
        path = data / item.path
        try:
            facts = path.stat()
            inode = (facts.st_dev, facts.st_ino)
            if inode not in checked:
                checked[inode] = checksum_of(path, telling.done)
        except OSError as error:
            raise _damaged(path, f"cannot be read: {error.strerror}") from error
        if checked[inode] != item.checksum:
            raise _damaged(backup / DATA / item.path, "is not as it was written")


def _check_collections(partial: Path, manifest: Manifest) -> None:
    found = looked_into(partial / STORE, {item.collection: item.alias for item in manifest.collections})
    for before, now in zip(manifest.collections, found, strict=True):
        if now != before:
            raise BackupDamaged(
                f"The collection {before.collection} of the backup has {now.points} points instead of {before.points}.",
                "Take another backup.",
            )


def _move_into(partial: Path, data_dir: Path) -> None:
    """The store last: a folder that lacks it serves nothing, whatever else is there already."""
    names = sorted((path.name for path in partial.iterdir() if not path.name.startswith(".")), key=STORE.__eq__)
    for name in names:
        (partial / name).rename(data_dir / name)
    sync(data_dir)


def _needed_bytes(backup: Path, manifest: Manifest) -> int:
    needed = 0
    for item in manifest.files:
        if not item.same_as:
            try:
                needed += min(item.size_bytes, (backup / DATA / item.path).stat().st_blocks * 512)
            except OSError as error:
                raise _damaged(backup / DATA / item.path, f"cannot be read: {error.strerror}") from error
    return needed


def _damaged(path: Path, what: str) -> BackupDamaged:
    return BackupDamaged(f"{path} {what}.", "Restore another backup.")
