"""How many cores this process may use, and what they can compute."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

_TOLD = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm")
"""Instructions that decide how fast, and how exactly, number formats are computed."""


_SPIN_COUNT = "20000"
"""Some microseconds: measured as fast for a picture alone as libgomp's milliseconds, see docs/performance.md."""


def share_cores_between_threads() -> None:
    """Lets torch's idle threads sleep soon, instead of waiting busily; works only before torch is loaded.

    Between two steps of a model each of its threads waits for the others, by default busily for milliseconds. That is
    the fastest while nothing else wants a core; where other threads decode and answer, those who wait take the core
    from the one that is waited for. What the environment says already is left as it is.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = _SPIN_COUNT


def available_cores() -> int:
    """At least 1; fewer than the machine has where a container or taskset says so and the system can tell."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


@cache
def processor_name() -> str:
    """Model and instructions that matter for number formats: two processors of one name compute the same numbers."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(reversed([(line.partition(":")[0].strip(), line.partition(":")[2].strip()) for line in lines]))
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    model = facts.get("model name") or platform.machine()
    return " ".join([model, *(flag for flag in _TOLD if flag in flags)])
