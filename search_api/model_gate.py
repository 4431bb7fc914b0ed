"""The model behind the API: loaded beside it, used by one thread, never by more requests than may wait."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from indexer.embedding.port import Embedder
from indexer.errors import ModelFailed, ModelLoading, Overloaded, VitrineError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_PROBE_AFTER_S = 2.0
_PROBE_TIMEOUT_S = 10.0
_SMOOTHING = 0.2


class ModelGate:
    """Lets requests to the model one at a time and keeps account of its health.

    Args:
        load: loads the model; called once, in the model's own thread.
        queue: how many calls may be under way or wait; one more raises ``Overloaded``.
        on_load_failure: called in the model's thread if it cannot be loaded.
    """

    def __init__(
        self, load: Callable[[], Embedder], *, queue: int, on_load_failure: Callable[[VitrineError], None]
    ) -> None:
        self._load = load
        self._queue = queue
        self._on_load_failure = on_load_failure
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._lock = threading.Lock()
        self._waiting = 0
        self._embedder: Embedder | None = None
        self._failure: VitrineError | None = None
        self._worked_at_s = float("-inf")
        self._call_s = 0.05

    def start(self) -> None:
        """Begins to load the model."""
        self._thread.submit(self._load_once)

    @property
    def embedder(self) -> Embedder:
        """The loaded model.

        Raises:
            ModelLoading: it is not loaded yet.
            EmbedderError: it could not be loaded.
        """
        if self._embedder is not None:
            return self._embedder
        if self._failure is not None:
            raise self._failure
        raise ModelLoading("The model is still being loaded.", "Try again in a few seconds.")

    async def call(self, work: Callable[[Embedder], _T]) -> _T:
        """Runs work on the model in its thread.

        Raises:
            Overloaded: too many calls wait.
            VitrineError: what the work raised.
        """
        embedder = self.embedder
        with self._lock:
            if self._waiting >= self._queue:
                raise Overloaded(
                    f"{self._waiting} queries already wait for the model.", retry_after_s=self._waiting * self._call_s
                )
            self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._timed, work, embedder)
        finally:
            with self._lock:
                self._waiting -= 1

    async def check(self) -> None:
        """Returns if the model works: it did a moment ago, or does now.

        Raises:
            VitrineError: it is not loaded, it failed, or it does not answer in time.
        """
        _ = self.embedder
        if self._failure is None and time.monotonic() - self._worked_at_s < _PROBE_AFTER_S:
            return
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                await self.call(lambda embedder: embedder.embed_texts(["a photo"]))
        except TimeoutError as error:
            raise ModelFailed(f"The model did not answer within {_PROBE_TIMEOUT_S:g} s.") from error
        except Overloaded:
            if time.monotonic() - self._worked_at_s > _PROBE_TIMEOUT_S:
                raise

    def close(self) -> None:
        """Lets the call under way end and takes no more."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _load_once(self) -> None:
        try:
            self._embedder = self._load()
            self._worked_at_s = time.monotonic()
        except VitrineError as error:
            self._failure = error
            self._on_load_failure(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the API must say so instead of loading for ever
            _log.error("the model could not be loaded", exc_info=error)
            self._failure = ModelFailed(f"The model could not be loaded: {type(error).__name__}.", "See the log.")
            self._on_load_failure(self._failure)

    def _timed(self, work: Callable[[Embedder], _T], embedder: Embedder) -> _T:
        start_s = time.monotonic()
        try:
            result = work(embedder)
        except ModelFailed as error:
            self._failure = error
            raise
        now_s = time.monotonic()
        self._failure = None
        self._worked_at_s = now_s
        self._call_s += _SMOOTHING * (now_s - start_s - self._call_s)
        return result
