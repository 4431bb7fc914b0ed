"""A process that works for another one does not outlive it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil  # type: ignore[import-untyped]

from tests.processes import REPOSITORY, has_ended

_SOON_S = 30


def started(parent: int) -> subprocess.Popen[str]:
    script = (
        "import sys, time; from indexer.child_processes import end_with_parent\n"
        "end_with_parent(int(sys.argv[1])); print('at work', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(parent)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_works_while_its_parent_lives() -> None:
    with started(os.getpid()) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "at work\n"
        assert child.poll() is None
        child.kill()


def test_it_ends_if_its_parent_is_gone_before_it_could_ask() -> None:
    with started(os.getpid() + 1) as child:
        out, err = child.communicate(timeout=_SOON_S)
        assert (child.returncode, out) == (1, "")
        assert "is gone" in err


def test_it_ends_with_a_parent_that_is_killed() -> None:
    script = (
        "import os, sys; from tests.unit.test_child_processes import started\n"
        "child = started(os.getpid()); child.stdout.readline(); print(child.pid, flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
    deadline_s = time.monotonic() + _SOON_S
    while not has_ended(child) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert has_ended(child)
