"""The audit log: who changed what, when, from where, and what came of it. Lines of JSON in a file that only grows."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from indexer.errors import AuditUnavailable
from indexer.telemetry.secrets import without_keys

_log = logging.getLogger(__name__)
AUDIT_FILE = "audit.jsonl"
_MAX_TEXT_CHARS = 600
"""Longer than any id of a product; nobody fills the log with one line."""
_LEAST_FREE_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was done, or tried. Nothing of a request's body is in it, and no secret.

    Attributes:
        who: id of the key; ``admin-key`` for the one in the settings, ``os:NAME`` for a command.
        name: what the key is called.
        tenant: of the key; empty: none.
        action: such as ``put_product``, ``request_run``, ``create_key``.
        target: what it was done to: a product, a run, a feed, a key.
        outcome: ``done``, or the code of the error.
        status: of HTTP; 0 for commands.
        request_id: as in the answer and the server's log; empty for commands.
        address: where the request came from; empty for commands.
    """

    who: str
    name: str
    tenant: str
    action: str
    target: str
    outcome: str
    status: int = 0
    request_id: str = ""
    address: str = ""


class AuditLog:
    """Appends entries to ``audit.jsonl``; several processes may do so at the same time.

    A full file is renamed to ``audit.jsonl.1``, what was so to ``.2``, and so on; the oldest is deleted.

    Args:
        folder: made if it is missing.
        max_bytes: of the current file, about.
        keep_files: that many renamed ones are kept.
    """

    def __init__(self, folder: Path, *, max_bytes: int, keep_files: int) -> None:
        self._path = folder / AUDIT_FILE
        self._max_bytes = max_bytes
        self._keep_files = keep_files

    def check(self) -> None:
        """Returns if entries can be written; asked before anything is done that has to be on record. Blocks.

        Raises:
            AuditUnavailable: they cannot.
        """
        with self._opened() as descriptor:
            disk = os.fstatvfs(descriptor)
            if disk.f_bavail * disk.f_frsize < _LEAST_FREE_BYTES:
                raise _no_space()

    def append(self, entry: AuditEntry) -> None:
        """Writes an entry; it is on disk when this returns. Blocks.

        Raises:
            AuditUnavailable: it is not.
        """
        values = {"at": datetime.now(UTC).isoformat(timespec="milliseconds")} | {
            name: without_keys(value[:_MAX_TEXT_CHARS]) if isinstance(value, str) else value
            for name, value in asdict(entry).items()
        }
        line = (json.dumps(values) + "\n").encode("ascii")  # ASCII: nothing in it can end a line or hide on a terminal
        with self._opened() as descriptor:
            if os.fstat(descriptor).st_size + len(line) <= self._max_bytes:
                _write(descriptor, line)
                return
            self._put_aside()
        with self._opened() as descriptor:
            _write(descriptor, line)

    def append_after(self, entry: AuditEntry) -> None:
        """Writes an entry of what is done already; where that fails, the server's own log has it. Blocks."""
        try:
            self.append(entry)
        except AuditUnavailable as error:
            _log.error("%s Not in the audit log: %s", error, json.dumps(asdict(entry)))

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The current file, for one process or thread at a time.

        Raises:
            AuditUnavailable
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = self._locked()
            try:
                yield descriptor
            finally:
                os.close(descriptor)
        except OSError as error:
            raise AuditUnavailable(
                f"The audit log {self._path} cannot be written: {error.strerror}.",
                "Check the folder's rights and the disk's space.",
            ) from error

    def _locked(self) -> int:
        while True:
            descriptor = os.open(self._path, os.O_APPEND | os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                if os.path.samestat(os.fstat(descriptor), self._path.stat()):
                    return descriptor
            except FileNotFoundError:
                pass  # renamed while this one waited
            os.close(descriptor)

    def _put_aside(self) -> None:
        aside = [self._path.with_name(f"{AUDIT_FILE}.{number}") for number in range(1, self._keep_files + 1)]
        for older, newer in zip(reversed(aside), [*reversed(aside[:-1]), self._path], strict=True):
            if newer.exists():
                newer.replace(older)


def _write(descriptor: int, line: bytes) -> None:
    start = os.fstat(descriptor).st_size
    try:
        written = os.write(descriptor, line)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, start)
        raise
    if written != len(line):
        os.ftruncate(descriptor, start)  # half a line would spoil the next one
        raise _no_space()


def _no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
