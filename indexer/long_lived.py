"""Objects that live as long as the process, which the garbage collector need not look at again and again."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def long_lived() -> Iterator[None]:
    """Loads something large: what is there at the end of the block is left out of all later collections.

    torch and the packages around it come as nearly half a million objects. A full collection walks through all of them,
    with the interpreter held: 0.26 s in which a server answers nobody, every few seconds under load, and seven times
    while they are imported (docs/performance.md). What is dropped later is freed as ever, but for cycles among what was
    there at the end of the block: these wait for the end of the next one.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        # packages that look for leaks at the very end would report what is still left out then
        atexit.unregister(gc.unfreeze)
        atexit.register(gc.unfreeze)
        if was_enabled:
            gc.enable()
