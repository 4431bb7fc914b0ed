"""A request's places before the model: one in each lane, however many things it asks about."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from indexer.errors import Overloaded
from search_api.lanes import Place
from search_api.model_gate import ModelGate


class LanePlace:
    """Taken when the first query needs it, which what is in the cache does not.

    Args:
        take: takes a place in the lane.
        held: holds it then.
    """

    def __init__(self, take: Callable[[], AbstractContextManager[Place]], held: ExitStack) -> None:
        self._take = take
        self._held = held
        self._place: Place | None = None
        self._refusal: Overloaded | None = None

    def get(self) -> Place:
        """The place.

        Raises:
            Overloaded: there is none, or was none when it was first asked for.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._place is None:
            try:
                self._place = self._held.enter_context(self._take())
            except Overloaded as error:
                self._refusal = error
                raise
        return self._place


class Places:
    """Of one request; held until the end of the block.

    Whoever asks about thirty labels is one shopper, and no surge of thirty: if each label took a place of its own, it
    would be the first ones because of which the last ones are refused, on a server with nothing else to do.

    Args:
        gate: to the model.
    """

    def __init__(self, gate: ModelGate) -> None:
        self._held = ExitStack()
        self.images = LanePlace(gate.image_place, self._held)
        self.texts = LanePlace(gate.text_place, self._held)
        self.looks = LanePlace(gate.look_place, self._held)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held.__exit__(kind, error, traceback)
