"""Building a shard's search index in a process of its own, as the engine holds the interpreter lock meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from indexer.errors import StoreUnavailable
from indexer.exit_codes import how_it_ended
from indexer.store import edge_shard
from indexer.store.disk_room import check_room, disk_bytes


def build_search_index(folder: Path, collection: str) -> None:
    """Returns when graph and quantized vectors are durable; nobody else may have the shard open for writing.

    Raises:
        StoreUnavailable: the disk has no room for them, or the process failed; the points are as they were.
    """
    check_room(folder, disk_bytes(folder))
    command = [sys.executable, "-m", edge_shard.__name__, str(folder)]
    # this interpreter, our own module, no shell
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # no shell # nosec B603
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"its process {how_it_ended(done.returncode)}"])[-1]
        raise StoreUnavailable(
            f"The search index of {collection} could not be built: {last}.",
            "What was indexed is kept; run the same command again.",
        )
