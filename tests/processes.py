"""Real processes of the program, started and stopped by the tests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

import psutil  # type: ignore[import-untyped]

from tests.forked import ForkedProgram

REPOSITORY = Path(__file__).resolve().parents[1]
_START_TIMEOUT_S = 120.0


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program_environment() -> dict[str, str]:
    """This process's environment without settings that a developer may have set."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VITRINE_")}


def run_indexer(*arguments: str | Path, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
    """``python -m indexer`` to its end."""
    return run_program("indexer", arguments, timeout_s=timeout_s)


def run_program(
    module: str,
    arguments: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    *,
    timeout_s: float = 240,
) -> subprocess.CompletedProcess[str]:
    """``python -m MODULE`` to its end, or to the end of the time that it has; forked, see there."""
    with TemporaryDirectory() as name:
        output, errors = Path(name, "output"), Path(name, "errors")
        program = ForkedProgram(module, arguments, environment or program_environment(), output=output, errors=errors)
        try:
            code = program.wait(timeout_s)
        finally:
            program.kill()
        return subprocess.CompletedProcess(program.args, code, output.read_text("utf-8"), errors.read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class RunningApi:
    """A search API that is ready."""

    url: str
    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    """What it writes to standard error."""


@contextmanager
def running_api(
    data_dir: Path, *flags: str, log: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[RunningApi]:
    """``python -m search_api`` on a free port, from ready until the end of the block; ``log``: keeps what it says."""
    port = free_port()
    command = [sys.executable, "-m", "search_api", "--data-dir", str(data_dir), "--port", str(port), *flags]
    # no pipe: nobody reads it, and a full one would stop the server
    with log.open("w+b") if log else TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environment or program_environment(),
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        api = RunningApi(f"http://127.0.0.1:{port}", process, errors)
        try:
            wait_until_ready(api)
            yield api
        finally:
            process.terminate()
            process.wait(60)


def wait_until_ready(api: RunningApi) -> None:
    """Returns when ``/readyz`` answers 200."""
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if api.process.poll() is not None:
            api.errors.seek(0)
            message = api.errors.read().decode()
            raise AssertionError(f"the API ended with {api.process.returncode}: {message[-2000:]}")
        try:
            with urllib.request.urlopen(f"{api.url}/readyz", timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise AssertionError("the API did not become ready")


def run_ids(data_dir: Path, flags: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Runs as ``status --json`` shows them, newest first."""
    done = run_indexer("status", "--json", "--data-dir", data_dir, *flags)
    assert done.returncode == 0, done.stderr
    runs: list[dict[str, Any]] = json.loads(done.stdout)["runs"]
    return runs


def has_ended(process: psutil.Process) -> bool:
    """Whether a process is over, though nobody may have asked for its exit code."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def indexer_processes(api_pid: int) -> list[psutil.Process]:
    """The indexers beside an API that are alive, and not its other children, which decode pictures."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(api_pid).children():
            with suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE and "follow" in child.cmdline():
                    found.append(child)
    return found
