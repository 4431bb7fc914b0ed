"""``make sbom``: a bill of what the program is made of, in CycloneDX JSON.

cyclonedx-py lists the environment; what is added here is the scope of each part: required to run, optional (an extra),
or excluded (for development, or of the packaging tools), found by following the requirements of pyproject.toml.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
FOR_DEVELOPMENT = frozenset({"dev", "fuzz"})
"""Extras that nobody installs to run the program."""


def write_bill(target: Path, *, validate: bool = True) -> Mapping[str, Any]:
    """Lists the environment of this interpreter and writes the bill; returns it.

    Args:
        target: file that is written.
        validate: whether it is held against CycloneDX' schema, which takes as long as all else.
    """
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(REPOSITORY / "pyproject.toml")]
    command += ["--output-reproducible", "--output-format", "JSON", "--output-file", "-", sys.executable]
    command += [] if validate else ["--no-validate"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    bill: dict[str, Any] = json.loads(done.stdout)
    needed, optional = _asked_for()
    required, extra = installed_for(needed), installed_for(optional)
    for item in bill["components"]:
        name = canonicalize_name(item["name"])
        item["scope"] = "required" if name in required else "optional" if name in extra else "excluded"
    target.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n", "utf-8")
    return bill


def installed_for(requirements: Iterable[str]) -> set[str]:
    """Names of all that these requirements bring, theirs included, with the extras that are asked for."""
    reached: set[tuple[str, str]] = set()
    ahead = [Requirement(text) for text in requirements]
    while ahead:
        requirement = ahead.pop()
        if requirement.marker and not requirement.marker.evaluate():
            continue
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in reached:
                continue
            reached.add((name, extra))
            ahead += [item for item in _requires(name) if _belongs_to(item, extra)]
    return {name for name, _ in reached}


def _requires(name: str) -> list[Requirement]:
    try:
        return [Requirement(text) for text in requires(name) or ()]
    except PackageNotFoundError:
        return []


def _belongs_to(requirement: Requirement, extra: str) -> bool:
    """Whether it is asked for with that extra and, for an extra, not without; its marker is used up by this."""
    marker = requirement.marker
    if marker is None:
        return not extra
    belongs = marker.evaluate({"extra": extra}) and not (extra and marker.evaluate({"extra": ""}))
    if belongs:
        requirement.marker = None
    return belongs


def _asked_for() -> tuple[list[str], list[str]]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    optional = [text for name, texts in extras.items() if name not in FOR_DEVELOPMENT for text in texts]
    return project["dependencies"], optional


if __name__ == "__main__":
    written = write_bill(Path(sys.argv[1]))
    scopes = [item["scope"] for item in written["components"]]
    print(
        f"{sys.argv[1]}: " + ", ".join(f"{scopes.count(name)} {name}" for name in ("required", "optional", "excluded"))
    )
