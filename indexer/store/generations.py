"""Collections as folders: immutable generations, and the pointer that names the current one.

::

    store/
      writer.lock                       who is writing, held by an operating system lock that dies with its process
      aliases/products--SPACE.json      {"collection": "products--SPACE--000007", "previous": "...006"}; replaced
                                        atomically
      collections/
        products--SPACE--000006/        the previous one, kept for a rollback
        products--SPACE--000007/        current; never changed again, so any number of processes may read it
          collection.json               space, what it was copied from, whether it is published
          annotations/calibration.json  what was found out about its points since; replaced atomically
          shard/
        products--SPACE--000008/        being written, by an index run or a reindex
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from indexer.atomic_file import replace_file
from indexer.errors import CollectionNotFound, StoreDamaged, StoreUnavailable
from indexer.points import utc_text
from indexer.spaces import EmbeddingSpace
from indexer.store.edge_files import copy_shard
from indexer.store.port import Alias

_GENERATION = re.compile(r"--(\d{6,})$")
_ANNOTATION = re.compile(r"[a-z0-9_]{1,120}")


class Purpose(StrEnum):
    """Who writes a generation; an index run does not take up or delete what a reindex left."""

    INDEX = "index"
    REINDEX = "reindex"


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """What ``collection.json`` says.

    Attributes:
        space: of the vectors.
        based_on: collection it was copied from, empty for the first.
        published: whether the alias has ever pointed to it.
        created_at: ISO 8601, UTC.
        points: in it when it was published, None before; a shard that opens with fewer has lost some.
        purpose: who writes it.
    """

    space: EmbeddingSpace
    based_on: str
    published: bool
    created_at: str
    points: int | None = None
    purpose: Purpose = Purpose.INDEX


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

    def previous(self, alias: Alias) -> str:
        """The collection that was behind an alias before the current one, empty if it is gone or there was none."""
        try:
            named = str(_read_json(self.pointer(alias)).get("previous", ""))
        except FileNotFoundError:
            return ""
        return named if named in self.names() else ""

    def promote(self, alias: Alias, collection: str) -> None:
        """Makes an alias answer with a collection, atomically and durably; what it named becomes the previous one."""
        before = self.current(alias)
        if before != collection:
            self._point_to(alias, collection, before)
        self.mark_published(collection)

    def succeed(self, alias: Alias, collection: str) -> None:
        """As ``promote``, with the copy of the current generation that an index run changed.

        What a reindex replaced, or a rollback, stays the previous one however many index runs follow, as on a server,
        where they change the current collection in place. Only a previous one that is itself an ancestor gives way.
        """
        before, previous = self.current(alias), self.previous(alias)
        if not previous or self.record(before).based_on == previous:
            previous = before
        if before:
            self.carry_annotations(before, collection)
        self._point_to(alias, collection, previous)
        if before:
            # once more: who annotates takes no lock, writes, and then looks what is current; so either it was written
            # before this, or its writer sees that there is a newer generation
            self.carry_annotations(before, collection)
        self.mark_published(collection)

    def _point_to(self, alias: Alias, collection: str, previous: str) -> None:
        self._aliases.mkdir(parents=True, exist_ok=True)
        value = {"collection": collection, "previous": previous, "since": utc_text(datetime.now(UTC))}
        _write_json(self.pointer(alias), value)

    def mark_published(self, collection: str) -> None:
        """Records that a collection has been behind its alias.

        After the pointer, so that a crash in between leaves the truth: what the pointer names is published.
        """
        if collection and not (record := self.record(collection)).published:
            self.write_record(collection, replace(record, published=True))

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
            purpose = Purpose(value.get("purpose", Purpose.INDEX))
            return GenerationRecord(
                space, value["based_on"], value["published"], value["created_at"], value.get("points"), purpose
            )
        except (FileNotFoundError, KeyError, TypeError) as error:
            raise StoreDamaged(
                f"{path} is missing or incomplete.", "Roll back to the collection before it, or index again."
            ) from error

    def write_record(self, collection: str, record: GenerationRecord) -> None:
        """Writes a collection's record, atomically and durably."""
        _write_json(self.folder(collection) / "collection.json", asdict(record) | {"space": record.space.to_json()})

    def annotation(self, collection: str, name: str) -> dict[str, Any] | None:
        """What a collection was annotated with under a name, None if it was not.

        Raises:
            StoreDamaged: it is unreadable.
        """
        try:
            return _read_json(self._annotation(collection, name))
        except FileNotFoundError:
            return None

    def annotate(self, collection: str, name: str, value: Mapping[str, Any]) -> None:
        """Writes an annotation, atomically and durably, in place of one that there may be.

        Args:
            collection: published or not.
            name: of letters, digits and underscores.
            value: JSON.

        Raises:
            CollectionNotFound: there is no such collection.
            StoreUnavailable: the disk is full or not writable.
        """
        path = self._annotation(collection, name)
        try:
            path.parent.mkdir(exist_ok=True)
        except FileNotFoundError as error:
            raise CollectionNotFound(f"There is no collection {collection} any more.") from error
        except OSError as error:
            raise StoreUnavailable(f"{path.parent} cannot be made: {error.strerror}.", "Check the disk.") from error
        _write_json(path, dict(value))

    def carry_annotations(self, source: str, target: str) -> None:
        """Gives a collection the annotations of another one that are newer than its own."""
        for path in self.folder(source).glob("annotations/*.json"):
            own = self._annotation(target, path.stem)
            try:
                if not own.exists() or own.stat().st_mtime_ns < path.stat().st_mtime_ns:
                    self.annotate(target, path.stem, _read_json(path))
            except FileNotFoundError:
                continue  # removed meanwhile

    def _annotation(self, collection: str, name: str) -> Path:
        if not _ANNOTATION.fullmatch(name):
            raise ValueError(f"{name!r} is no name of an annotation")
        return self.folder(collection) / "annotations" / f"{name}.json"

    def next_name(self, alias: Alias) -> str:
        """A name that no collection of the alias has had."""
        taken = [_number(path.name) for path in self._collections.glob(f"{alias.name}--*")]
        taken.append(_number(self.current(alias)))
        return f"{alias.name}--{max(taken) + 1:06d}"

    def unfinished(self, alias: Alias) -> list[str]:
        """Collections that index runs wrote to but never published, newest first."""
        return [name for name in reversed(self._of(alias)) if self._is_unfinished(name, Purpose.INDEX)]

    def targets(self, alias: Alias) -> list[str]:
        """Collections that reindexes filled but never promoted, oldest first."""
        return [name for name in self._of(alias) if self._is_unfinished(name, Purpose.REINDEX)]

    def _of(self, alias: Alias) -> list[str]:
        return [name for name in self.names() if name.startswith(f"{alias.name}--")]

    def _is_unfinished(self, collection: str, purpose: Purpose) -> bool:
        record = self.record(collection)
        return not record.published and record.purpose == purpose

    def copy(self, source: str, target: str) -> None:
        """Copies a published collection's shard for writing; see ``copy_shard``.

        Raises:
            StoreUnavailable: the disk is full or not writable.
        """
        copy_shard(self.shard(source), self.shard(target))

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

    def prune(self, alias: Alias, *, keep: Sequence[str] = ()) -> list[str]:
        """Deletes all generations of an alias but the current one, the one before it and those to keep.

        Returns:
            Their names.
        """
        current = self.current(alias)
        if not current:
            return []
        kept = {current, self.previous(alias), *keep}
        removed = [name for name in self._of(alias) if name not in kept]
        for name in removed:
            self.remove(name)
        return removed


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
    try:
        replace_file(path, json.dumps(value, indent=1))
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be written: {error.strerror}.", "Check the disk's space.") from error
