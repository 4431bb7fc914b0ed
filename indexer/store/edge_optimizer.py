"""Building a shard's search index in a process of its own, as the engine holds the interpreter lock meanwhile.

That process is this module, run as ``python -m``; it ends with the one that started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from indexer.child_processes import end_with_parent
from indexer.errors import StoreUnavailable
from indexer.exit_codes import how_it_ended
from indexer.freed_memory import give_back
from indexer.store.disk_room import check_room, disk_bytes
from indexer.store.edge_segments import optimize, seal
from indexer.store.edge_shard import EdgeShard
from indexer.store.tuning import IndexTuning

_Step = Literal["seal", "optimize"]
_STEPS = {"seal": seal, "optimize": optimize}


@dataclass(frozen=True, slots=True)
class EdgeOptimizer:
    """Of one shard, which nobody else may have open meanwhile.

    Attributes:
        folder: of the shard.
        collection: that it is, for messages.
        dim: of its vectors.
        tuning: of the approximate index.
    """

    folder: Path
    collection: str
    dim: int
    tuning: IndexTuning

    def build_search_index(self, shard: EdgeShard) -> None:
        """Closes the shard, and returns when its graph and quantized vectors are durable.

        Raises:
            StoreUnavailable: the disk has no room for them, or the process failed; the points are as they were.
        """
        self._closed(shard)
        self._run("optimize", "The search index of {} could not be built")

    def sealed(self, shard: EdgeShard) -> EdgeShard:
        """The same shard, closed and opened again without what it kept in memory; see ``edge_segments.seal``.

        Raises:
            StoreUnavailable: as above; the shard is closed.
        """
        self._closed(shard)
        self._run("seal", "What was written to {} could not be put away")
        give_back()
        return EdgeShard.open(self.folder, self.tuning)

    @staticmethod
    def _closed(shard: EdgeShard) -> None:
        shard.flush()
        shard.close()

    def _run(self, step: _Step, failure: str) -> None:
        check_room(self.folder, disk_bytes(self.folder))
        given = [step, str(self.folder), str(self.dim), json.dumps(asdict(self.tuning)), str(os.getpid())]
        # this interpreter, our own module, no shell
        command = [sys.executable, "-m", __name__, *given]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # no shell # nosec B603
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or [f"its process {how_it_ended(done.returncode)}"])[-1]
            raise StoreUnavailable(
                f"{failure.format(self.collection)}: {last}.",
                "What was indexed is kept; run the same command again.",
            )


def _main(step: str, folder: str, dim: str, tuning: str, parent: str) -> None:
    end_with_parent(int(parent))
    told = json.loads(tuning)
    told["facet_attributes"] = tuple(told["facet_attributes"])
    _STEPS[step](Path(folder), int(dim), IndexTuning(**told))


if __name__ == "__main__":
    _main(*sys.argv[1:])
