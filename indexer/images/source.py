"""From an image reference to the picture's bytes."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from indexer.errors import ImageFetchFailed, ImageNotFound, ImageRefForbidden, ImageTooLarge
from indexer.images.limits import ImageLimits
from indexer.points import local_path
from indexer.products import is_remote

_ROOT_KNOWN_S = 1.0
_TURNS = frozenset({"", os.curdir, os.pardir})


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """Bytes of a picture.

    Attributes:
        data: the bytes.
        sha256: of them, 64 hexadecimal digits.
        validator: to ask with whether it is still the same; empty if that cannot be asked.
    """

    data: bytes
    sha256: str
    validator: str = ""


class ImageSource(Protocol):
    """Where bytes of pictures come from; safe to call from several threads."""

    def fetch(self, image_ref: str, image_root: str) -> FetchedImage:
        """The bytes behind a reference.

        Args:
            image_ref: http(s) URL, or path relative to ``image_root``.
            image_root: absolute folder of the feed.

        Raises:
            ImageError: one of its leaves; ``ImageFetchFailed`` where a later try may succeed.
        """
        ...

    def fetch_changed(self, image_ref: str, image_root: str, validator: str) -> FetchedImage | None:
        """As ``fetch``, but None if the picture is still the one that came with a validator."""
        ...

    def begin(self, image_ref: str, image_root: str, validator: str) -> Future[FetchedImage | None] | None:
        """Begins what ``fetch_changed`` does, with no thread that waits for it.

        Args:
            image_ref, image_root, validator: as there; no validator: the picture is wanted in any case.

        Returns:
            None where a thread is needed to read: then call ``fetch_changed``, or ``fetch`` without a validator.
        """
        ...


class LocalImages:
    """Files below the feed's folder; a link that leads out of it is refused."""

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits
        self._roots: dict[str, tuple[str, float]] = {}

    def fetch(self, image_ref: str, image_root: str) -> FetchedImage:
        """See ``ImageSource``."""
        path = self._inside(image_ref, image_root)
        try:
            # a pipe without a writer would block; ordinary files are read the same either way
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                data = self._read(descriptor, image_ref)
            finally:
                os.close(descriptor)
        except FileNotFoundError as error:
            raise ImageNotFound(
                f"There is no file {image_ref} in the feed's folder.", "Add it, or correct the path in the feed."
            ) from error
        except OSError as error:
            raise ImageFetchFailed(f"{image_ref} could not be read: {error.strerror}.") from error
        return FetchedImage(data, hashlib.sha256(data).hexdigest())

    def fetch_changed(self, image_ref: str, image_root: str, validator: str) -> FetchedImage:  # noqa: ARG002
        """See ``ImageSource``; a file is read in any case, its time of change can be set by anybody."""
        return self.fetch(image_ref, image_root)

    def begin(self, image_ref: str, image_root: str, validator: str) -> None:
        """See ``ImageSource``; files are read by whoever decodes them."""

    def _read(self, descriptor: int, image_ref: str) -> bytes:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ImageRefForbidden(f"{image_ref} is no ordinary file.", "Name a picture file.")
        if status.st_size > self._limits.max_bytes:
            raise ImageTooLarge(
                f"{image_ref} has {status.st_size} bytes; the limit is {self._limits.max_megabytes}.",
                "Save it smaller, or raise image_max_bytes.",
            )
        # not up to the limit: making room for 20 MB costs more than reading a picture
        data = os.read(descriptor, status.st_size + 1)
        if len(data) != status.st_size:
            raise ImageFetchFailed(f"{image_ref} is being written.", "Index it again when it is complete.")
        return data

    def _inside(self, image_ref: str, image_root: str) -> str:
        root = self._resolved(image_root)
        return _plain_path(image_ref, root) or _followed_path(image_ref, root)

    def _resolved(self, image_root: str) -> str:
        """A feed's folder with its links followed: once a second, not once a picture."""
        known = self._roots.get(image_root)
        now_s = time.monotonic()
        if known is None or now_s - known[1] > _ROOT_KNOWN_S:
            known = (os.path.realpath(image_root), now_s)
            self._roots = {image_root: known}
        return known[0]


def _plain_path(image_ref: str, root: str) -> str:
    """Where a picture lies, if no link and no turn is on the way from the root; else empty."""
    path = root
    try:
        for part in image_ref.split("/"):
            if part in _TURNS:
                return ""
            path = f"{path}{os.sep}{part}"
            if stat.S_ISLNK(os.lstat(path).st_mode):
                return ""
    except (OSError, ValueError):
        return ""
    return path


def _followed_path(image_ref: str, root: str) -> str:
    try:
        path = os.path.realpath(local_path(image_ref, root))
    except (OSError, ValueError) as error:  # a NUL, a name too long
        raise ImageRefForbidden(f"The path {image_ref!r} cannot be followed.", "Correct it in the feed.") from error
    if not path.startswith(root.rstrip(os.sep) + os.sep):
        raise ImageRefForbidden(
            f"{image_ref} leads outside the feed's folder.", "Only pictures inside that folder are read."
        )
    return path


class ImagesByReference:
    """Chooses by the reference: URLs go to one source, paths to another."""

    def __init__(self, local: ImageSource, remote: ImageSource) -> None:
        self._local = local
        self._remote = remote

    def fetch(self, image_ref: str, image_root: str) -> FetchedImage:
        """See ``ImageSource``."""
        return self._source_of(image_ref).fetch(image_ref, image_root)

    def fetch_changed(self, image_ref: str, image_root: str, validator: str) -> FetchedImage | None:
        """See ``ImageSource``."""
        return self._source_of(image_ref).fetch_changed(image_ref, image_root, validator)

    def begin(self, image_ref: str, image_root: str, validator: str) -> Future[FetchedImage | None] | None:
        """See ``ImageSource``."""
        return self._source_of(image_ref).begin(image_ref, image_root, validator)

    def _source_of(self, image_ref: str) -> ImageSource:
        return self._remote if is_remote(image_ref) else self._local
