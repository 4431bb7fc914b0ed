"""One place before the model for all queries of a request: a request is let in or refused as a whole."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from indexer.errors import Overloaded
from search_api.lanes import Place


class OnePlace:
    """Taken when the first query needs it, which what is in the cache does not; held until the end of the block.

    Whoever asks about thirty labels is one shopper, and no surge of thirty: if each label took a place of its own, it
    would be the first ones because of which the last ones are refused, on a server with nothing else to do.

    Args:
        take: takes a place in a lane.
    """

    def __init__(self, take: Callable[[], AbstractContextManager[Place]]) -> None:
        self._take = take
        self._held = ExitStack()
        self._place: Place | None = None
        self._refusal: Overloaded | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held.__exit__(kind, error, traceback)

    def get(self) -> Place:
        """The place.

        Raises:
            Overloaded: there is none, nor was there when it was first asked for.
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
