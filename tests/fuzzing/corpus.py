"""The inputs that every run begins with, and that the tests try again."""

from __future__ import annotations

import hashlib
from pathlib import Path

CORPUS = Path(__file__).parent / "inputs"
"""A folder for each target; files are named by their content, as libFuzzer names them."""


def name_of(data: bytes) -> str:
    """Of the file that holds it."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def inputs(target: str) -> list[Path]:
    """Of a target, in an order that is always the same."""
    return sorted((CORPUS / target).iterdir())
