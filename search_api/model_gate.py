"""The model behind the API: loaded beside it, used by threads of its own, in batches of whatever waits."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexer.embedding.patches import PatchTower
from indexer.embedding.port import PROBE_TEXT, Embedder, Pixels, probe_pixels
from indexer.errors import ModelFailed, ModelLoading, Overloaded, VitrineError
from indexer.points import Vectors
from search_api.admission import Traffic
from search_api.lanes import BatchLimits, Item, Lane, LaneBacklog, LaneFigures, Place
from search_api.model_health import ModelHealth
from search_api.turns import Turns

_log = logging.getLogger(__name__)
_PROBE_AFTER_S = 2.0
_PROBE_TIMEOUT_S = 10.0

Look: TypeAlias = Callable[[], NDArray[np.float32]]
"""Looks where things are in one photo; gives finite numbers."""


@dataclass(frozen=True, slots=True)
class GateFigures:
    """What the model did for queries since the process started; ``looks`` are passes that look where things are."""

    images: LaneFigures
    texts: LaneFigures
    looks: LaneFigures


class ModelGate:
    """Lets queries to the model, in batches, and keeps account of its health.

    The model's thread takes what waits as soon as it is free: a query that comes alone waits for nothing, and those
    that come while a pass is under way go into the next one together. Photos and texts take turns, so a text waits for
    one pass of photos at most, however many photos wait. Whoever looks where things are in a photo has a turn of a
    single picture in between. While many wait, another thread takes turns beside it, each on its share of the cores.

    Args:
        load: loads the model; called once, in its first thread.
        limits: of each lane.
        deadline_s: a query that has no vector by then is answered ``Overloaded``.
        on_load_failure: called in the model's thread if it cannot be loaded.
    """

    def __init__(
        self,
        load: Callable[[], Embedder],
        limits: BatchLimits,
        *,
        deadline_s: float,
        on_load_failure: Callable[[VitrineError], None],
    ) -> None:
        self._load = load
        self._deadline_s = deadline_s
        self._on_load_failure = on_load_failure
        self._thread = threading.Thread(target=self._work, name="model")
        self._ready = threading.Condition()
        self._health = ModelHealth()
        traffic = Traffic()
        self._images: Lane[Pixels] = Lane("images", self._embed_images, limits, traffic, self._health, self._ready)
        self._texts: Lane[str] = Lane("texts", self._embed_texts, limits, traffic, self._health, self._ready)
        self._looks: Lane[Look] = Lane("looks", _looked, replace(limits, largest=1), traffic, self._health, self._ready)
        self._patch_tower: PatchTower | None = None
        self._opening_patches = threading.Lock()
        self._embedder: Embedder | None = None
        self._load_failure: VitrineError | None = None
        self._space_id = ""
        self._turns = Turns([self._images, self._texts, self._looks], self._ready)

    def start(self) -> None:
        """Begins to load the model."""
        self._thread.start()

    @property
    def embedder(self) -> Embedder:
        """The loaded model.

        Raises:
            ModelLoading: it is not loaded yet.
            EmbedderError: it could not be loaded.
        """
        if self._embedder is not None:
            return self._embedder
        if self._load_failure is not None:
            raise self._load_failure
        raise ModelLoading("The model is still being loaded.", "Try again in a few seconds.")

    @property
    def space_id(self) -> str:
        """Of the loaded model; kept, as it is a hash of a good many things.

        Raises:
            ModelLoading, EmbedderError: see ``embedder``.
        """
        if not self._space_id:
            self._space_id = self.embedder.space.space_id
        return self._space_id

    def image_place(self) -> AbstractContextManager[Place]:
        """A photo's place, to be held from before it is decoded: what cannot be embedded need not be decoded.

        Raises:
            Overloaded: there is none.
        """
        return self._images.place()

    def text_place(self) -> AbstractContextManager[Place]:
        """A text's place.

        Raises:
            Overloaded: there is none.
        """
        return self._texts.place()

    def look_place(self) -> AbstractContextManager[Place]:
        """The place of whoever looks where things are.

        Raises:
            Overloaded: there is none.
        """
        return self._looks.place()

    async def embed_image(self, pixels: Pixels, place: Place) -> Vectors:
        """A photo's vector: float32 (D,).

        Args:
            pixels: uint8 (S, S, 3), from ``prepare_image``.
            place: an ``image_place``, held until this ends.

        Raises:
            ModelFailed: the model fails for this photo.
            Overloaded: it did not come to it in time.
        """
        return await self._vector(self._images, pixels, place)

    async def embed_text(self, text: str, place: Place) -> Vectors:
        """A text's vector: float32 (D,).

        Args:
            text: of a shopper, or of the catalog.
            place: a ``text_place``, held until this ends.

        Raises:
            QueryTextEmpty: nothing is left to search for.
            ModelFailed: the model fails for this text.
            Overloaded: the model did not come to it in time.
        """
        return await self._vector(self._texts, text, place)

    async def look(self, look: Look, place: Place) -> NDArray[np.float32]:
        """What a look at a photo gives, in a thread of the model when its turn comes.

        Args:
            look: one pass at most; raises a VitrineError if it fails.
            place: a ``look_place``, held until this ends.

        Raises:
            ModelFailed: it fails.
            Overloaded: the model did not come to it in time.
        """
        return await self._vector(self._looks, look, place)

    async def patch_tower(self) -> PatchTower:
        """The model's image tower opened up; the first call may take as long as loading a model did.

        Raises:
            PatchesUnavailable: this model's tower gives no patches.
            ModelLoading, EmbedderError, StoreUnavailable: it cannot be had.
        """
        if self._patch_tower is None:
            await asyncio.to_thread(self._open_patches)
        assert self._patch_tower is not None  # noqa: S101 - opening raises otherwise
        return self._patch_tower

    async def check(self) -> None:
        """Returns if the model works: it did a moment ago, or does now.

        Raises:
            VitrineError: it is not loaded, it failed, or it does not answer in time.
        """
        _ = self.embedder
        suspects = self._health.failures()
        if not suspects and self._health.idle_s(self._images.name, self._texts.name) < _PROBE_AFTER_S:
            return
        if self._images.name in suspects:
            await self._probe(self._images, probe_pixels(self.embedder))
        if self._texts.name in suspects or not suspects:
            await self._probe(self._texts, PROBE_TEXT)

    def figures(self) -> GateFigures:
        """What the model did so far."""
        return GateFigures(self._images.figures(), self._texts.figures(), self._looks.figures())

    def backlogs(self) -> Mapping[str, LaneBacklog]:
        """What waits for the model now, by lane."""
        return {lane.name: lane.backlog() for lane in (self._images, self._texts, self._looks)}

    def close(self) -> None:
        """Lets the pass under way end, refuses what waits and takes no more."""
        self._turns.close()
        if self._thread.ident is not None:
            self._thread.join()
        self._refuse_all()

    async def _vector(self, lane: Lane[Item], item: Item, place: Place, deadline_s: float | None = None) -> Vectors:
        _ = self.embedder
        deadline_s = self._deadline_s if deadline_s is None else deadline_s
        waiting = asyncio.wrap_future(lane.append(item))
        if self._turns.closed:  # seen after the query was put there: either this or close() refuses it
            self._refuse_all()
        try:
            async with asyncio.timeout(deadline_s) as limit:
                vector = await waiting
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise Overloaded(
                f"The model did not come to this query within {deadline_s:g} s.", retry_after_s=lane.wait_s()
            ) from error
        place.answered += 1
        return vector

    async def _probe(self, lane: Lane[Item], item: Item) -> None:
        try:
            with lane.place() as place:
                async with asyncio.timeout(_PROBE_TIMEOUT_S):
                    await self._vector(lane, item, place, 2 * _PROBE_TIMEOUT_S)
        except TimeoutError as error:
            raise ModelFailed(f"The model did not answer within {_PROBE_TIMEOUT_S:g} s.") from error
        except Overloaded:
            if self._turns.closed or self._health.idle_s(lane.name) > _PROBE_TIMEOUT_S:
                raise

    def _work(self) -> None:
        if not self._load_once():
            return
        beside = [
            threading.Thread(target=self._use, kwargs={"shared": True}, name="model")
            for _ in range(1, self.embedder.shares)
        ]
        for thread in beside:
            thread.start()
        self._use()
        for thread in beside:
            thread.join()

    def _use(self, *, shared: bool = False) -> None:
        embedder = self.embedder
        while (turn := self._turns.take(embedder.shares, shared=shared)) is not None:
            try:
                with nullcontext() if turn.shares == 1 else embedder.on_share():
                    turn.lane.run(turn.batch, turn.shares)
            finally:
                self._turns.end(turn)

    def _open_patches(self) -> None:
        with self._opening_patches:  # of those that ask at the same time, one opens it
            if self._patch_tower is None:
                self._patch_tower = self.embedder.open_patches()

    def _load_once(self) -> bool:
        try:
            embedder = self._load()
        except VitrineError as error:
            self._load_failure = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the API must say so instead of loading for ever
            _log.error("the model could not be loaded", exc_info=error)
            self._load_failure = ModelFailed(f"The model could not be loaded: {type(error).__name__}.", "See the log.")
        else:
            self._health.worked(self._texts.name)  # loading ends with a pass of each tower
            self._embedder = embedder
            return True
        self._on_load_failure(self._load_failure)
        return False

    def _refuse_all(self) -> None:
        for lane in (self._images, self._texts, self._looks):
            lane.refuse_all(Overloaded("This process is stopping."))

    def _embed_images(self, photos: Sequence[Pixels]) -> Vectors:
        return self.embedder.embed_images(np.stack(photos))

    def _embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self.embedder.embed_texts(list(texts))


def _looked(looks: Sequence[Look]) -> NDArray[np.float32]:
    return np.stack([look() for look in looks])
