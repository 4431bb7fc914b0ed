"""A real Chromium for the tests that need one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A headless Chromium until the end of the block; while it lives, no other test of this process runs an event loop.

    The test skips itself where none is installed.
    """
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        message = f"no browser: none of {', '.join(_NAMES)} is installed"
        if os.environ.get("VITRINE_REQUIRE_ALL_TESTS"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        yield chromium
        chromium.close()
