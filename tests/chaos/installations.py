"""Two shops whose processes can be killed: one machine with no server, and a fleet."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psutil  # type: ignore[import-untyped]

from tests.chaos.changes import KEY
from tests.fleet import RunningFleet, running_fleet
from tests.forked import ForkedProgram
from tests.pictures import DrawnCatalog
from tests.processes import free_port, indexer_processes, program_environment, run_program
from tests.redis_server import RedisServer

_TIMEOUT_S = 120.0


class Installation(Protocol):
    """A shop that runs."""

    @property
    def url(self) -> str:
        """Of its API."""
        ...

    @property
    def parts(self) -> Sequence[str]:
        """What can be killed."""
        ...

    def kill(self, part: str) -> None:
        """kill -9."""
        ...

    def mend(self, part: str) -> None:
        """Starts again what nobody else starts again."""
        ...

    def begin_index(self) -> None:
        """Begins to index the feed, as it is now."""
        ...

    def finish_index(self) -> None:
        """Returns when the feed is indexed; gives the same command again where that was stopped."""
        ...

    def logs(self) -> str:
        """The ends of all logs."""
        ...


class EmbeddedShop:
    """The API and its indexer process, on one folder; the feed is indexed by the command line.

    Args:
        folder: for data and logs.
        catalog: the feed.
        model: a setting.
    """

    parts = ("api", "indexer", "dispatcher")

    def __init__(self, folder: Path, catalog: DrawnCatalog, model: str) -> None:
        self._folder = folder
        self._catalog = catalog
        self._port = free_port()
        self._settings = {
            "VITRINE_ADMIN_KEY": KEY,
            "VITRINE_DATA_DIR": str(folder / "data"),
            "VITRINE_FEEDS_DIR": str(catalog.folder),
            "VITRINE_MODEL": model,
            "VITRINE_DEVICE": "cpu",
            "VITRINE_FOLLOW_S": "0.1",
            "VITRINE_EVENT_GATHER_S": "0.1",
            "VITRINE_BATCH_PRODUCTS": "4",
            "VITRINE_IMAGE_THREADS": "4",
            "VITRINE_WRITER_WAIT_S": "60",
            "OMP_NUM_THREADS": "1",
        }
        self._dispatcher: ForkedProgram | None = None
        self._api = self._start_api()

    @property
    def url(self) -> str:
        """See ``Installation``."""
        return f"http://127.0.0.1:{self._port}"

    def kill(self, part: str) -> None:
        """See ``Installation``; a part that does not run just now is left alone."""
        if part == "api":
            self._api.kill()
            self._api.wait(30)
        elif part == "dispatcher":
            if self._dispatcher is not None:
                self._dispatcher.kill()
                self._dispatcher.wait(30)
        else:
            for child in self._indexers():
                os.kill(child.pid, signal.SIGKILL)

    def mend(self, part: str) -> None:
        """See ``Installation``; the API starts its indexer process itself."""
        if part == "api":
            self._api = self._start_api()

    def begin_index(self) -> None:
        """See ``Installation``."""
        environment = program_environment() | self._settings
        self._dispatcher = ForkedProgram("indexer", ["index", self._catalog.feed], environment, errors=self._log)

    def finish_index(self) -> None:
        """See ``Installation``."""
        code = self._dispatcher.wait(_TIMEOUT_S) if self._dispatcher is not None else 1
        if code:
            environment = program_environment() | self._settings
            done = run_program("indexer", ["index", self._catalog.feed], environment, timeout_s=_TIMEOUT_S)
            assert done.returncode == 0, done.stderr + self.logs()

    def logs(self) -> str:
        """See ``Installation``."""
        return self._log.read_text(errors="replace")[-6000:]

    def stop(self) -> None:
        """Ends all."""
        children = self._indexers()
        if self._dispatcher is not None:
            self._dispatcher.kill()
            self._dispatcher.wait(30)
        self._api.terminate()
        self._api.wait(60)
        psutil.wait_procs(children, timeout=30)

    @property
    def _log(self) -> Path:
        return self._folder / "shop.log"

    def _start_api(self) -> ForkedProgram:
        environment = program_environment() | self._settings
        return ForkedProgram("search_api", ["--port", str(self._port)], environment, output=self._log, errors=self._log)

    def _indexers(self) -> list[psutil.Process]:
        return indexer_processes(self._api.pid)


class FleetShop:
    """An API, two workers and Redis, with a Qdrant server or what stands in for one.

    Args:
        fleet: nothing of it runs yet.
        redis: runs.
        catalog: the feed.
    """

    parts = ("api", "worker", "redis", "dispatcher")

    def __init__(self, fleet: RunningFleet, redis: RedisServer, catalog: DrawnCatalog) -> None:
        self._fleet = fleet
        self._redis = redis
        self._catalog = catalog
        self._port = free_port()
        self._workers = [fleet.start_worker(), fleet.start_worker()]
        self._api = fleet.start_api(self._port)
        self._dispatcher: ForkedProgram | None = None

    @property
    def url(self) -> str:
        """See ``Installation``."""
        return f"http://127.0.0.1:{self._port}"

    def kill(self, part: str) -> None:
        """See ``Installation``."""
        if part == "redis":
            self._redis.kill()
        elif part == "worker":
            self._fleet.kill(self._workers.pop(0))
        elif part == "api":
            self._fleet.kill(self._api)
        elif self._dispatcher is not None:
            self._fleet.kill(self._dispatcher)
            self._dispatcher = None

    def mend(self, part: str) -> None:
        """See ``Installation``."""
        if part == "redis":
            self._redis.start()
        elif part == "worker":
            self._workers.append(self._fleet.start_worker())
        elif part == "api":
            self._api = self._fleet.start_api(self._port)

    def begin_index(self) -> None:
        """See ``Installation``."""
        self._dispatcher = self._fleet.start_indexer("index", self._catalog.feed)

    def finish_index(self) -> None:
        """See ``Installation``."""
        if self._dispatcher is not None:
            code = self._dispatcher.wait(_TIMEOUT_S)
            self._fleet.processes.remove(self._dispatcher)
            self._dispatcher = None
            if code == 0:
                return
        done = self._fleet.run_indexer("index", self._catalog.feed)
        assert done.returncode == 0, done.stderr + self.logs()

    def logs(self) -> str:
        """See ``Installation``."""
        return self._fleet.logs()


@contextmanager
def embedded_shop(folder: Path, catalog: DrawnCatalog, model: str) -> Iterator[EmbeddedShop]:
    """Stopped at the end of the block."""
    shop = EmbeddedShop(folder, catalog, model)
    try:
        yield shop
    finally:
        shop.stop()


@contextmanager
def fleet_shop(folder: Path, catalog: DrawnCatalog, model: str, qdrant_url: str, name: str) -> Iterator[FleetShop]:
    """Stopped at the end of the block; ``name``: of the catalog on the server."""
    redis = RedisServer(folder / "redis")
    redis.start()
    own = {"feeds_dir": str(catalog.folder), "batch_products": "4", "admin_key": KEY, "event_gather_s": "0.1"}
    own |= {"retry_limit": "60", "data_dir": str(folder / "data")}  # with patience: what is away comes back
    try:
        with running_fleet(folder / "fleet", model, name, redis_url=redis.url, qdrant_url=qdrant_url, **own) as fleet:
            yield FleetShop(fleet, redis, catalog)
    finally:
        redis.stop()
