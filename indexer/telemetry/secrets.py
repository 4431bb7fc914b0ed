"""What an API key looks like, so that one which somebody put into an address or an id never gets into a log."""

from __future__ import annotations

import re

KEY_PREFIX = "vitrine"
"""First part of each key, so that people and programs that look for leaked secrets recognise one."""
KEY_PATTERN = re.compile(rf"{KEY_PREFIX}_([0-9a-f]{{12}})_[0-9a-f]{{64}}", re.ASCII)
"""The whole key; its group is the public id."""


def without_keys(text: str) -> str:
    """A text in which every key has lost its secret; its id stays, to know which one to revoke."""
    return KEY_PATTERN.sub(rf"{KEY_PREFIX}_\1_...", text)
