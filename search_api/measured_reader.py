"""What queries ask the store: timed by question, and part of their traces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from time import perf_counter
from typing import Any, cast

from indexer.errors import VitrineError
from indexer.store.async_reader import AsyncCollectionReader
from indexer.telemetry import metrics
from indexer.telemetry.tracing import span

_QUESTIONS = frozenset(name for name, member in vars(AsyncCollectionReader).items() if iscoroutinefunction(member))


def measured(reader: AsyncCollectionReader) -> AsyncCollectionReader:
    """The same reader; each question of the port that it is asked is timed, and counted where it fails."""
    return cast("AsyncCollectionReader", _MeasuredReader(reader))


class _MeasuredReader:
    def __init__(self, reader: AsyncCollectionReader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        """Asked once for each question: what is made of it is kept."""
        member = getattr(self._reader, name)
        if name not in _QUESTIONS or name == "close":
            return member
        timed = _timed(name, member)
        self.__dict__[name] = timed
        return timed


def _timed(operation: str, ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    seconds = metrics.STORE_CALL_SECONDS.labels(operation)

    async def timed(*arguments: Any, **named: Any) -> Any:
        start_s = perf_counter()
        try:
            with span(f"store.{operation}", "client"):
                return await ask(*arguments, **named)
        except VitrineError as error:
            metrics.failed("store", error.code)
            raise
        finally:
            seconds.observe(perf_counter() - start_s)

    return timed
