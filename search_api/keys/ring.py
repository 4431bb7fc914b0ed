"""The keys as a running server knows them: in memory, following their file."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from indexer.errors import KeysUnavailable
from search_api.access import Scope
from search_api.keys.file import KeyFile, KeyFileContent
from search_api.keys.records import KeyRecord, SessionRecord

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.5
_STALE_AFTER_S = 30.0
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class _Snapshot:
    keys: Mapping[str, KeyRecord] = field(default_factory=dict)
    sessions: Mapping[bytes, SessionRecord] = field(default_factory=dict)
    salt: bytes = b""


class KeyRing:
    """Keys and sessions of a file, looked at again and again in a thread: a request never waits for the disk.

    Where there is no file there are no keys. A file that cannot be read leaves what was known before, for half a
    minute; then nobody can say which keys hold, and every one is refused as ``KeysUnavailable``.

    Args:
        path: of the file; it is not made before the first session.
        clock: seconds since 1970.

    Raises:
        KeysUnavailable: there is a file and it cannot be read.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._file: KeyFile | None = None
        self._version = -1
        self._snapshot = _Snapshot()
        self._looked_s = time.monotonic()
        self._failing = False
        self._used: dict[str, int] = {}  # the hour in which each key was used last, as noted in the file
        self._to_note: deque[str] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="key ring", daemon=True)
        self._refresh()

    def start(self) -> None:
        """Begins to follow the file."""
        self._thread.start()

    def close(self) -> None:
        """Stops following, and releases the file."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            self._leave()

    def key(self, key_id: str) -> KeyRecord | None:
        """A key that is accepted now; None if there is none of that id.

        Raises:
            KeysUnavailable: the file could not be read for too long.
        """
        self._check_fresh()
        record = self._snapshot.keys.get(key_id)
        return record if record is not None and record.is_live(self._clock()) else None

    def session(self, digest: bytes) -> SessionRecord | None:
        """A session that holds now, by the digest of its cookie; whether its key does is another question.

        Raises:
            KeysUnavailable: the file could not be read for too long.
        """
        self._check_fresh()
        # a lookup's time tells of a digest, at most; nobody finds a cookie by that
        record = self._snapshot.sessions.get(digest)
        return record if record is not None and self._clock() < record.expires_at else None

    def has_key_for(self, scope: Scope) -> bool:
        """Whether any key is accepted for that."""
        now = self._clock()
        return any(scope in record.scopes and record.is_live(now) for record in self._snapshot.keys.values())

    def has_session_of(self, key_id: str) -> bool:
        """Whether anybody is signed in with that key, or was lately."""
        return any(session.key_id == key_id for session in self._snapshot.sessions.values())

    def note_use(self, key_id: str) -> None:
        """Has the hour noted in which a key was used, soon."""
        hour = int(self._clock()) // _HOUR_S * _HOUR_S
        if self._used.get(key_id) != hour:
            self._used[key_id] = hour
            self._to_note.append(key_id)

    @property
    def salt(self) -> bytes:
        """Of marks of the admin key; empty while there is no file."""
        return self._snapshot.salt

    def making_file(self) -> bytes:
        """Makes the file, if there is none, and gives its salt. Blocks.

        Raises:
            KeysUnavailable
        """
        self._change(lambda _: None)
        return self._snapshot.salt

    def begin_session(self, session: SessionRecord) -> None:
        """Keeps a session; holds here when this returns, elsewhere half a second later. Blocks.

        Raises:
            KeysUnavailable
        """
        self._change(lambda file: file.begin_session(session, self._clock()))

    def end_session(self, digest: bytes) -> None:
        """Ends a session, if there is one of that digest. Blocks.

        Raises:
            KeysUnavailable
        """
        if digest in self._snapshot.sessions:
            self._change(lambda file: file.end_session(digest))

    def _check_fresh(self) -> None:
        if time.monotonic() - self._looked_s > _STALE_AFTER_S:
            raise KeysUnavailable(
                "The file of keys could not be read for too long, so no key can be judged.",
                "The server's log has more.",
            )

    def _change(self, change: Callable[[KeyFile], None]) -> None:
        with self._lock:
            file = self._opened()
            change(file)
            self._take(file.read())

    def _follow(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            try:
                self._refresh()
                self._note_uses()
            except KeysUnavailable as error:
                if not self._failing:
                    _log.error("%s Keys hold as they were known before, for %g s.", error, _STALE_AFTER_S)
                self._failing = True
            else:
                self._failing = False

    def _refresh(self) -> None:
        with self._lock:
            if not self._path.exists():
                self._leave()
                self._snapshot = _Snapshot()
            else:
                file = self._opened()
                version = file.version()
                if version != self._version:
                    self._take(file.read())
                    self._version = version
            self._looked_s = time.monotonic()

    def _opened(self) -> KeyFile:
        """The file that lies at the path now; made if there is none."""
        if self._file is None or not self._file.is_current():
            self._leave()
            self._file = KeyFile(self._path)
        return self._file

    def _leave(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._version = None, -1

    def _take(self, content: KeyFileContent) -> None:
        self._snapshot = _Snapshot(
            {record.key_id: record for record in content.keys},
            {session.digest: session for session in content.sessions},
            content.salt,
        )

    def _note_uses(self) -> None:
        noted = [self._to_note.popleft() for _ in range(len(self._to_note))]
        with self._lock, suppress(KeysUnavailable):  # it is told in passing, and no reason to refuse anybody
            if noted and self._file is not None:
                self._file.note_use(noted, max(self._used[key_id] for key_id in noted))
