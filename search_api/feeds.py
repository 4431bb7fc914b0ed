"""The one folder whose feeds may be named or left over HTTP."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import BinaryIO

from indexer.atomic_file import replacing
from indexer.errors import ConfigurationError, FeedNotFound

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.(?:xml|yml|csv|tsv|txt|json|jsonl|parquet|gz)", re.IGNORECASE)


class FeedFolder:
    """Feeds below a folder, and nothing outside it.

    Args:
        folder: empty: no feed may be named.
    """

    def __init__(self, folder: str) -> None:
        self._root = Path(folder).resolve() if folder else None

    @property
    def root(self) -> str:
        """The folder, absolute; empty if there is none."""
        return str(self._root) if self._root else ""

    def find(self, name: str) -> Path:
        """The feed of that path relative to the folder; links are followed, and must not lead out.

        Raises:
            FeedNotFound: there is none, or it lies elsewhere: which of the two is not told.
        """
        root = self._required()
        try:
            path = (root / name).resolve()
            if path.is_relative_to(root) and path.is_file():
                return path
        except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, a loop of links
            pass
        raise FeedNotFound(f"There is no feed {name!r} in the folder of feeds.", "Name one by its path in feeds_dir.")

    def keep(self, name: str, data: BinaryIO) -> Path:
        """Stores an uploaded feed; one of the same name is replaced, at once and as a whole.

        Args:
            name: of the file, as the client gave it.
            data: read to its end.

        Raises:
            FeedNotFound: no folder is set, or the name is none of a feed.
            ConfigurationError: the folder cannot be written.
        """
        root = self._required()
        if not _NAME.fullmatch(name):
            raise FeedNotFound(
                f"{name!r} is no name for an uploaded feed.",
                "Letters, digits, dots, dashes, and an ending such as .xml, .csv, .jsonl or .gz.",
            )
        try:
            if root.parent.is_dir():  # a tenant's folder is made with its first feed
                root.mkdir(exist_ok=True)
            with replacing(root / name) as file:
                shutil.copyfileobj(data, file)
        except OSError as error:
            raise ConfigurationError(
                f"The folder of feeds cannot be written: {error.strerror}.", "Check feeds_dir, its rights and its disk."
            ) from error
        return root / name

    def _required(self) -> Path:
        if self._root is None:
            raise FeedNotFound("No folder of feeds is set.", "Set VITRINE_FEEDS_DIR where the API starts.")
        return self._root
