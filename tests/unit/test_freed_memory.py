"""Memory goes back to the system although something behind it lives on."""

from __future__ import annotations

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
