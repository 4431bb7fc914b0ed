"""The object in a shopper's photo: found, labelled, cropped, and searched for if that is nearer to the catalog."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from indexer.embedding.port import Pixels
from indexer.errors import PatchesUnavailable
from indexer.images.decode import DecodedImage
from indexer.images.decoder import Decoder
from indexer.points import Vectors
from indexer.prompts import DEFAULT_TEMPLATE, SLOT
from indexer.regions.box import Box, Crop
from indexer.regions.choice import DRAWN_MARGIN, FOUND_MARGIN, SEARCHED, closest
from indexer.regions.finder import PatchFinder, RegionFinder
from indexer.regions.labels import labelled
from indexer.regions.salience import Region
from search_api.model_gate import ModelGate
from search_api.places import Places
from search_api.query_embeddings import QueryEmbedding, QueryEmbeddings

_REMEMBERED = 1000
"""Photos whose regions are kept, a few hundred bytes each: the next page of a search asks for them again."""

Method = Literal["patches", "detector", "none"]


@dataclass(frozen=True, slots=True)
class RegionOptions:
    """What a shop may set.

    Attributes:
        labels: words for objects; empty: none are labelled.
        most: objects in an answer.
        detector: opens the configured detector, which may take seconds; None: the model's own patches are used.
    """

    labels: tuple[str, ...]
    most: int
    detector: Callable[[], RegionFinder] | None = None


@dataclass(frozen=True, slots=True)
class FoundRegions:
    """The objects of a photo, the clearest first, how they were found, and a sentence where there are none."""

    regions: tuple[Region, ...]
    method: Method
    note: str = ""


@dataclass(frozen=True, slots=True)
class ChosenPart:
    """The part of a photo that is searched with.

    Attributes:
        embedding: of the part.
        won: whether it is a crop or the whole photo.
        box: of the crop; None for the whole.
        note: a sentence where region=auto came to something else than a crop.
    """

    embedding: QueryEmbedding
    won: Literal["whole", "crop"]
    box: Box | None = None
    note: str = ""


class PhotoRegions:
    """Finds objects and chooses between them; nothing in it knows of HTTP.

    Args:
        gate: to the model.
        queries: embeds photos and crops.
        best_score: cosine of a vector's best hit in the catalog; -1 where there is none.
        decoder: of uploaded photos.
        options: see there.
    """

    def __init__(
        self,
        gate: ModelGate,
        queries: QueryEmbeddings,
        best_score: Callable[[Vectors], Awaitable[float]],
        decoder: Decoder,
        options: RegionOptions,
    ) -> None:
        self._gate = gate
        self._queries = queries
        self._best_score = best_score
        self._decoder = decoder
        self._options = options
        self._finder: RegionFinder | None = None
        self._known: OrderedDict[tuple[str, bytes], FoundRegions] = OrderedDict()

    async def find(self, data: bytes, places: Places | None = None) -> FoundRegions:
        """The objects of a photo.

        Args:
            data: a whole file.
            places: of the request, if it asks about more.

        Raises:
            ConfigurationError: the detector that is set cannot be opened.
            ImageError, EmbedderError, Overloaded
        """
        key = self._queries.tenant, await self._queries.digest(data)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        try:
            finder = await self._opened()
        except PatchesUnavailable as error:
            return FoundRegions((), "none", f"{error.reason} Only the whole photo is searched.")
        with self._queries.places(places) as held:
            regions = await self._looked(finder, data, held)
            labelled_regions = await self._with_labels(data, regions, held)
        note = "" if regions else "Nothing stands out in the photo; it is searched as a whole."
        found = FoundRegions(labelled_regions, "patches" if finder.method == "patches" else "detector", note)
        self._known[key] = found
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def chosen(
        self, data: bytes, *, box: Box | None = None, auto: bool = False, places: Places | None = None
    ) -> ChosenPart:
        """What of a photo is searched with.

        Args:
            data: a whole file.
            box: that somebody drew; its crop is taken.
            auto: without a box, the whole photo and the objects found in it are held against the catalog, and the
                nearest is taken.
            places: of the request, if it asks about more.

        Raises:
            BoxInvalid, ImageError, EmbedderError, StoreError, Overloaded
        """
        if box is not None:
            return ChosenPart((await self._queries.of_crops(data, [Crop(box, DRAWN_MARGIN)], places))[0], "crop", box)
        if not auto:
            return ChosenPart(await self._queries.of_image(data, places), "whole")
        with self._queries.places(places) as held:
            return await self._nearest_part(data, held)

    async def _nearest_part(self, data: bytes, places: Places) -> ChosenPart:
        whole, found = await asyncio.gather(self._queries.of_image(data, places), self.find(data, places))
        boxes = [region.box for region in found.regions[:SEARCHED]]
        if not boxes:
            return ChosenPart(whole, "whole", note=found.note)
        crops = await self._queries.of_crops(data, [Crop(item, FOUND_MARGIN) for item in boxes], places)
        best, *others = await asyncio.gather(*(self._best_score(item.vector) for item in (whole, *crops)))
        number = closest(best, others)
        if number is None:
            note = f"The whole photo is as near to the catalog as the {len(boxes)} objects found in it, or nearer."
            return ChosenPart(whole, "whole", note=note)
        return ChosenPart(crops[number], "crop", boxes[number])

    async def _opened(self) -> RegionFinder:
        if self._finder is None:
            if self._options.detector is not None:
                self._finder = await asyncio.to_thread(self._options.detector)
            else:
                self._finder = PatchFinder(await self._gate.patch_tower(), most=self._options.most)
        return self._finder

    async def _looked(self, finder: RegionFinder, data: bytes, places: Places) -> tuple[Region, ...]:
        def prepared() -> tuple[DecodedImage, Pixels]:
            decoded = self._decoder.picture(data, min_side_px=finder.side_px)
            return decoded, finder.prepare(decoded.image)

        places.images.get()  # what cannot be embedded need not be decoded
        decoded, pixels = await self._queries.in_decoder(prepared)
        seen = await self._gate.look(lambda: finder.look(pixels), places.looks.get())
        found = await self._queries.in_decoder(lambda: finder.regions(pixels, seen))
        return tuple(region for region in found if region.box.holds_enough(decoded.width_px, decoded.height_px))

    async def _with_labels(self, data: bytes, regions: Sequence[Region], places: Places) -> tuple[Region, ...]:
        words = self._options.labels
        if not words or not regions:
            return tuple(regions)
        crops = await self._queries.of_crops(data, [Crop(region.box, FOUND_MARGIN) for region in regions], places)
        prompts = [DEFAULT_TEMPLATE.replace(SLOT, word) for word in words]
        texts = [(await self._queries.of_text(prompt, places)).vector for prompt in prompts]
        scale = self._gate.embedder.label_scale
        return labelled(regions, np.stack([item.vector for item in crops]), words, np.stack(texts), scale)
