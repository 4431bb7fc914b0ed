"""How many cores this process may use."""

from __future__ import annotations

import os


def available_cores() -> int:
    """At least 1; fewer than the machine has where a container or taskset says so and the system can tell."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
