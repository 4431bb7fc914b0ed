"""One writer at a time in an embedded store."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from indexer.errors import StoreLocked, StoreUnavailable
from indexer.points import utc_text


class WriterLock:
    """The lock is the operating system's and ends with the process that holds it.

    Args:
        root: of the store; None for a part of the work of who holds it already, which locks and releases nothing.

    Raises:
        StoreLocked: another process holds it; the message says which.
        StoreUnavailable: the folder cannot be written.
    """

    def __init__(self, root: Path | None) -> None:
        self._file = None if root is None else _locked_file(root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Lets the next writer in."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._file.close()
            self._file = None


def _locked_file(root: Path) -> IO[str]:
    path = root / "writer.lock"
    try:
        root.mkdir(parents=True, exist_ok=True)
        file: IO[str] = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreUnavailable(
            f"The data folder {root} cannot be written: {error.strerror}.", "Choose another with --data-dir."
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = _holder(file)
        file.close()
        if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
            raise StoreUnavailable(f"{path} cannot be locked: {error.strerror}.", "Use a local disk.") from error
        raise StoreLocked(
            f"Another process is writing to {root}: {holder}.", "Wait until it is done, or stop it."
        ) from error
    file.seek(0)
    file.truncate()
    json.dump(_this_process(), file)
    file.flush()
    return file


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
