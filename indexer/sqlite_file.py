"""A SQLite file that several threads and processes of one machine share: opened and failing in one way."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.errors import VitrineError

_BUSY_S = 30


@dataclass(frozen=True, slots=True)
class FileKind:
    """What is kept in a file.

    Attributes:
        name: as an error calls it: "The ledger".
        error: raised when the file cannot be used; made of a reason and a remedy.
        versions: statements that lead from each version of the file to the next; its version is how many were run.
    """

    name: str
    error: type[VitrineError]
    versions: tuple[str, ...]


class SqliteFile:
    """Connection to a file in write-ahead mode, durable at every commit.

    Args:
        path: created if missing, with its folder.
        kind: what is in it.

    Raises:
        VitrineError: the kind's own: the file cannot be opened, or was written by a newer version of this program.
    """

    def __init__(self, path: Path, kind: FileKind) -> None:
        self._path = path
        self._kind = kind
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
            self.connection.row_factory = sqlite3.Row
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = FULL")
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error
        self._bring_up_to_date()

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; every statement is a transaction of its own.

        Raises:
            VitrineError: the kind's own: the file cannot be read or written.
        """
        with self._lock:
            try:
                yield self.connection
            except sqlite3.Error as error:
                raise self._unavailable(error) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection within a transaction, which is rolled back if anything is raised.

        Raises:
            VitrineError: the kind's own: the file cannot be read or written.
        """
        with self.using() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def close(self) -> None:
        """Releases the file."""
        with self._lock:
            self.connection.close()

    def _bring_up_to_date(self) -> None:
        versions = self._kind.versions
        with self.transaction() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > len(versions):
                raise self._kind.error(
                    f"{self._kind.name} {self._path} was written by a newer version of this program.",
                    "Update the program.",
                )
            for statement in ";".join(versions[version:]).split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {len(versions)}")

    def _unavailable(self, error: Exception) -> VitrineError:
        return self._kind.error(
            f"{self._kind.name} {self._path} cannot be used: {error}.",
            "Check the folder's rights and the disk's space.",
        )
