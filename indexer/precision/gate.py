"""Nothing but torch's float32 runs before its vectors were measured against float32's: the one place that decides."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import cached_property

from indexer.embedding.build import Builder
from indexer.embedding.numerics import Numerics, Tower
from indexer.embedding.towers import TowersEmbedder
from indexer.errors import ConfigurationError, EmbedderError, ModelFailed, PrecisionRefused, StoreUnavailable
from indexer.precision.agreement import (
    MIN_COSINE,
    MIN_OVERLAP,
    Agreement,
    Figures,
    SampleVectors,
    image_figures,
    text_figures,
)
from indexer.precision.records import SpaceRecords
from indexer.precision.samples import Sample
from indexer.processors import processor_name

_log = logging.getLogger(__name__)
_TOWERS: tuple[Tower, ...] = ("images", "texts")


class Gate:
    """Opens embedders whose vectors agree with float32's.

    Whatever was measured is on record; figures of other versions, files or processors do not count and are measured
    anew, on the sample of the last ``tune``, else on drawn pictures.

    Args:
        builder: of the embedders.
        records: of the model's space.
        draw: gives the sample where none is on record.
    """

    def __init__(self, builder: Builder, records: SpaceRecords, draw: Callable[[], Sample]) -> None:
        self._builder = builder
        self._records = records
        self._draw = draw

    def open(self, numerics: Numerics) -> TowersEmbedder:
        """The embedder.

        Raises:
            PrecisionRefused: its vectors differ too much; the message has the figures.
            ConfigurationError: this machine cannot compute so.
            EmbedderError: the model cannot be converted.
        """
        if not numerics.is_reference:
            self._made(numerics)
            refused = [item for item in self.agreements(numerics) if not item.passes]
            if refused:
                raise PrecisionRefused(
                    f"{numerics} is refused for {self._builder.space.model}: its vectors differ too much from float32 "
                    f"({'; '.join(f'{item.tower}: {item.figures}' for item in refused)}; at least {MIN_COSINE} and "
                    f"{MIN_OVERLAP} are needed).",
                    "Set precision to auto or float32, or measure on your own catalog: python -m indexer tune FEED.",
                )
        return self._builder.build(numerics, last=True)

    def open_first(self, order: Sequence[Numerics]) -> TowersEmbedder:
        """The first that can be opened; what is passed over is logged with the reason.

        Raises:
            EmbedderError: what the last one raised.
        """
        for numerics in order[:-1]:
            try:
                return self.open(numerics)
            except (EmbedderError, ConfigurationError, StoreUnavailable) as error:
                _log.warning("%s", error)
        return self.open(order[-1])

    def agreements(self, numerics: Numerics, *, anew: bool = False) -> tuple[Agreement, ...]:
        """Of both towers, from the record or measured now; an embedder is built at most once for it.

        Args:
            numerics: of an int8 tower that was made, if any.
            anew: whether what is on record is not good enough.

        Raises:
            EmbedderError: the embedder cannot be built.
        """
        found: dict[Tower, Agreement] = {}
        built: list[TowersEmbedder] = []
        for tower in _TOWERS:
            key = self._key(numerics, tower)
            agreement = None if anew else self._records.agreement(numerics, tower, key)
            if agreement is None:
                if not built:
                    built.append(self._builder.build(numerics))
                agreement = self.measure(built[0], tower, key)
                self._records.save_agreement(numerics, agreement)
            found[tower] = agreement
        return tuple(found.values())

    def measure(self, embedder: TowersEmbedder, tower: Tower, key: str = "") -> Agreement:
        """Measures a tower on the sample."""
        sample, numerics = self.sample, embedder.numerics
        failure, figures = "", Figures(0.0, 0.0, 0.0, 0.0)
        try:
            if tower == "images":
                figures = image_figures(self._reference, embedder.embed_images(sample.measured))
            else:
                figures = text_figures(self._reference, embedder.embed_texts(sample.texts))
        except ModelFailed as error:
            failure = str(error)
        return Agreement(
            tower=tower,
            way=f"{numerics.backend} {numerics.format_of(tower)} on {numerics.device}",
            pictures=len(sample.measured),
            texts=len(sample.texts),
            source=sample.source,
            mean_cosine=figures.mean_cosine,
            low_cosine=figures.low_cosine,
            min_cosine=figures.min_cosine,
            overlap=figures.overlap,
            key=key,
            failure=failure,
        )

    def make_int8(self, sample: Sample) -> Agreement:
        """Makes the int8 image tower by the fastest recipe whose vectors agree, and records how far they do.

        Returns:
            The agreement of the tower that is now stored; of the most careful recipe if none agrees.

        Raises:
            EmbedderError: it cannot be made.
        """
        from indexer.embedding.openvino_backend import INT8_RECIPES

        numerics = Numerics("openvino", "int8", "float32")
        for recipe in INT8_RECIPES:
            self._builder.quantise(sample.calibration, recipe)
            agreement = self.measure(self._builder.build(numerics), "images", self._key(numerics, "images"))
            self._records.save_agreement(numerics, agreement)
            _log.info("int8 of %s: %s", recipe.name, agreement.figures)
            if agreement.passes:
                break
        return agreement

    @cached_property
    def sample(self) -> Sample:
        """What is measured on."""
        return self._records.sample() or self._draw()

    @cached_property
    def _reference(self) -> SampleVectors:
        embedder = self._builder.build(Numerics())
        return SampleVectors(embedder.embed_images(self.sample.measured), embedder.embed_texts(self.sample.texts))

    def _made(self, numerics: Numerics) -> None:
        """An int8 tower that is stale or damaged is made anew, if there is what to make it from."""
        if numerics.backend != "openvino" or numerics.images != "int8" or self._builder.stored("images", "int8"):
            return
        sample = self._records.sample()
        if sample is not None and not sample.fits_int8:
            _log.warning("the int8 form of %s is made anew; this takes a minute", self._builder.space.model)
            self.make_int8(sample)

    def _key(self, numerics: Numerics, tower: Tower) -> str:
        deciding = (self._builder.fingerprint(numerics, tower), numerics.device, processor_name())
        return hashlib.sha256(repr(deciding).encode()).hexdigest()[:12]
