"""Memory goes back to the system although something behind it lives on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from indexer import freed_memory
from tests.processes import REPOSITORY

PROGRAM = """
import psutil
from indexer.freed_memory import give_back

def used_mb():
    return psutil.Process().memory_info().rss / 1e6

blocks = [bytes(4000) for _ in range(50_000)]
last = blocks[-1]
before = used_mb()
del blocks
kept = used_mb()
give_back()
print(before - kept, before - used_mb())
"""


@pytest.mark.skipif(freed_memory._TRIM is None, reason="this C library gives memory back by itself")
def test_what_was_freed_goes_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    )
    by_itself, given_back = map(float, done.stdout.split())
    assert given_back > 150
    assert given_back > by_itself


POOLS = """
import ctypes, sys, threading
from indexer.freed_memory import keep_together
if "together" in sys.argv:
    keep_together()
together = threading.Barrier(8)

def take():
    together.wait()
    taken = [bytes(4000) for _ in range(1000)]
    together.wait()
    del taken

threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""


def pools(*flags: str, **environment: str) -> int:
    """How many pools eight threads take memory from."""
    inherited = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    done = subprocess.run(
        [sys.executable, "-c", POOLS, *flags],
        cwd=REPOSITORY,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stderr.count("Arena ")


@pytest.mark.skipif(freed_memory._TRIM is None, reason="this C library has no pools")
def test_threads_share_two_pools_unless_the_environment_says_otherwise() -> None:
    assert pools() > 2
    assert pools("together") == 2
    assert pools("together", MALLOC_ARENA_MAX="4") == 4
