"""What a backup says of itself; written last, so that a backup without it is none.

::

    BACKUP/
      backup.json     this: every file with its size and checksum, and a checksum of the list itself
      data/           as the data folder is: ledger.sqlite3, events.sqlite3, store/aliases/..., store/collections/...
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from indexer.atomic_file import replace_file
from indexer.errors import BackupDamaged, BackupUnreadable

FORMAT = "vitrine-backup"
VERSION = 1
MANIFEST = "backup.json"
DATA = "data"


@dataclass(frozen=True, slots=True)
class BackedUpFile:
    """A file of a backup.

    Attributes:
        path: below the data folder, with slashes.
        size_bytes: of its content, holes included.
        checksum: of its content, see ``checksum_of``.
        mode: its permissions.
        same_as: path of a file before it in the list that it shares its content with on disk; empty for none.
    """

    path: str
    size_bytes: int
    checksum: str
    mode: int
    same_as: str = ""


@dataclass(frozen=True, slots=True)
class BackedUpCollection:
    """A collection of a backup.

    Attributes:
        collection: physical name.
        alias: that answers with it; empty for one that is kept for a rollback.
        space_id, model: of its vectors.
        points: in it.
    """

    collection: str
    alias: str
    space_id: str
    model: str
    points: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that a backup holds.

    Attributes:
        created_at: ISO 8601, UTC: when it was begun; whatever was acknowledged before is in it.
        program: version of this program that made it.
        files: in the order in which they are restored.
        collections: by name.
    """

    created_at: str
    program: str
    files: tuple[BackedUpFile, ...]
    collections: tuple[BackedUpCollection, ...]

    @property
    def size_bytes(self) -> int:
        """Content of all files, those that share it counted once."""
        return sum(item.size_bytes for item in self.files if not item.same_as)

    def write(self, folder: Path) -> None:
        """Writes it, atomically and durably.

        Raises:
            OSError: it cannot be written.
        """
        value: dict[str, Any] = {"format": FORMAT, "version": VERSION} | asdict(self)
        replace_file(folder / MANIFEST, json.dumps(value | {"digest": _digest(value)}, indent=1))


def program_version() -> str:
    """Of this program."""
    return version("vitrine")


def read_manifest(folder: Path) -> Manifest:
    """What a backup says of itself.

    Raises:
        BackupUnreadable: the folder is no backup of this program, or one of a newer version.
        BackupDamaged: it is, and what it says was changed.
    """
    path = folder / MANIFEST
    try:
        value = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BackupUnreadable(
            f"{folder} is no backup: it has no {MANIFEST}.",
            "Name the folder that python -m indexer backup made; one that was interrupted cannot be restored.",
        ) from error
    except OSError as error:
        raise BackupUnreadable(f"{path} cannot be read: {error.strerror}.", "Check the folder's rights.") from error
    except ValueError as error:
        raise BackupDamaged(f"{path} is no JSON.", "Take another backup.") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise BackupUnreadable(f"{path} is of another program.", "Name a folder that python -m indexer backup made.")
    if value.get("version") != VERSION:
        raise BackupUnreadable(f"{folder} was made by a newer version of this program.", "Update the program.")
    if value.pop("digest", None) != _digest(value):
        raise BackupDamaged(f"{path} was changed since it was written.", "Take another backup.")
    return Manifest(
        value["created_at"],
        value["program"],
        tuple(_checked(folder, BackedUpFile(**item)) for item in value["files"]),
        tuple(BackedUpCollection(**item) for item in value["collections"]),
    )


def _checked(folder: Path, item: BackedUpFile) -> BackedUpFile:
    parts = PurePosixPath(item.path).parts
    if not parts or item.path.startswith("/") or ".." in parts or "\\" in item.path:
        raise BackupDamaged(f"{folder / MANIFEST} names a path outside the data folder: {item.path}.", "Take another.")
    return item


def _digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
