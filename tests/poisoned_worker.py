"""A worker in which something kills the process at certain pictures, as a fault in a native library would; started anew
whenever it dies, as a supervisor does. Run as ``python -m tests.poisoned_worker FLAGS``.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import FrameType
from typing import Any

from indexer.images.decoder import Decoder
from workers.__main__ import main

POISON = b"poison"
"""How such a picture's bytes end."""
_DIED = 99


def poisoned(real: Any) -> Any:
    """The real way to a picture's pixels, until it meets poison."""

    def square(decoder: Decoder, data: bytes, *arguments: Any) -> Any:
        if data.endswith(POISON):
            os._exit(_DIED)
        return real(decoder, data, *arguments)

    return square


def supervise(arguments: list[str]) -> int:
    """Starts the worker again as often as poison kills it; passes SIGTERM on."""
    child = 0

    def pass_on(number: int, frame: FrameType | None) -> None:
        if child:
            os.kill(child, number)

    while True:
        child = os.fork()
        if child == 0:
            setattr(Decoder, "square", poisoned(Decoder.square))  # noqa: B010 - for mypy it is no attribute to assign to
            os._exit(main(arguments))
        signal.signal(signal.SIGTERM, pass_on)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != _DIED:
            return code
        sys.stdout.write("died of poison\n")
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


if __name__ == "__main__":
    importlib.import_module("indexer.embedding.load")  # what takes long to import is there before the first fork
    sys.exit(supervise(sys.argv[1:]))
