"""Files that are replaced as a whole: whoever reads one, at whatever moment, finds the old content or the new."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when the block ends without an error; of several writers the last wins.

    Args:
        path: in a folder that is there.
        durable: whether the new content is on disk when the block has ended. Without that it outlives this process, but
            maybe not the machine.

    Yields:
        A new file beside ``path``; removed if the block, or the replacing, fails. One that a killed process left is
        named ``.NAME.8HEX``, and nobody takes it for the file.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
        if durable:
            sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def replace_file(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replaces the content of a file as a whole; see ``replacing``.

    Args:
        path: in a folder that is there.
        content: text is written as UTF-8.
        durable: see ``replacing``.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def sync(path: Path) -> None:
    """Returns when a file's content, or a folder's list of files, is on disk.

    Raises:
        OSError: it is not there, or the disk failed.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
