"""The steps of one batch: fetch, compare with what is there, decode, embed, work out the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from uuid import UUID

import numpy as np

from indexer.embedding.port import Embedder, Pixels
from indexer.errors import ModelFailed
from indexer.indexing.batch import ImageOutcome, IndexedBatch, PreparedBatch, ProductBatch
from indexer.indexing.change import AtHand, change_of
from indexer.indexing.picture_preparing import PicturePreparer
from indexer.ledger.port import Stage
from indexer.points import Point, PointPayload, StoredPoint, Vectors
from indexer.telemetry.counting import model_pass


class BatchIndexer:
    """The three steps of a batch; each may run in a thread of its own, for different batches at the same time.

    Args:
        embedder: of the space that is written to.
        pictures: prepares them for that embedder.
    """

    def __init__(self, embedder: Embedder, pictures: PicturePreparer) -> None:
        self._embedder = embedder
        self._pictures = pictures

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
        pictures = self._pictures.prepare(batch, payloads)
        ready = pictures.pixels
        pixels = np.stack(list(ready.values())) if ready else np.zeros((0, 1, 1, 3), dtype=np.uint8)
        return PreparedBatch(batch, existing, pictures.outcomes, tuple(ready), pixels, donated)

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

    def embed_pixels(self, pixels: Sequence[Pixels]) -> Sequence[Vectors]:
        """Embeddings of pictures from ``PicturePreparer.pixels_of``, float32 (D,) each.

        Raises:
            ModelFailed: the model fails.
        """
        return list(self._vectors(np.stack(list(pixels)))) if pixels else []

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


def _with_embedding_failure(outcome: ImageOutcome, failed: Mapping[str, ModelFailed]) -> ImageOutcome:
    error = failed.get(outcome.sha256)
    if error is None or outcome.is_known:
        return outcome
    return replace(outcome, error=error, stage=Stage.EMBED)
