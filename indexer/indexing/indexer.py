"""The steps of one batch: fetch, compare with what is there, decode, embed, work out the change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from uuid import UUID

import numpy as np

from indexer.embedding.port import Embedder, Pixels
from indexer.errors import ImageError, ModelFailed
from indexer.images.decoder import Decoder
from indexer.images.source import FetchedImage, ImageSource
from indexer.indexing.batch import ImageOutcome, IndexedBatch, Picture, PreparedBatch, ProductBatch
from indexer.indexing.change import AtHand, change_of
from indexer.indexing.downloads import Downloads
from indexer.ledger.port import Stage
from indexer.points import Point, PointPayload, StoredPoint, Vectors, point_id
from indexer.products import is_remote
from indexer.telemetry.counting import model_pass


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


class BatchIndexer:
    """The three steps of a batch; each may run in a thread of its own, for different batches at the same time.

    Args:
        embedder: of the space that is written to.
        source: of the pictures' bytes.
        decoder: of pictures.
        image_threads: runs reading and decoding of single pictures.
        downloads: most pictures that are on their way over the network, or wait to be decoded, at once.
    """

    def __init__(
        self,
        embedder: Embedder,
        source: ImageSource,
        decoder: Decoder,
        image_threads: Executor,
        *,
        downloads: int = 64,
    ) -> None:
        self._embedder = embedder
        self._source = source
        self._decoder = decoder
        self._threads = image_threads
        self._downloads = Downloads(downloads)

    def prepare(
        self,
        batch: ProductBatch,
        existing: Mapping[str, tuple[StoredPoint, ...]],
        donated: Mapping[str, tuple[Point, ...]],
    ) -> PreparedBatch:
        """Fetches every picture, and decodes those whose embedding is not there yet.

        Args:
            batch: as read.
            existing: points of the batch's products.
            donated: their points in another collection of the same space, to copy vectors from.
        """
        payloads: dict[UUID, PointPayload] = {
            point.id: point.payload for points in donated.values() for point in points
        }
        payloads |= {point.id: point.payload for points in existing.values() for point in points}
        by_ref = {(item.product_id, item.image_ref): item for item in payloads.values()}
        known = _Known(payloads, by_ref, batch.tenant)
        claims = _Claims()
        futures: list[list[Future[_Fetched]]] = [
            [
                self._begin_image(
                    product.product_id, ImageOutcome(position, ref, batch.root_of(product.product_id)), known, claims
                )
                for position, ref in enumerate(product.image_refs)
            ]
            for product in batch.products
        ]
        fetched = [[future.result() for future in row] for row in futures]
        decoded = {item.outcome.sha256: item for row in fetched for item in row if item.was_claimed}
        outcomes = tuple(tuple(_resolved(item, decoded) for item in row) for row in fetched)
        ready = {sha: item.pixels for sha, item in decoded.items() if item.pixels is not None}
        pixels = np.stack(list(ready.values())) if ready else np.zeros((0, 1, 1, 3), dtype=np.uint8)
        return PreparedBatch(batch, existing, outcomes, tuple(ready), pixels, donated)

    def embed(self, prepared: PreparedBatch, *, defer: bool = False) -> IndexedBatch:
        """Embeds the new pictures and works out what changes.

        Args:
            prepared: by ``prepare``.
            defer: see ``change_of``.

        Raises:
            ModelFailed: the model fails on every picture.
        """
        vectors, failed = self._embed_each(prepared)
        outcomes = tuple(
            tuple(_with_embedding_failure(outcome, failed) for outcome in row) for row in prepared.outcomes
        )
        at_hand = AtHand(prepared.existing, vectors, prepared.donated)
        indexed = change_of(prepared.batch, outcomes, at_hand, defer=defer)
        if not vectors:
            return indexed
        return replace(indexed, report=replace(indexed.report, embedded_with=self._embedder.description))

    def pixels_of(self, picture: Picture) -> Pixels | None:
        """A picture ready for the model, uint8 (S, S, 3); None if it cannot be had or is another by now."""
        try:
            fetched = self._source.fetch(picture.ref, picture.root)
            if fetched.sha256 != picture.sha256:
                return None
            return self._decoder.square(fetched.data, self._embedder.square).pixels
        except ImageError:
            return None

    def embed_pixels(self, pixels: Sequence[Pixels]) -> Sequence[Vectors]:
        """Embeddings of pictures from ``pixels_of``, float32 (D,) each.

        Raises:
            ModelFailed: the model fails.
        """
        return list(self._vectors(np.stack(list(pixels)))) if pixels else []

    @contextmanager
    def without_downloads(self) -> Iterator[None]:
        """Gives up pictures that are on their way, and begins none in the block; who waits gets ``CancelledError``."""
        self._downloads.stop()
        try:
            yield
        finally:
            self._downloads.resume()

    def _begin_image(self, product_id: str, named: ImageOutcome, known: _Known, claims: _Claims) -> Future[_Fetched]:
        """Downloads wait without a thread, and then are compared and decoded as files are, in one."""
        before = known.by_ref.get((product_id, named.ref))
        validator = before.image_validator if before is not None else ""

        def prepare(fetch: Callable[[], FetchedImage | None]) -> _Fetched:
            return self._prepare_image(product_id, named, known, claims, fetch)

        download = None
        if is_remote(named.ref):
            download = self._downloads.begun(lambda: self._source.begin(named.ref, named.root, validator))
        if download is None:
            return self._threads.submit(prepare, lambda: self._fetched(named, validator))
        return self._downloads.then(download, lambda: self._threads.submit(prepare, download.result))

    def _fetched(self, named: ImageOutcome, validator: str) -> FetchedImage | None:
        if not validator:
            return self._source.fetch(named.ref, named.root)
        return self._source.fetch_changed(named.ref, named.root, validator)

    def _prepare_image(
        self,
        product_id: str,
        named: ImageOutcome,
        known: _Known,
        claims: _Claims,
        fetch: Callable[[], FetchedImage | None],
    ) -> _Fetched:
        try:
            fetched = fetch()
        except ImageError as error:
            return _Fetched(replace(named, error=error, stage=Stage.FETCH))
        if fetched is None:
            before = known.by_ref[product_id, named.ref]
            return _Fetched(_as_known(replace(named, validator=before.image_validator), before))
        had = replace(named, sha256=fetched.sha256, validator=fetched.validator)
        there = known.by_id.get(point_id(product_id, fetched.sha256, known.tenant))
        if there is not None:
            return _Fetched(_as_known(had, there))
        if not claims.claim(fetched.sha256):
            return _Fetched(had, is_shared=True)
        try:
            decoded = self._decoder.square(fetched.data, self._embedder.square)
        except ImageError as error:
            return _Fetched(replace(had, error=error, stage=Stage.DECODE), was_claimed=True)
        outcome = replace(had, size_px=(decoded.width_px, decoded.height_px))
        return _Fetched(outcome, decoded.pixels, was_claimed=True)

    def _embed_each(self, prepared: PreparedBatch) -> tuple[dict[str, Vectors], dict[str, ModelFailed]]:
        """Vectors and failures by content hash; one picture that the model fails on does not cost the others."""
        shas = prepared.shas
        try:
            vectors = self._vectors(prepared.pixels)
            return dict(zip(shas, vectors, strict=True)), {}
        except ModelFailed as failure:
            good: dict[str, Vectors] = {}
            bad: dict[str, ModelFailed] = {}
            for sha, pixels in zip(shas, prepared.pixels, strict=True):
                try:
                    good[sha] = self._vectors(pixels[None])[0]
                except ModelFailed as error:
                    bad[sha] = error
            if not good:
                raise ModelFailed(failure.reason, failure.remedy) from failure
            return good, bad

    def _vectors(self, pixels: Pixels) -> Vectors:
        start_s = perf_counter()
        vectors = self._embedder.embed_images(pixels)
        if len(pixels):
            model_pass("index", len(pixels), perf_counter() - start_s)
        return vectors


@dataclass(frozen=True, slots=True)
class _Known:
    """Points that there are of the batch's products, by id, and by product and reference; and the batch's tenant."""

    by_id: Mapping[UUID, PointPayload]
    by_ref: Mapping[tuple[str, str], PointPayload]
    tenant: str


@dataclass(frozen=True, slots=True)
class _Fetched:
    """An outcome on its way: with pixels if this is the one that decoded them."""

    outcome: ImageOutcome
    pixels: Pixels | None = None
    was_claimed: bool = False
    is_shared: bool = False


def _resolved(item: _Fetched, decoded: Mapping[str, _Fetched]) -> ImageOutcome:
    """A picture whose content another one of the batch decoded takes over what came of it."""
    if not item.is_shared:
        return item.outcome
    other = decoded[item.outcome.sha256].outcome
    return replace(item.outcome, size_px=other.size_px, is_shared=True, error=other.error, stage=other.stage)


def _as_known(outcome: ImageOutcome, there: PointPayload) -> ImageOutcome:
    """A picture whose point is there already."""
    return replace(outcome, sha256=there.image_sha256, size_px=(there.width_px, there.height_px), is_known=True)


def _with_embedding_failure(outcome: ImageOutcome, failed: Mapping[str, ModelFailed]) -> ImageOutcome:
    error = failed.get(outcome.sha256)
    if error is None or outcome.is_known:
        return outcome
    return replace(outcome, error=error, stage=Stage.EMBED)
