"""Collections as folders: immutable generations, the pointer that names the current one, and the writer's lock.

::

    store/
      writer.lock                       who is writing, held by an operating system lock that dies with its process
      aliases/products--SPACE.json      {"collection": "products--SPACE--000007"}; replaced atomically
      collections/
        products--SPACE--000006/        the one before, kept for a rollback
        products--SPACE--000007/        current; never changed again, so any number of processes may read it
          collection.json               space, what it was copied from, whether it is published
          shard/
        products--SPACE--000008/        being written
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import socket
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from indexer.errors import StoreDamaged, StoreLocked, StoreUnavailable
from indexer.points import utc_text
from indexer.spaces import EmbeddingSpace
from indexer.store.port import Alias

_KEPT_GENERATIONS = 2
_GENERATION = re.compile(r"--(\d{6,})$")


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """What ``collection.json`` says.

    Attributes:
        space: of the vectors.
        based_on: collection it was copied from, empty for the first.
        published: whether the alias has ever pointed to it.
        created_at: ISO 8601, UTC.
        points: in it when it was published, None before; a shard that opens with fewer has lost some.
    """

    space: EmbeddingSpace
    based_on: str
    published: bool
    created_at: str
    points: int | None = None


class GenerationFolders:
    """The folders of one store.

    Args:
        root: created when something is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._aliases = root / "aliases"
        self._collections = root / "collections"

    def folder(self, collection: str) -> Path:
        """Where a collection lies."""
        return self._collections / collection

    def shard(self, collection: str) -> Path:
        """Where its shard lies."""
        return self.folder(collection) / "shard"

    def pointer(self, alias: Alias) -> Path:
        """The file that names the alias's collection."""
        return self._aliases / f"{alias.name}.json"

    def current(self, alias: Alias) -> str:
        """The collection behind an alias, empty if there is none.

        Raises:
            StoreDamaged: the pointer is unreadable.
        """
        try:
            return str(_read_json(self.pointer(alias))["collection"])
        except FileNotFoundError:
            return ""
        except KeyError as error:
            raise StoreDamaged(f"The pointer {self.pointer(alias)} names no collection.", "Promote one.") from error

    def aliases(self) -> dict[str, str]:
        """Collection by alias name."""
        if not self._aliases.is_dir():
            return {}
        return {path.stem: str(_read_json(path)["collection"]) for path in sorted(self._aliases.glob("*.json"))}

    def spaces_of(self, catalog: str) -> list[EmbeddingSpace]:
        """The spaces in which a catalog is published."""
        prefix = f"{catalog}--"
        return [self.record(collection).space for name, collection in self.aliases().items() if name.startswith(prefix)]

    def point_to(self, alias: Alias, collection: str) -> None:
        """Makes an alias answer with a collection, atomically and durably."""
        self._aliases.mkdir(parents=True, exist_ok=True)
        _write_json(self.pointer(alias), {"collection": collection, "since": utc_text(datetime.now(UTC))})

    def names(self) -> list[str]:
        """All collections, by name."""
        if not self._collections.is_dir():
            return []
        return sorted(path.parent.name for path in self._collections.glob("*/collection.json"))

    def record(self, collection: str) -> GenerationRecord:
        """What is recorded of a collection.

        Raises:
            StoreDamaged: the record is missing or unreadable.
        """
        path = self.folder(collection) / "collection.json"
        try:
            value = _read_json(path)
            space = EmbeddingSpace.from_json(value["space"])
            return GenerationRecord(
                space, value["based_on"], value["published"], value["created_at"], value.get("points")
            )
        except (FileNotFoundError, KeyError, TypeError) as error:
            raise StoreDamaged(
                f"{path} is missing or incomplete.", "Roll back to the collection before it, or index again."
            ) from error

    def write_record(self, collection: str, record: GenerationRecord) -> None:
        """Writes a collection's record, atomically and durably."""
        _write_json(self.folder(collection) / "collection.json", asdict(record) | {"space": record.space.to_json()})

    def next_name(self, alias: Alias) -> str:
        """A name that no collection of the alias has had."""
        taken = [_number(path.name) for path in self._collections.glob(f"{alias.name}--*")]
        taken.append(_number(self.current(alias)))
        return f"{alias.name}--{max(taken) + 1:06d}"

    def unfinished(self, alias: Alias) -> list[str]:
        """Collections that were written to but never published, newest first."""
        names = [name for name in self.names() if name.startswith(f"{alias.name}--")]
        return [name for name in reversed(names) if not self.record(name).published]

    def copy(self, source: str, target: str) -> None:
        """Copies a published collection's shard for writing.

        Raises:
            StoreUnavailable: the disk is full or not writable.
        """
        partial = self.folder(target) / "shard.partial"
        try:
            shutil.copytree(self.shard(source), partial, dirs_exist_ok=True)
            partial.rename(self.shard(target))
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise StoreUnavailable(
                f"{source} could not be copied for writing: {error.strerror or error}.", "Check the disk's space."
            ) from error

    def remove(self, collection: str) -> None:
        """Deletes a collection; the record goes first, so that a half deleted one is never taken for a whole one."""
        folder = self.folder(collection)
        (folder / "collection.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def remove_begun(self, alias: Alias) -> None:
        """Deletes folders of an alias that a crash left before they became collections; only for who holds the lock."""
        for folder in self._collections.glob(f"{alias.name}--*"):
            if not (folder / "collection.json").exists():
                shutil.rmtree(folder, ignore_errors=True)

    def prune(self, alias: Alias) -> list[str]:
        """Deletes all generations of an alias but the current one and the one before it; returns their names."""
        current = self.current(alias)
        earlier = [name for name in self.names() if name.startswith(f"{alias.name}--") and name != current]
        published = [name for name in earlier if self.record(name).published]
        kept = published[-(_KEPT_GENERATIONS - 1) :]
        removed = [name for name in earlier if name not in kept]
        for name in removed:
            self.remove(name)
        return removed


class WriterLock:
    """One writer at a time in a store; the lock is the operating system's and ends with the process that holds it.

    Raises:
        StoreLocked: another process holds it; the message says which.
        StoreUnavailable: the folder cannot be written.
    """

    def __init__(self, root: Path) -> None:
        path = root / "writer.lock"
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise StoreUnavailable(
                f"The data folder {root} cannot be written: {error.strerror}.", "Choose another with --data-dir."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(self._file)
            self._file.close()
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                raise StoreUnavailable(f"{path} cannot be locked: {error.strerror}.", "Use a local disk.") from error
            raise StoreLocked(
                f"Another process is writing to {root}: {holder}.", "Wait until it is done, or stop it."
            ) from error
        self._file.seek(0)
        self._file.truncate()
        json.dump(_this_process(), self._file)
        self._file.flush()

    def release(self) -> None:
        """Lets the next writer in."""
        self._file.seek(0)
        self._file.truncate()
        self._file.close()


def _this_process() -> dict[str, str | int]:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": command,
        "since": utc_text(datetime.now(UTC)),
    }


def _holder(file: IO[str]) -> str:
    file.seek(0)
    try:
        value = json.loads(file.read())
        return f"process {value['pid']} on {value['host']} ({value['command']}), since {value['since']}"
    except (ValueError, KeyError, TypeError):
        return "a process that has not said its name yet"


def _number(collection: str) -> int:
    match = _GENERATION.search(collection)
    return int(match[1]) if match else 0


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise StoreDamaged(f"{path} is no JSON.", "Restore it from a backup, or index again.") from error
    if not isinstance(value, dict):
        raise StoreDamaged(f"{path} holds no JSON object.", "Restore it from a backup, or index again.")
    return value


def _write_json(path: Path, value: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be written: {error.strerror}.", "Check the disk's space.") from error
