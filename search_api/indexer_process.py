"""The indexer process beside the API: started with it, started again when it dies, stopped with it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from indexer.settings import Settings

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S = 1.0
_MAX_PAUSE_S = 60.0
_HEALTHY_AFTER_S = 60.0
_STOP_S = 10.0
_ASK_EVERY_S = 1.0


def _always() -> bool:
    return True


class IndexerProcess:
    """Keeps ``python -m indexer follow`` running.

    It ends with this process, however that ends: it stops when its standard input, a pipe from here, is closed.

    Args:
        settings: which it gets through its environment, so that no secret is on its command line.
        wanted: whether there is anybody who could give it work; it is first started when there is.
        first_pause_s: before it is started again the first time; doubles up to a minute while it keeps dying.
    """

    def __init__(
        self, settings: Settings, *, wanted: Callable[[], bool] = _always, first_pause_s: float = _FIRST_PAUSE_S
    ) -> None:
        self._settings = settings
        self._wanted = wanted
        self._first_pause_s = first_pause_s
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="indexer process", daemon=True)

    @property
    def pid(self) -> int | None:
        """Of the process that runs now; None between two."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Starts it."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it; what it was doing is done again by the next one."""
        self._stop.set()
        with self._lock:
            process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join()

    def _keep(self) -> None:
        pause_s = self._first_pause_s
        while not self._wanted() and not self._stop.wait(_ASK_EVERY_S):
            pass
        while not self._stop.is_set():
            start_s = time.monotonic()
            code = self._run()
            if self._stop.is_set():
                return
            if time.monotonic() - start_s > _HEALTHY_AFTER_S:
                pause_s = self._first_pause_s
            _log.warning("the indexer process ended with %s; it is started again in %g s", code, pause_s)
            self._stop.wait(pause_s)
            pause_s = min(_MAX_PAUSE_S, 2 * pause_s)

    def _run(self) -> int | None:
        command = [sys.executable, "-m", "indexer", "follow", "--attached"]
        environment = os.environ | self._settings.to_environment()
        try:
            with self._lock:
                if self._stop.is_set():
                    return None
                # this interpreter, our own module
                self._process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)  # no shell # nosec B603
            with self._process as process:
                return process.wait()
        except OSError as error:
            _log.error("the indexer process cannot be started: %s", error)
            return None
