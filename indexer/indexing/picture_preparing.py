"""A batch's pictures: fetched, compared with what is there, and decoded where they are new."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

from indexer.embedding.port import Pixels
from indexer.errors import ImageError
from indexer.images.decoder import Decoder
from indexer.images.source import FetchedImage, ImageSource
from indexer.images.squares import Square
from indexer.indexing.batch import ImageOutcome, Picture, ProductBatch
from indexer.indexing.downloads import Downloads
from indexer.ledger.port import Stage
from indexer.points import PointPayload, point_id
from indexer.products import is_remote

_PATIENCE_S = 0.01
_PATIENCE_OF_EACH_S = 0.002
"""A file in the page cache is read and hashed in 0.1 ms, and waits for the interpreter in between; one on a slow disk
takes 5 ms and more. Several of those are better read at once."""


class PicturePreparer:
    """Prepares the pictures of batches; may be called from several threads at once.

    Args:
        square: that they are prepared as.
        source: of their bytes.
        decoder: of pictures.
        threads: runs reading and decoding of single pictures.
        downloads: most pictures that are on their way over the network, or wait to be decoded, at once.
        clock: seconds from some moment on, by which files are told to come slowly.
    """

    def __init__(
        self,
        square: Square,
        source: ImageSource,
        decoder: Decoder,
        threads: Executor,
        *,
        downloads: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._square = square
        self._source = source
        self._decoder = decoder
        self._threads = threads
        self._downloads = Downloads(downloads)
        self._clock = clock

    def prepare(self, batch: ProductBatch, payloads: Mapping[UUID, PointPayload]) -> PreparedPictures:
        """Fetches every picture, and decodes those whose embedding is not there yet.

        Pictures that the network brings, or that are decoded, are in other hands meanwhile. A file behind which a point
        stands already is most likely what it was. It is read right here: handing it to another thread and back takes
        longer than reading it, as the interpreter is asked for at every step.

        Args:
            batch: as read.
            payloads: of the points of its products that there are, here or in the donor.
        """
        by_ref = {(item.product_id, item.image_ref): item for item in payloads.values()}
        known = _Known(payloads, by_ref, batch.tenant)
        wanted = [
            _Wanted(product.product_id, ImageOutcome(position, ref, batch.root_of(product.product_id)))
            for product in batch.products
            for position, ref in enumerate(product.image_refs)
        ]
        claims = _Claims()
        begun = [None if known.is_expected(item) else self._begin(item, known, claims) for item in wanted]
        patience = _Patience(self._clock)
        fetched = []
        for item, future in zip(wanted, begun, strict=True):
            here = self._settled(item, known) if future is None and patience.lasts() else None
            fetched.append(here or future or self._begin(item, known, claims))
        done = [item.result() if isinstance(item, Future) else item for item in fetched]
        decoded = {item.outcome.sha256: item for item in done if item.was_claimed}
        outcomes = iter([_resolved(item, decoded) for item in done])
        return PreparedPictures(
            tuple(tuple(next(outcomes) for _ in product.image_refs) for product in batch.products),
            {sha: item.pixels for sha, item in decoded.items() if item.pixels is not None},
        )

    @contextmanager
    def without_downloads(self) -> Iterator[None]:
        """Gives up pictures that are on their way, and begins none in the block; who waits gets ``CancelledError``."""
        self._downloads.stop()
        try:
            yield
        finally:
            self._downloads.resume()

    def pixels_of(self, picture: Picture) -> Pixels | None:
        """A picture ready for the model, uint8 (S, S, 3); None if it cannot be had or is another by now."""
        try:
            fetched = self._source.fetch(picture.ref, picture.root)
            if fetched.sha256 != picture.sha256:
                return None
            return self._decoder.square(fetched.data, self._square).pixels
        except ImageError:
            return None

    def _begin(self, wanted: _Wanted, known: _Known, claims: _Claims) -> Future[_Fetched]:
        """Downloads wait without a thread, and then are compared and decoded as files are, in one."""
        named, validator = wanted.named, known.validator_of(wanted)

        def prepare(fetch: Callable[[], FetchedImage | None]) -> _Fetched:
            compared = _compared(wanted, known, fetch)
            return compared if isinstance(compared, _Fetched) else self._decoded(compared, claims)

        download = None
        if is_remote(named.ref):
            download = self._downloads.begun(lambda: self._source.begin(named.ref, named.root, validator))
        if download is None:
            return self._threads.submit(prepare, lambda: self._fetch(named, validator))
        return self._downloads.then(download, lambda: self._threads.submit(prepare, download.result))

    def _settled(self, wanted: _Wanted, known: _Known) -> _Fetched | None:
        """Of a file that is to be read in this thread; None if it is another picture by now, and must be decoded.

        Then it is read once more by who decodes it: kept here, all the files of a batch could lie in memory at once.
        """
        compared = _compared(wanted, known, lambda: self._source.fetch(wanted.named.ref, wanted.named.root))
        return compared if isinstance(compared, _Fetched) else None

    def _fetch(self, named: ImageOutcome, validator: str) -> FetchedImage | None:
        if not validator:
            return self._source.fetch(named.ref, named.root)
        return self._source.fetch_changed(named.ref, named.root, validator)

    def _decoded(self, new: _New, claims: _Claims) -> _Fetched:
        if not claims.claim(new.had.sha256):
            return _Fetched(new.had, is_shared=True)
        try:
            decoded = self._decoder.square(new.data, self._square)
        except ImageError as error:
            return _Fetched(replace(new.had, error=error, stage=Stage.DECODE), was_claimed=True)
        outcome = replace(new.had, size_px=(decoded.width_px, decoded.height_px))
        return _Fetched(outcome, decoded.pixels, was_claimed=True)


@dataclass(frozen=True, slots=True)
class PreparedPictures:
    """What became of a batch's pictures.

    Attributes:
        outcomes: for each product, one entry for each of its pictures, in order.
        pixels: of those that must be embedded, by content hash: uint8 (S, S, 3) each.
    """

    outcomes: tuple[tuple[ImageOutcome, ...], ...]
    pixels: Mapping[str, Pixels]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A picture of a product, of which only the name is known so far."""

    product_id: str
    named: ImageOutcome


@dataclass(frozen=True, slots=True)
class _Known:
    """Points that there are of the batch's products, by id, and by product and reference; and the batch's tenant."""

    by_id: Mapping[UUID, PointPayload]
    by_ref: Mapping[tuple[str, str], PointPayload]
    tenant: str

    def is_expected(self, wanted: _Wanted) -> bool:
        """Whether it is a file behind which a point stands."""
        ref = wanted.named.ref
        return (wanted.product_id, ref) in self.by_ref and not is_remote(ref)

    def validator_of(self, wanted: _Wanted) -> str:
        """Of the picture that the reference stood for; empty if there was none."""
        before = self.by_ref.get((wanted.product_id, wanted.named.ref))
        return before.image_validator if before is not None else ""


@dataclass(frozen=True, slots=True)
class _New:
    """Bytes of a picture without a point, and what is known of it by then."""

    had: ImageOutcome
    data: bytes


@dataclass(frozen=True, slots=True)
class _Fetched:
    """An outcome on its way: with pixels if this is the one that decoded them."""

    outcome: ImageOutcome
    pixels: Pixels | None = None
    was_claimed: bool = False
    is_shared: bool = False


@dataclass(slots=True)
class _Claims:
    """Which contents of this batch are being decoded, so that a picture shown twice is decoded and embedded once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    shas: set[str] = field(default_factory=set)

    def claim(self, sha256: str) -> bool:
        with self.lock:
            if sha256 in self.shas:
                return False
            self.shas.add(sha256)
            return True


class _Patience:
    """How long a batch's files are read one after the other."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until_s = clock() + _PATIENCE_S

    def lasts(self) -> bool:
        """Asked before each file; once lost, it does not come back."""
        lasts = self._clock() <= self._until_s
        if lasts:
            self._until_s += _PATIENCE_OF_EACH_S
        return lasts


def _compared(wanted: _Wanted, known: _Known, fetch: Callable[[], FetchedImage | None]) -> _Fetched | _New:
    """What came of a picture that could not be had or has a point already; the bytes of any other."""
    named = wanted.named
    try:
        fetched = fetch()
    except ImageError as error:
        return _Fetched(replace(named, error=error, stage=Stage.FETCH))
    if fetched is None:
        before = known.by_ref[wanted.product_id, named.ref]
        return _Fetched(_as_known(named, before, before.image_validator))
    there = known.by_id.get(point_id(wanted.product_id, fetched.sha256, known.tenant))
    if there is not None:
        return _Fetched(_as_known(named, there, fetched.validator))
    return _New(replace(named, sha256=fetched.sha256, validator=fetched.validator), fetched.data)


def _as_known(named: ImageOutcome, there: PointPayload, validator: str) -> ImageOutcome:
    """A picture whose point is there already."""
    return replace(
        named,
        sha256=there.image_sha256,
        size_px=(there.width_px, there.height_px),
        validator=validator,
        is_known=True,
    )


def _resolved(item: _Fetched, decoded: Mapping[str, _Fetched]) -> ImageOutcome:
    """A picture whose content another one of the batch decoded takes over what came of it."""
    if not item.is_shared:
        return item.outcome
    other = decoded[item.outcome.sha256].outcome
    return replace(item.outcome, size_px=other.size_px, is_shared=True, error=other.error, stage=other.stage)
