"""What lives as long as the process is left out of garbage collections, and nothing else is."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.bootstrap import open_embedder
from indexer.long_lived import long_lived
from indexer.settings import load_settings
from tests.checkpoints import write_tiny_checkpoint


class Ring:
    """A cycle, which only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_there_at_the_end_is_left_out_and_what_comes_later_is_not() -> None:
    with long_lived():
        assert not gc.isenabled()
        kept = Ring()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000
    assert not any(item is kept for item in gc.get_objects())
    later = weakref.ref(Ring())
    gc.collect()
    assert later() is None


def test_a_cycle_that_is_dropped_is_freed_by_the_next_block() -> None:
    with long_lived():
        ring = Ring()
    dropped = weakref.ref(ring)
    del ring
    gc.collect()
    assert dropped() is not None
    with long_lived():
        pass
    assert dropped() is None


def test_a_failure_leaves_the_collector_at_work() -> None:
    with pytest.raises(ValueError, match="broken"), long_lived():
        raise ValueError("broken")
    assert gc.isenabled()


def test_a_loaded_model_is_left_out(tmp_path: Path) -> None:
    gc.unfreeze()
    model = f"local-dir:{write_tiny_checkpoint(tmp_path / 'model')}"
    embedder = open_embedder(load_settings({"data_dir": tmp_path, "model": model}, environment={}).settings)
    assert not any(item is embedder for item in gc.get_objects())


def test_nothing_is_left_out_any_more_when_the_process_ends() -> None:
    """Packages that look for leaks of their own at the very end would complain to the user."""
    program = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count()))\n"  # what is registered later runs before it
        "from indexer.long_lived import long_lived\n"
        "with long_lived(): pass\n"
        "assert gc.get_freeze_count()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["0"]
