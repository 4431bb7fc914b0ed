"""The embedded store: its pointers and records here, its shards in copies that the engine may do with what it likes."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np

from indexer.backup.copying import copy_open
from indexer.backup.restore import RESTORING
from indexer.doctor.findings import Finding, Notes
from indexer.doctor.model_check import chosen_model, recorded_name
from indexer.errors import StoreError
from indexer.settings import Settings
from indexer.store.disk_room import disk_bytes
from indexer.store.edge_files import is_never_written, settled_paths
from indexer.store.edge_shard import EdgeShard
from indexer.store.generations import GenerationFolders, GenerationRecord, Purpose
from indexer.store.port import Alias

_COPIED_AT_MOST_BYTES = 4_000_000_000
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}|.*\.partial")


def check_aliases(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: whether every alias names a collection, one of them of the model that is set."""
    notes = Notes("alias")
    folders = GenerationFolders(settings.data_dir / "store")
    names = set(folders.names())
    for path in sorted((folders.root / "aliases").glob("*.json")):
        catalog, _, space_id = path.stem.rpartition("--")
        try:
            collection = folders.current(Alias(catalog, space_id))
            if collection not in names:
                notes.error(
                    "alias_dangling",
                    f"The alias {path.stem} names {collection}, which is not there.",
                    _promote_or_restore(names, path.stem),
                )
        except StoreError as error:
            notes.error("alias_damaged", error.reason, _promote_or_restore(names, path.stem))
    if not notes.made:
        _of_model(settings, folders, notes)
    return notes.made


def check_collections(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: whether what serves can be opened and searched; run in a process of its own."""
    notes = Notes("store")
    folders = GenerationFolders(settings.data_dir / "store")
    serving = _serving(folders)
    for collection in sorted(serving):
        if collection in folders.names():
            _look_into(settings, folders, collection, notes)
    if not serving:
        notes.ok("There is no collection yet.")
    return notes.made


def check_leftovers(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: what takes room and serves nothing, left by runs that were interrupted or replaced."""
    notes = Notes("leftovers")
    folders = GenerationFolders(settings.data_dir / "store")
    holder = writer_of(folders.root)
    kept = _serving(folders)
    for folder in sorted((folders.root / "collections").glob("*")):
        if folder.name in kept or holder:
            continue
        size = f"{disk_bytes(folder) / 1e6:,.0f} MB"
        record = _record_or_none(folders, folder.name)
        if record is None:
            notes.warning(
                "collection_begun",
                f"{folder.name} was begun and has no record ({size}).",
                "The next index run deletes it.",
            )
        elif record.published:
            notes.warning("collection_unused", f"{folder.name} serves no more ({size}).", "python -m indexer prune")
        elif record.purpose is Purpose.INDEX:
            notes.warning(
                "collection_unfinished",
                f"An index run was interrupted while it wrote {folder.name} ({size}).",
                "Give the same command again; any later index run goes on with it, too.",
            )
        else:
            notes.warning(
                "reindex_unfinished",
                f"A reindex filled {folder.name}, which was not promoted ({size}).",
                "python -m indexer promote, or the same reindex again; prune deletes one that failed.",
            )
    for path in _temporary(settings.data_dir, kept if holder else set()):
        notes.warning("file_left", f"{path} was left by a process that was killed.", f"Delete it: rm -r {path}")
    if not notes.made:
        notes.ok(f"None. {f'Written to by {holder}.' if holder else ''}".strip())
    return notes.made


def writer_of(root: Path) -> str:
    """Who is writing to the store, empty if nobody is; as the lock's file has it, since to ask is to take the lock."""
    try:
        note = json.loads((root / "writer.lock").read_text("utf-8"))
        if note["host"] == socket.gethostname():
            os.kill(int(note["pid"]), 0)  # asks whether it lives; sends nothing
        return f"process {note['pid']} on {note['host']} ({note['command']})"
    except PermissionError:  # it lives, and is another user's
        return "a process of another user"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _serving(folders: GenerationFolders) -> set[str]:
    found = set()
    for path in (folders.root / "aliases").glob("*.json"):
        try:
            value = json.loads(path.read_text("utf-8"))
            found.update({value["collection"], value.get("previous", "")})
        except (OSError, ValueError, KeyError, TypeError):
            continue  # told by check_aliases
    return found - {""}


def _of_model(settings: Settings, folders: GenerationFolders, notes: Notes) -> None:
    aliases = folders.aliases()
    own = {
        name: collection for name, collection in aliases.items() if name.rpartition("--")[0] == settings.alias_catalog
    }
    if not own:
        others = ", ".join(sorted({name.rpartition("--")[0] for name in aliases}))
        what = f"Nothing is indexed under the name {settings.alias_catalog!r}" + (
            f", only under {others}." if others else "."
        )
        notes.warning("catalog_not_indexed", what, "python -m indexer index FEED; or correct catalog and data_dir.")
        return
    wanted = recorded_name(chosen_model(settings))
    models = {}
    for name, collection in own.items():
        record = _record_or_none(folders, collection)
        if record is not None:
            models[name] = record.space.model
    if models and wanted not in models.values():
        notes.warning(
            "model_differs",
            f"The catalog is indexed with {', '.join(sorted(set(models.values())))}; the settings name {wanted}.",
            "Set model to what it was indexed with, or index it with this one (reindex --model); "
            "doctor --load-model tells whether they are the same in truth.",
        )
        return
    notes.ok(", ".join(f"{name} answers with {collection}" for name, collection in sorted(own.items())) + ".")


def _look_into(settings: Settings, folders: GenerationFolders, collection: str, notes: Notes) -> None:
    remedy = "python -m indexer rollback or promote another collection, restore a backup, or index the feed again."
    try:
        record = folders.record(collection)
    except StoreError as error:
        notes.error("collection_damaged", error.reason, remedy)
        return
    size, free = _copied_bytes(folders.shard(collection)), shutil.disk_usage(tempfile.gettempdir()).free
    if size > min(_COPIED_AT_MOST_BYTES, free / 2):
        notes.ok(f"{collection} was not opened: a copy to look into takes {size / 1e9:.1f} GB.")
        return
    with tempfile.TemporaryDirectory(prefix="vitrine-doctor-") as name:
        copy = Path(name) / "shard"
        try:
            _mirror(folders.shard(collection), copy)
            _search_copy(settings, copy, record, collection, notes)
        except (StoreError, OSError) as error:
            reason = error.reason if isinstance(error, StoreError) else str(error)
            reason = reason.replace(str(copy), str(folders.shard(collection)))
            notes.error("collection_damaged", reason, remedy)


def _search_copy(settings: Settings, copy: Path, record: GenerationRecord, collection: str, notes: Notes) -> None:
    with closing(EdgeShard.open(copy, settings.index_tuning(), points=record.points)) as shard:
        points, indexed = shard.count(), shard.indexed_count()
        vector = np.full(record.space.dim, record.space.dim**-0.5, dtype=np.float32)
        if points and not shard.nearest(vector, 1):
            notes.error("collection_unsearchable", f"No search reaches the points of {collection}.", "Index again.")
            return
        if missing := shard.missing_indexes():
            notes.warning(
                "payload_indexes_missing",
                f"{collection} lacks indexes of {', '.join(sorted(missing)[:5])}: filters by them are slow or refused.",
                "python -m indexer index FEED makes them.",
            )
        if points - indexed > 2 * settings.exact_below:
            notes.warning(
                "not_in_graph",
                f"{points - indexed:,} of {points:,} points of {collection} are compared one by one.",
                "The next index run builds the search graph anew.",
            )
    notes.ok(f"{collection}: {points:,} pictures, {record.space.model}, opened and searched.")


def _mirror(shard: Path, copy: Path) -> None:
    """A shard to open, as the engine writes even where it only reads: what it never writes to is linked, not copied."""
    for path in settled_paths(shard):
        target = copy / path.relative_to(shard)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        elif is_never_written(path):
            target.symlink_to(path.resolve())
        else:
            with path.open("rb") as file:
                copy_open(file.fileno(), target, 0o600, lambda _: None)
    if not copy.is_dir():
        raise FileNotFoundError(f"There is no shard {shard}.")


def _copied_bytes(shard: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in settled_paths(shard) if not is_never_written(path))


def _record_or_none(folders: GenerationFolders, collection: str) -> GenerationRecord | None:
    try:
        return folders.record(collection)
    except StoreError:
        return None


def _temporary(data_dir: Path, but: set[str]) -> list[Path]:
    patterns = ("*", "store/aliases/.*", "store/collections/*/.*", "store/collections/*/*.partial")
    paths = {path for pattern in patterns for path in data_dir.glob(pattern)}
    return sorted(
        path
        for path in paths
        if (_TEMPORARY.fullmatch(path.name) or path.name == RESTORING) and path.parent.name not in but
    )


def _promote_or_restore(names: set[str], alias: str) -> str:
    own = sorted(name for name in names if name.startswith(f"{alias}--"))
    return f"python -m indexer promote {own[-1]}" if own else "Restore a backup, or index the feed again."
