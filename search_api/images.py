"""Pictures of indexed products, as result pages show them."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

from indexer.errors import ImageError, ProductImageNotFound
from indexer.images.decoder import Decoder
from indexer.images.source import LocalImages
from indexer.points import PointPayload

_FULL_PX = 2048
_CACHE_BYTES = 64_000_000


class PictureSize(StrEnum):
    """How large a picture is wanted."""

    THUMBNAIL = "thumbnail"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG and a tag that changes when it does."""

    jpeg: bytes
    etag: str


class ProductImages:
    """Local pictures, only as they were indexed: a file that changed since is not shown.

    They are encoded anew, so nothing but pixels leaves: no EXIF data, no GPS position. Small ones are kept in memory.

    Args:
        decoder: of their files.
        thumbnail_px: longer side of small ones.
    """

    def __init__(self, decoder: Decoder, *, thumbnail_px: int) -> None:
        self._decoder = decoder
        self._files = LocalImages(decoder.limits)
        self._sides_px = {PictureSize.THUMBNAIL: thumbnail_px, PictureSize.FULL: _FULL_PX}
        self._lock = threading.Lock()
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached_bytes = 0

    def etag(self, payload: PointPayload, size: PictureSize) -> str:
        """Tag of a picture, without reading it."""
        return hashlib.sha256(f"{payload.image_sha256}{self._sides_px[size]}".encode()).hexdigest()[:20]

    def picture(self, payload: PointPayload, size: PictureSize) -> Picture:
        """The picture of a point; decodes, so it belongs in a thread.

        Raises:
            ProductImageNotFound: the file is gone, unreadable, or not the one that was indexed.
        """
        etag = self.etag(payload, size)
        with self._lock:
            if etag in self._cache:
                self._cache.move_to_end(etag)
                return Picture(self._cache[etag], etag)
        try:
            fetched = self._files.fetch(payload.image_ref, payload.image_root)
            if fetched.sha256 != payload.image_sha256:
                raise _gone(payload, "has changed since it was indexed")
            jpeg = self._decoder.jpeg(fetched.data, max_side_px=self._sides_px[size])
        except ImageError as error:
            raise _gone(payload, "cannot be read any more") from error
        if size is PictureSize.THUMBNAIL:
            self._keep(etag, jpeg)
        return Picture(jpeg, etag)

    def _keep(self, etag: str, jpeg: bytes) -> None:
        with self._lock:
            if etag not in self._cache:
                self._cache[etag] = jpeg
                self._cached_bytes += len(jpeg)
            while self._cached_bytes > _CACHE_BYTES:
                _, dropped = self._cache.popitem(last=False)
                self._cached_bytes -= len(dropped)


def _gone(payload: PointPayload, what: str) -> ProductImageNotFound:
    return ProductImageNotFound(
        f"Picture {payload.position} of product {payload.product_id!r} {what}.", "Index the feed again."
    )
