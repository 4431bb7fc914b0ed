"""Processes of the program that start in a tenth of a second, as the libraries they need are imported already.

Importing torch and open_clip takes five seconds of processor time, and tests start a hundred processes. So one process
beside each pytest process imports them once and does nothing else (``multiprocessing``'s fork server). A program is
forked from it, gets arguments, environment and files for its output, and then runs as under ``python -m``. It is a
process like any other, which may be killed, and has nothing of another but modules.

Some tests start programs with ``subprocess`` all the same, so that their real start is seen too.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.preloaded"])
_STARTING = threading.Lock()


class ForkedProgram:
    """A program that runs; the part of ``subprocess.Popen`` that tests need.

    Args:
        module: that is run.
        arguments: of its command line.
        environment: all of it; OMP_NUM_THREADS is 1 in any case.
        output: file for standard output; None: nowhere.
        errors: file for standard error, which may be the same one; None: nowhere.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        output: Path | None = None,
        errors: Path | None = None,
    ) -> None:
        self.args = [module, *map(str, arguments)]
        self._process = _CONTEXT.Process(
            target=_run, args=(module, self.args[1:], dict(environment), str(output or ""), str(errors or ""))
        )
        with _STARTING:
            _ensure_server()
            self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code once it has ended, negative if a signal ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """See ``returncode``."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, when it has ended.

        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        self._process.join(timeout)
        code = self.returncode
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Sends a signal; nothing if it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()


def _ensure_server() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch and numpy are imported
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _run(module: str, arguments: Sequence[str], environment: Mapping[str, str], output: str, errors: str) -> None:
    """In the process itself: what an interpreter does before it runs a module."""
    os.environ.clear()
    os.environ.update(environment)
    _redirect(1, output)
    _redirect(2, errors)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - closed by nobody, as usual
    sys.stderr = open(  # noqa: SIM115
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _redirect(descriptor: int, path: str) -> None:
    opened = os.open(path or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(opened, descriptor)
    os.close(opened)
