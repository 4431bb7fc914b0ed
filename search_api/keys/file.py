"""The SQLite file of keys and sessions; servers and the command line of one machine share it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.errors import KeyNotFound, KeysUnavailable
from indexer.sqlite_file import FileKind, SqliteFile
from search_api.access import Scope
from search_api.keys.records import KeyRecord, SessionRecord

_MAX_SESSIONS_OF_KEY = 1000
_VERSION_1 = """
CREATE TABLE keys (
    key_id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, tenant TEXT NOT NULL, digest BLOB NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER, last_used_at INTEGER
);
CREATE TABLE sessions (
    digest BLOB PRIMARY KEY, key_id TEXT NOT NULL, mark BLOB NOT NULL, expires_at INTEGER NOT NULL
);
CREATE TABLE salt (salt BLOB NOT NULL);
INSERT INTO salt VALUES (randomblob(16))
"""
_KIND = FileKind("The file of keys", KeysUnavailable, (_VERSION_1,))


@dataclass(frozen=True, slots=True)
class KeyFileContent:
    """All of a file at one moment.

    Attributes:
        keys: oldest first, revoked and expired ones too.
        sessions: those that were begun, ended ones maybe too.
        salt: of marks of the admin key.
    """

    keys: tuple[KeyRecord, ...]
    sessions: tuple[SessionRecord, ...]
    salt: bytes


class KeyFile:
    """Keys and sessions in a file that its owner alone may read.

    Args:
        path: made if there is none.

    Raises:
        KeysUnavailable: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # before SQLite makes one that others may read
            self._inode = path.stat().st_ino
        except OSError as error:
            raise KeysUnavailable(
                f"The file of keys {path} cannot be used: {error.strerror}.", "Check the folder's rights."
            ) from error
        self._path = path
        self._file = SqliteFile(path, _KIND)

    def is_current(self) -> bool:
        """Whether the file at that path is still the one that is open here; a restored backup is another."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def version(self) -> int:
        """Differs from an earlier one if anybody else changed the file since."""
        with self._file.using() as db:
            return int(db.execute("PRAGMA data_version").fetchone()[0])

    def read(self) -> KeyFileContent:
        """All that is in it.

        Raises:
            KeysUnavailable
        """
        with self._file.using() as db:
            db.execute("BEGIN")  # one moment of the file, and nobody who writes is waited for
            try:
                keys = db.execute("SELECT * FROM keys ORDER BY created_at, rowid").fetchall()
                sessions = db.execute("SELECT * FROM sessions").fetchall()
                salt = db.execute("SELECT salt FROM salt").fetchone()[0]
            finally:
                db.execute("COMMIT")
        try:
            return KeyFileContent(tuple(map(_key, keys)), tuple(SessionRecord(**dict(row)) for row in sessions), salt)
        except (ValueError, TypeError) as error:
            raise KeysUnavailable(f"The file of keys {self._path} is damaged: {error}.", "Restore it.") from error

    def keys(self) -> Sequence[KeyRecord]:
        """All keys, oldest first.

        Raises:
            KeysUnavailable
        """
        return self.read().keys

    def add(self, record: KeyRecord) -> None:
        """Keeps a new key.

        Raises:
            KeysUnavailable
        """
        with self._file.transaction() as db:
            db.execute(
                "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.key_id,
                    record.name,
                    ",".join(sorted(record.scopes)),
                    record.tenant,
                    record.digest,
                    record.created_at,
                    record.expires_at,
                    record.revoked_at,
                    record.last_used_at,
                ),
            )

    def revoke(self, key_id: str, now: float) -> KeyRecord:
        """Has a key refused from now on, and ends its sessions; for one that was revoked nothing changes.

        Raises:
            KeyNotFound, KeysUnavailable
        """
        with self._file.transaction() as db:
            db.execute("UPDATE keys SET revoked_at = ? WHERE key_id = ? AND revoked_at IS NULL", (int(now), key_id))
            db.execute("DELETE FROM sessions WHERE key_id = ?", (key_id,))
            row = db.execute("SELECT * FROM keys WHERE key_id = ?", (key_id,)).fetchone()
        if row is None:
            raise KeyNotFound(f"There is no key {key_id!r}.", "python -m search_api keys list shows all.")
        return _key(row)

    def note_use(self, key_ids: Iterable[str], hour: int) -> None:
        """Records when keys were last used.

        Args:
            key_ids: of those used.
            hour: in seconds since 1970, a full one.

        Raises:
            KeysUnavailable
        """
        with self._file.transaction() as db:
            later = "UPDATE keys SET last_used_at = ? WHERE key_id = ? AND coalesce(last_used_at, 0) < ?"
            db.executemany(later, [(hour, key_id, hour) for key_id in key_ids])

    def begin_session(self, session: SessionRecord, now: float) -> None:
        """Keeps a session; those that ended, and the oldest of a key with very many, are dropped.

        Raises:
            KeysUnavailable
        """
        with self._file.transaction() as db:
            db.execute("DELETE FROM sessions WHERE expires_at <= ?", (int(now),))
            db.execute(
                "DELETE FROM sessions WHERE key_id = ? AND digest NOT IN "
                "(SELECT digest FROM sessions WHERE key_id = ? ORDER BY expires_at DESC, rowid DESC LIMIT ?)",
                (session.key_id, session.key_id, _MAX_SESSIONS_OF_KEY - 1),
            )
            values = (session.digest, session.key_id, session.mark, session.expires_at)
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", values)

    def end_session(self, digest: bytes) -> None:
        """Ends a session, if there is one of that digest.

        Raises:
            KeysUnavailable
        """
        with self._file.using() as db:
            db.execute("DELETE FROM sessions WHERE digest = ?", (digest,))

    def close(self) -> None:
        """Releases the file."""
        self._file.close()


def _key(row: sqlite3.Row) -> KeyRecord:
    values = dict(row)
    scopes = frozenset(Scope(name) for name in values.pop("scopes").split(","))
    return KeyRecord(scopes=scopes, **values)
