"""A fleet for tests: real worker processes over a real Redis and a Qdrant server or its stand-in."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from indexer import bootstrap
from indexer.ledger.port import RunRecord
from indexer.settings import Settings, load_settings
from indexer.store.port import Alias, CollectionReader
from tests.forked import ForkedProgram
from tests.processes import REPOSITORY, program_environment, run_program
from tests.qdrant_server import REAL_URL
from workers.fleet import Fleet, open_fleet

TIMEOUT_S = 150.0
LEASE_S = 3.0


def wait_for(condition: Callable[[], bool], what: str, *, every_s: float = 0.02) -> None:
    """Returns when the condition holds."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, what
        time.sleep(every_s)


@dataclass
class RunningFleet:
    """Where a test's fleet meets, and its processes.

    Attributes:
        folder: for logs.
        settings: as every process of it has them.
        processes: started and not stopped.
    """

    folder: Path
    settings: dict[str, str]
    processes: list[ForkedProgram] = field(default_factory=list)

    def start_worker(self, *flags: str, module: str = "workers") -> ForkedProgram:
        """A worker process; it may not have joined yet."""
        return self._start(module, flags, f"worker-{len(self.processes)}.log")

    def start_api(self, port: int) -> ForkedProgram:
        """The search API; it may not answer yet."""
        return self._start("search_api", ("--port", str(port)), f"api-{len(self.processes)}.log")

    def start_indexer(self, *arguments: str | Path) -> ForkedProgram:
        """``python -m indexer`` in the background."""
        return self._start("indexer", arguments, f"index-{len(self.processes)}.log")

    def run_workers(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """``python -m workers`` to its end, with an interpreter of its own."""
        command = [sys.executable, "-m", "workers", *flags]
        return subprocess.run(
            command, cwd=REPOSITORY, env=self._environment(), capture_output=True, text=True, timeout=60, check=False
        )

    def run_indexer(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """``python -m indexer`` to its end."""
        return run_program("indexer", arguments, self._environment(), timeout_s=TIMEOUT_S)

    def wait_for_workers(self, count: int) -> None:
        """Returns when so many have joined."""
        with self.opened() as fleet:
            wait_for(lambda: len(fleet.attendance.present()) >= count, "workers did not join")

    def kill(self, process: ForkedProgram) -> None:
        """kill -9."""
        process.kill()
        process.wait()
        self.processes.remove(process)

    def stop_all(self) -> None:
        """Ends every process, in order where it lets itself be told."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"{path.name}: {path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    def loaded_settings(self) -> Settings:
        """As the program has them."""
        return load_settings(self.settings, environment={}).settings

    @contextmanager
    def opened(self) -> Iterator[Fleet]:
        """What the processes meet at."""
        with open_fleet(self.loaded_settings()) as fleet:
            yield fleet

    def latest_run(self) -> RunRecord | None:
        """The newest run on record."""
        with self.opened() as fleet:
            return next(iter(fleet.ledger.runs(1)), None)

    def wait_for_run(self, condition: Callable[[RunRecord], bool], what: str) -> RunRecord:
        """The newest run, once the condition holds of it."""
        with self.opened() as fleet:
            deadline_s = time.monotonic() + TIMEOUT_S
            while True:
                run = next(iter(fleet.ledger.runs(1)), None)
                if run is not None and condition(run):
                    return run
                assert time.monotonic() < deadline_s, f"{what}: {run}\n{self.logs()}"
                time.sleep(0.02)

    @contextmanager
    def reader(self, space_id: str) -> Iterator[CollectionReader]:
        """What searches see."""
        store = bootstrap.open_store(self.loaded_settings())
        try:
            yield store.reader(Alias(self.settings["catalog"], space_id))
        finally:
            store.close()

    def _environment(self) -> dict[str, str]:
        ours = {f"VITRINE_{name.upper()}": value for name, value in self.settings.items()}
        return program_environment() | {"OMP_NUM_THREADS": "1"} | ours

    def _start(self, module: str, arguments: Sequence[str | Path], log: str) -> ForkedProgram:
        path = self.folder / log
        path.unlink(missing_ok=True)
        process = ForkedProgram(module, arguments, self._environment(), output=path, errors=path)
        self.processes.append(process)
        return process


@contextmanager
def running_fleet(
    folder: Path, model: str, catalog: str, *, redis_url: str, qdrant_url: str, **settings: str
) -> Iterator[RunningFleet]:
    """Settings of a fleet; its processes are stopped at the end of the block."""
    folder.mkdir(parents=True)
    values = {
        "store": "qdrant",
        "ledger": "redis",
        "dispatcher": "celery",
        "redis_url": redis_url,
        "qdrant_url": qdrant_url,
        "qdrant_prefer_grpc": str(bool(REAL_URL)),
        "qdrant_retry_s": "1",
        "catalog": catalog,
        "model": model,
        "device": "cpu",
        "embed_threads": "1",
        "image_threads": "4",
        "batch_products": "16",
        "worker_lease_s": str(LEASE_S),
        "visibility_timeout_s": "5",
        "retry_base_s": "0.2",
        "retry_max_s": "1.5",
    }
    fleet = RunningFleet(folder, values | settings)
    try:
        yield fleet
    finally:
        fleet.stop_all()
