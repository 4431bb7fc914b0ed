"""The bytes of a feed, plain or out of gzip, with a count of how far they are read."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from indexer.errors import FeedNotFound, FeedUnreadable, FeedUnsafe

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER_BYTES: Final = 256 * 1024
GZIP_MAGIC: Final = b"\x1f\x8b"
# Gzip cannot do better than 1032 : 1, and rows that differ in nothing but their id stay below 100 : 1.
MAX_RATIO: Final = 500
RATIO_FREE_BYTES: Final = 100 * 1024 * 1024
"""Unpacked bytes up to which the ratio is not looked at."""


class ByteSource:
    """A feed's bytes, unpacked if they are gzip; to be closed, or used in a ``with``.

    Attributes:
        gzipped: whether the file is gzip.
        stream: the unpacked bytes, buffered. Reading raises ``FeedUnreadable`` where the file breaks off or is damaged
            and ``FeedUnsafe`` where it unpacks to absurdly much.
    """

    def __init__(self, path: Path) -> None:
        self._file = _CountingFile(path)
        on_disk: io.BufferedReader[io.RawIOBase] = io.BufferedReader(self._file, BUFFER_BYTES)
        try:
            self.gzipped = on_disk.peek(2)[:2] == GZIP_MAGIC
        except BaseException:
            on_disk.close()
            raise
        self._on_disk = on_disk
        self.stream = io.BufferedReader(_Gunzip(on_disk, self._file), BUFFER_BYTES) if self.gzipped else on_disk

    @property
    def bytes_read(self) -> int:
        """Bytes of the file, packed ones where it is gzip, read so far; may be read from another thread."""
        return self._file.count

    def head(self, size: int) -> bytes:
        """Up to ``size`` bytes from where reading stands; fewer where the feed ends or breaks off before.

        Raises:
            FeedUnreadable: it breaks off at once.
        """
        parts: list[bytes] = []
        while size > 0:
            try:
                part = self.stream.read1(size)
            except FeedUnreadable:
                if not parts:
                    raise
                break
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self.stream.close()
        self._on_disk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _CountingFile(io.RawIOBase):
    """A file that counts what is read of it and says in one sentence why it cannot be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        try:
            if path.is_dir():
                raise FeedNotFound(f"{path} is a folder, not a feed.", "Name the feed's file.")
            if not path.exists():
                raise FeedNotFound(f"There is no file {path}.", "Check the path of the feed.")
            if not path.is_file():
                raise FeedNotFound(f"{path} is no regular file.", "Save the feed to a file first.")
            self._file = path.open("rb", buffering=0)
        except (OSError, ValueError) as error:
            raise FeedUnreadable(f"{path} cannot be opened: {_said(error)}.") from error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        try:
            count = self._file.readinto(buffer)
        except OSError as error:
            raise FeedUnreadable(f"{self.path} cannot be read: {_said(error)}.") from error
        self.count += count
        return count

    def close(self) -> None:
        if not self.closed and hasattr(self, "_file"):
            self._file.close()
        super().close()


class _Gunzip(io.RawIOBase):
    """Unpacks gzip, of one member or of many, and watches what becomes of it."""

    def __init__(self, packed: io.BufferedReader[io.RawIOBase], file: _CountingFile) -> None:
        self._gzip = gzip.GzipFile(fileobj=packed)
        self._file = file
        self._unpacked = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        path = self._file.path
        try:
            # read1() never raises after it has taken something, so what precedes the damage is not lost.
            data = self._gzip.read1(len(view))
        except EOFError as error:
            raise FeedUnreadable(
                f"{path} breaks off: its gzip stream has no end.", "Fetch or write the file again."
            ) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise FeedUnreadable(f"{path} is damaged gzip: {error}.", "Fetch or write the file again.") from error
        view[: len(data)] = data
        self._unpacked += len(data)
        if self._unpacked > RATIO_FREE_BYTES and self._unpacked > MAX_RATIO * self._file.count:
            raise FeedUnsafe(
                f"{path} unpacks to more than {MAX_RATIO} times its size, as no feed does.",
                "Unpack it yourself if you trust it.",
            )
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._gzip.close()
        super().close()


def _said(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
