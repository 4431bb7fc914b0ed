"""Checks in a process of their own: a damaged file may end the process that looks into it, or hold it for good.

``python -m indexer.doctor.isolated NAME`` reads the settings from the environment and prints the findings as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from indexer import bootstrap
from indexer.doctor.findings import Finding, Notes
from indexer.doctor.model_check import load_space
from indexer.doctor.store_check import check_collections
from indexer.errors import VitrineError
from indexer.settings import Settings, load_settings
from indexer.store.generations import GenerationFolders

_ROOT = Path(__file__).resolve().parents[2]


def run_isolated(name: str, settings: Settings, limit_s: float) -> Iterable[Finding]:
    """Runs a check of this module elsewhere.

    Raises:
        TimeoutError: it did not end in time; it was killed.
    """
    others = {key: value for key, value in os.environ.items() if not key.startswith("VITRINE_")}
    try:
        done = subprocess.run(  # this interpreter, this module, no shell # nosec B603
            [sys.executable, "-m", __name__, name],
            env=others | settings.model_copy(update={"data_dir": settings.data_dir.absolute()}).to_environment(),
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    if done.returncode == 0:
        return [Finding.from_json(value) for value in json.loads(done.stdout)]
    notes = Notes(name)
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    how = f"signal {-done.returncode}" if done.returncode < 0 else last
    notes.error(
        f"{name}_crashed",
        f"The process that looked at it ended with {how}: its files are damaged, or memory is short.",
        "Roll back or restore a backup if it is the store; the model's files may have to be fetched again.",
    )
    return notes.made


def check_space(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: loads the model and compares its space with those of the catalog."""
    notes = Notes("space")
    try:
        space = load_space(settings)
    except VitrineError as error:
        notes.error(error.code, error.reason, error.remedy)
        return notes.made
    found = _indexed_spaces(settings)
    if found and space.space_id not in found:
        notes.error(
            "space_differs",
            f"The model's space is {space.space_id}; the catalog is indexed in {', '.join(sorted(found))}.",
            "Start with the model that it was indexed with, or: python -m indexer reindex FEED.",
        )
    else:
        whose = "the catalog's" if found else "one in which nothing is indexed yet"
        notes.ok(f"{space.model} is loaded; its space {space.space_id} is {whose}.")
    return notes.made


def _indexed_spaces(settings: Settings) -> set[str]:
    if settings.store == "edge":
        spaces = GenerationFolders(settings.data_dir / "store").spaces_of(settings.alias_catalog)
        return {space.space_id for space in spaces}
    with closing(bootstrap.open_store(settings, read_only=True)) as store:
        own = [item for item in store.collections() if item.alias.rpartition("--")[0] == settings.alias_catalog]
    return {item.space.space_id for item in own}


CHECKS = {"store": check_collections, "space": check_space}


def main(name: str) -> int:
    """Runs a check and prints what it finds."""
    findings = CHECKS[name](load_settings().settings)
    print(json.dumps([item.to_json() for item in findings]))  # noqa: T201 - what the other process reads
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
