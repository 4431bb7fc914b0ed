"""Fitting what a collection's scores mean, and keeping it with the collection."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from indexer.calibration.evidence import Probe, gather
from indexer.calibration.fit import Sources, fit_photos, fit_texts
from indexer.calibration.logistic import LogisticMap, Scores
from indexer.calibration.model import ANNOTATION, Calibration, KindCalibration
from indexer.calibration.probes import Pictures, from_copies, from_labelled, from_other_pictures, from_titles
from indexer.calibration.scenes import empty_scene
from indexer.errors import CollectionNotFound, VitrineError
from indexer.evaluation.queries import LabelledQuery
from indexer.points import StoredPoint, Vectors, utc_text
from indexer.store.port import Alias, CollectionReader, VectorStore, missing_alias
from indexer.store.queries import OrderedAfter, OrderedQuery, SearchQuery
from indexer.store.tenant_store import of_tenant

_log = logging.getLogger(__name__)

MIN_PROBES = 50
"""Fewer tell too little: with 50, a share of one half is known to 14 points (95 %)."""
_PROBES = 200
_MEAN_OF = 2000
_SCENES = 60
_PAGE = 256
_CHANGED_MUCH = 0.25

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came of a calibration.

    Attributes:
        collection: that it is kept with; empty if there is none.
        calibration: None if the catalog gives too little.
        notes: sentences about what could not be fitted, and why.
    """

    collection: str
    calibration: Calibration | None
    notes: tuple[str, ...]


def no_progress(doing: str, done: int, total: int) -> None:
    """Tells nobody."""


class Calibrator:
    """Fits calibrations of one model's collections. It only reads and annotates, so it takes no writer's lock.

    Args:
        store: that holds them.
        pictures: the model, and where pictures come from.
        automatic: whether what is due is done; if not, only what is asked for.
    """

    def __init__(self, store: VectorStore, pictures: Pictures, *, automatic: bool = True) -> None:
        self._store = store
        self._pictures = pictures
        self._automatic = automatic

    def of_tenant(self, tenant: str) -> Calibrator:
        """The same for a tenant's products alone; for all where none is named."""
        return Calibrator(of_tenant(self._store, tenant), self._pictures, automatic=self._automatic)

    def is_due(self, collection: str) -> bool:
        """Whether a collection that is large enough has no calibration, or has since changed its size by a quarter.

        Raises:
            StoreError: the store does not answer.
        """
        reader = self._store.collection_reader(collection)
        try:
            known = Calibration.from_json(reader.annotation(ANNOTATION))
            points = reader.status().points
        finally:
            reader.close()
        if points < MIN_PROBES:
            return False
        return known is None or abs(points - known.points) > _CHANGED_MUCH * known.points

    def serving(self, alias: Alias, queries: Sequence[LabelledQuery] = (), listen: Progress = no_progress) -> Fitted:
        """Calibrates what an alias answers with, also if an index run replaces that meanwhile.

        Args:
            alias: in the model's own space.
            queries: labelled ones of the shop; where there are enough of a kind, they are what that kind is fitted to.
            listen: told of progress.

        Raises:
            CollectionNotFound: nothing is indexed.
            ConfigurationError: a labelled photo cannot be used.
            VitrineError: store or model failed.
        """
        collection = self._store.current(alias)
        if not collection:
            raise missing_alias(alias, [])
        fitted = self._fitted(collection, queries, listen)
        if fitted.calibration is None:
            return fitted
        while True:
            collection = self._store.current(alias)
            try:
                self._store.annotate(collection, ANNOTATION, fitted.calibration.to_json())
            except CollectionNotFound:
                if self._store.current(alias) == collection:
                    raise
                continue
            if self._store.current(alias) == collection:
                return replace(fitted, collection=collection)

    def serving_if_due(self, alias: Alias, tell: Callable[[], None]) -> None:
        """Calibrates what an alias answers with where that is due; a failure is logged, not raised.

        Args:
            alias: in the model's own space.
            tell: called before it begins.
        """
        self._if_due(self._store.current(alias), tell, lambda: self.serving(alias))

    def target_if_due(self, collection: str, tell: Callable[[], None]) -> None:
        """The same for a collection that is not served yet."""

        def calibrate() -> Fitted:
            fitted = self._fitted(collection, (), no_progress)
            if fitted.calibration is not None:
                self._store.annotate(collection, ANNOTATION, fitted.calibration.to_json())
            return fitted

        self._if_due(collection, tell, calibrate)

    def _if_due(self, collection: str, tell: Callable[[], None], calibrate: Callable[[], Fitted]) -> None:
        try:
            if self._automatic and collection and self.is_due(collection):
                tell()
                for note in calibrate().notes:
                    _log.info("%s", note)
        except VitrineError as error:
            _log.warning("What scores mean could not be worked out: %s", error)

    def _fitted(self, collection: str, queries: Sequence[LabelledQuery], listen: Progress) -> Fitted:
        reader = self._store.collection_reader(collection)
        try:
            calibration, notes = _Fit(reader, self._pictures, listen).run(queries)
        finally:
            reader.close()
        return Fitted(collection, calibration, notes)


class _Fit:
    def __init__(self, reader: CollectionReader, pictures: Pictures, listen: Progress) -> None:
        self._reader = reader
        self._pictures = pictures
        self._listen = listen
        self._notes: list[str] = []

    def run(self, queries: Sequence[LabelledQuery]) -> tuple[Calibration | None, tuple[str, ...]]:
        status = self._reader.status()
        mains = self._mains()
        if len(mains) < MIN_PROBES:
            few = f"{status.collection} has {len(mains)} products; what scores mean is fitted from {MIN_PROBES} on."
            return None, (few,)
        labelled = from_labelled(queries, self._reader, self._pictures) if queries else ([], [])
        photo = self._photos(mains, labelled[0])
        titles = from_titles(mains, self._pictures.embedder, _PROBES)
        text = self._texts(titles, labelled[1])
        means = self._image_mean(mains), _mean([probe.vector for probe in titles], status.space.dim)
        calibration = Calibration(
            space_id=status.space.space_id,
            fitted_at=utc_text(datetime.now(UTC)),
            points=status.points,
            products=len(mains),
            photo=photo,
            text=text,
            image_mean=means[0],
            text_mean=means[1],
        )
        return calibration, tuple(self._notes)

    def _mains(self) -> list[StoredPoint]:
        """Main points of products from the front: points lie in the order of their ids, which are hashes."""
        mains: list[StoredPoint] = []
        after: OrderedAfter | None = None
        while len(mains) < _MEAN_OF:
            page = self._reader.ordered(OrderedQuery("catalog", _PAGE, after=after))
            mains += page
            if len(page) < _PAGE:
                break
            after = OrderedAfter.of("catalog", page[-1])
        return mains[:_MEAN_OF]

    def _photos(self, mains: Sequence[StoredPoint], labelled: Sequence[Probe]) -> KindCalibration | None:
        probes, source = list(labelled), "labelled photos"
        if len(probes) < MIN_PROBES:
            products: dict[str, tuple[StoredPoint, ...]] = {}
            for start in range(0, len(mains), _PAGE):
                ids = [point.payload.product_id for point in mains[start : start + _PAGE]]
                products.update(self._reader.product_points(ids))
            probes, source = from_other_pictures(products, self._reader, _PROBES), "other pictures of products"
        if len(probes) < MIN_PROBES:
            self._listen("changing copies of pictures", 0, 1)
            probes, source = from_copies(mains, self._pictures, _PROBES), "changed copies of products' pictures"
        if len(probes) < MIN_PROBES:
            self._notes.append(
                f"Photos: fewer than {MIN_PROBES} products have two pictures or one that can be fetched, so hits of "
                "photos get no probability and no level."
            )
            return None
        evidence = gather(probes, self._reader, self._telling("searching by photos", len(probes)))
        strangers, sources = self._strangers(evidence.strangers, source)
        fitted = fit_photos(evidence, sources, strangers)
        if fitted is None:
            self._notes.append("Photos: scores of right and wrong hits do not differ, so nothing could be fitted.")
        return fitted

    def _texts(self, titles: Sequence[Probe], labelled: Sequence[Probe]) -> KindCalibration | None:
        probes, source = (labelled, "labelled texts") if len(labelled) >= MIN_PROBES else (titles, "products' titles")
        if len(probes) < MIN_PROBES:
            self._notes.append(f"Texts: fewer than {MIN_PROBES} different titles, so hits of texts get no level.")
            return None
        evidence = gather(probes, self._reader, self._telling("searching by texts", len(probes)))
        scale = self._pictures.embedder.label_scale
        own = None if scale.bias is None else LogisticMap(scale.scale, scale.bias)
        if own is None:
            self._notes.append("Texts: the model has no learned bias, so their hits get levels but no probability.")
        strangers = evidence.strangers if len(evidence.strangers) >= MIN_PROBES else np.zeros(0)
        found = "the same texts, with their top-level category left out" if len(strangers) else "none"
        return fit_texts(evidence, Sources(source, found), strangers, own)

    def _strangers(self, of_other_categories: Scores, source: str) -> tuple[Scores, Sources]:
        if len(of_other_categories) >= MIN_PROBES:
            return of_other_categories, Sources(source, "the same photos, with their top-level category left out")
        vectors = self._pictures.embed([empty_scene(number) for number in range(_SCENES)])
        hits = [self._reader.search(SearchQuery(vector, 1)).hits for vector in vectors]
        scores = np.array([hit.score for found in hits for hit in found], dtype=np.float64)
        return scores, Sources(source, "drawn scenes with no product in them")

    def _image_mean(self, mains: Sequence[StoredPoint]) -> Vectors:
        found: list[Vectors] = []
        for start in range(0, len(mains), _PAGE):
            found += self._reader.vectors([point.id for point in mains[start : start + _PAGE]]).values()
        return _mean(found, self._pictures.embedder.space.dim)

    def _telling(self, doing: str, total: int) -> Callable[[int], None]:
        return lambda done: self._listen(doing, done, total)


def _mean(vectors: Sequence[Vectors], dim: int) -> Vectors:
    """Float32 (D,); zeros of nothing."""
    if not vectors:
        return np.zeros(dim, dtype=np.float32)
    mean: Vectors = np.mean(np.stack(vectors), axis=0, dtype=np.float32)
    return mean


def calibration_of(reader: CollectionReader) -> Calibration | None:
    """What a collection's scores mean; None if that is not known.

    Raises:
        StoreError: the store does not answer.
    """
    return Calibration.from_json(reader.annotation(ANNOTATION))
