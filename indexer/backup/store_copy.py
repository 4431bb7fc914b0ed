"""The embedded store's part of a backup: copying pinned generations, and looking into copies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from indexer.backup.copying import copy_open
from indexer.backup.manifest import BackedUpCollection
from indexer.backup.pinned import PinnedStore
from indexer.backup.progress import Telling
from indexer.errors import StoreUnavailable
from indexer.store.edge_store import EdgeStore
from indexer.store.generations import GenerationFolders
from indexer.store.tuning import IndexTuning


def published_bytes(folders: GenerationFolders) -> int:
    """Content of the generations that serve now; an estimate, as they may be replaced while they are looked at.

    Raises:
        StoreDamaged: a pointer cannot be read.
    """
    paths = [path for name in set(folders.aliases().values()) for path in folders.folder(name).rglob("*")]
    try:
        return sum(path.stat().st_size for path in paths)
    except OSError:
        return 0


def copy_store(store: PinnedStore, target: Path, telling: Telling) -> Mapping[str, str]:
    """Copies what serves.

    Args:
        store: held open.
        target: folder of the new store, in a folder that is there.
        telling: told of what is copied.

    Returns:
        For each path that shares its content with another one, as in the store, that one.

    Raises:
        StoreUnavailable: the disk has too little room.
        OSError: a file cannot be read or written.
    """
    free_bytes = shutil.disk_usage(target.parent).free
    if store.disk_bytes > free_bytes:
        raise StoreUnavailable(
            f"The store takes {store.disk_bytes / 1e9:.1f} GB, and the disk of {target.parent} has "
            f"{free_bytes / 1e9:.1f} GB left.",
            "Make room, or name a folder on another disk.",
        )
    first: dict[tuple[int, int], str] = {}
    shared: dict[str, str] = {}
    for item in store.files:
        path = _in_new_folder(target / item.path)
        known = first.setdefault(item.inode, item.path)
        if known != item.path and _linked(target / known, path):
            shared[item.path] = known
        else:
            copy_open(item.descriptor, path, item.mode, telling.done)
    for name, content in store.pointers.items():
        _in_new_folder(target / name).write_bytes(content)
    return shared


def looked_into(root: Path, aliases: Mapping[str, str]) -> tuple[BackedUpCollection, ...]:
    """Opens each collection of a copied store and counts its points; the engine may rewrite a few of its files.

    Args:
        root: of the copy.
        aliases: alias by collection, empty for those that none answers with.

    Raises:
        StoreDamaged: one cannot be opened, or has lost points.
    """
    found = []
    # tuning is of searches and of what is written; counting needs neither
    with closing(EdgeStore(root, IndexTuning(), follow_s=0)) as store:
        for collection, alias in sorted(aliases.items()):
            with closing(store.collection_reader(collection)) as reader:
                status = reader.status()
            found.append(
                BackedUpCollection(collection, alias, status.space.space_id, status.space.model, status.points)
            )
    return tuple(found)


def _in_new_folder(path: Path) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links, or a file that has too many
        return False
    return True
