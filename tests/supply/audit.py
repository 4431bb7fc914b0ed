"""``make audit``: what a scanner finds in the code, and what is known of the versions in constraints.txt.

bandit needs nothing but the code. pip-audit asks an advisory service (OSV) for every pinned version; where it cannot be
reached nothing is known, and that is said rather than passed over.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("indexer", "search_api", "workers", "configs")
ACCEPTED: Mapping[str, str] = {}
"""Advisories that do not concern this program, by id, with the reason; looked at again with each refresh."""
WELL, FOUND, UNKNOWN = 0, 1, 3


def scan_code() -> int:
    """Runs bandit over what is shipped; findings that are explained in the code are counted and not shown."""
    command = [sys.executable, "-m", "bandit", "--configfile", "pyproject.toml", "--recursive", *PACKAGES, "--quiet"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        print(f"bandit: nothing found in {', '.join(PACKAGES)} that is not explained where it stands.")
        return WELL
    print(done.stdout, done.stderr, sep="\n")
    print("bandit: mend these, or explain each where it stands: # why # nosec BXXX")
    return FOUND


def audit_versions(constraints: Path, service_url: str = "") -> int:
    """Asks what is known of the pinned versions.

    Args:
        constraints: pinned versions.
        service_url: of an OSV service; empty for the public one.

    Returns:
        ``WELL``, ``FOUND`` or, if not every version was looked up, ``UNKNOWN``.
    """
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(constraints), "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off", "--vulnerability-service", "osv"]
    command += ["--osv-url", service_url] if service_url else []
    command += [part for advisory in ACCEPTED for part in ("--ignore-vuln", advisory)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    try:
        looked_up = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        _say_unknown(pinned(constraints), (done.stderr.strip().splitlines() or ["no message"])[-1])
        return UNKNOWN
    return _told(looked_up, pinned(constraints))


def pinned(constraints: Path) -> Mapping[str, str]:
    """Versions by name, as the file spells it."""
    lines = (line.strip() for line in constraints.read_text("utf-8").splitlines())
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def _told(looked_up: Sequence[Mapping[str, Any]], pins: Mapping[str, str]) -> int:
    skipped = [item for item in looked_up if "skip_reason" in item]
    known = len(looked_up) - len(skipped)
    harmed = [item for item in looked_up if item.get("vulns")]
    for item in harmed:
        for advisory in item["vulns"]:
            fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
            print(f"pip-audit: {item['name']} {item['version']}: {advisory['id']}, fixed in {fixed}")
    for advisory, reason in ACCEPTED.items():
        print(f"pip-audit: {advisory} is accepted: {reason}")
    if known < len(pins):
        reason = skipped[0]["skip_reason"] if skipped else "the service left them out"
        names = ", ".join(item["name"] for item in skipped[:5])
        print(f"pip-audit: NOT AUDITED: {len(pins) - known} of {len(pins)} versions ({names} ...): {reason}")
    else:
        print(f"pip-audit: {known} versions looked up, {len(harmed)} with advisories.")
    if harmed:
        print("pip-audit: run make constraints, or accept an advisory with its reason in tests/supply/audit.py.")
        return FOUND
    return UNKNOWN if known < len(pins) else WELL


def _say_unknown(pins: Mapping[str, str], reason: str) -> None:
    print(f"pip-audit: NOT AUDITED: none of the {len(pins)} pinned versions. {reason}")
    print(
        "pip-audit: the advisory service cannot be reached from here, so whether any of them is known to be vulnerable "
        "is not known. Run make audit where it can be; AUDIT_URL names an OSV service of your own."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs both; returns 0 if nothing was found in what could be looked at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="", help="Of an OSV service; empty: the public one.")
    parser.add_argument("--require", action="store_true", help="Fail if a version could not be looked up.")
    given = parser.parse_args(arguments)
    code, versions = scan_code(), audit_versions(REPOSITORY / "constraints.txt", given.url)
    if versions == UNKNOWN and not given.require:
        versions = WELL
    return max(code, versions)


if __name__ == "__main__":
    sys.exit(main())
