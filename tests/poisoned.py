"""``python -m tests.poisoned DATA_DIR MODEL``: the indexer process, in which some pictures kill it.

Pictures whose bytes begin with ``POISON`` end the process as a fault in a library would: at once, with nothing said.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from indexer import bootstrap
from indexer.images.decoder import Decoder
from indexer.settings import load_settings


def main() -> None:
    """Follows until every event is applied and every request is done."""
    square = Decoder.square

    def square_or_die(decoder: Decoder, data: bytes, *arguments: Any) -> Any:
        if data.startswith(b"POISON"):
            os.kill(os.getpid(), signal.SIGKILL)
        return square(decoder, data, *arguments)

    setattr(Decoder, "square", square_or_die)  # noqa: B010 - for mypy it is no attribute to assign to
    flags = {"data_dir": sys.argv[1], "model": sys.argv[2], "event_gather_s": 0, "batch_products": 4}
    settings = load_settings(flags, environment={}).settings
    stop = threading.Event()
    with bootstrap.following(settings, print) as follower:
        queue = follower._queue
        (followed,) = follower._all_followed()
        pending = followed.pending
        done = threading.Thread(target=lambda: _stop_when_done(queue, pending, stop), daemon=True)
        done.start()
        follower.run(stop)
        done.join()


def _stop_when_done(queue: Any, pending: Any, stop: threading.Event) -> None:
    while queue.oldest() is not None or pending.is_behind():
        stop.wait(0.1)
    stop.set()


if __name__ == "__main__":
    main()
