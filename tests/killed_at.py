"""``python -m tests.killed_at MODULE CLASS.METHOD before|after ARGUMENTS``: the command line, killed at a call.

The process kills itself with SIGKILL before the method does anything, or when it has done all.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

from indexer.cli.main import main


def arrange(module: str, name: str, moment: str) -> None:
    """Has the method end the process."""
    owner_name, _, method_name = name.rpartition(".")
    owner = getattr(importlib.import_module(module), owner_name)
    method = getattr(owner, method_name)

    def killed(*given: Any, **named: Any) -> None:
        if moment == "after":
            method(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, method_name, killed)


if __name__ == "__main__":
    arrange(*sys.argv[1:4])
    sys.exit(main(sys.argv[4:]))
