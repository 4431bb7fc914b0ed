"""What can be known of the dependencies with no network: pins, the bill of materials, the scanner, the audit."""

from __future__ import annotations

import json
import re
import threading
import tokenize
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import free_port
from tests.supply.audit import FOUND, PACKAGES, REPOSITORY, UNKNOWN, WELL, audit_versions, pinned, scan_code
from tests.supply.sbom import installed_for, write_bill

CONSTRAINTS = REPOSITORY / "constraints.txt"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
ALL_REQUIREMENTS = [
    *PROJECT["dependencies"],
    *(text for group in PROJECT["optional-dependencies"].values() for text in group),
]


def pins() -> dict[str, str]:
    return {canonicalize_name(name): number for name, number in pinned(CONSTRAINTS).items()}


def test_the_constraints_are_names_and_versions_and_nothing_else() -> None:
    lines = CONSTRAINTS.read_text("utf-8").splitlines()
    assert lines[0].startswith("# Every package")
    for line in lines[1:]:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line
    assert len(pins()) == len(lines) - 1, "a package stands there twice"


@pytest.mark.parametrize("text", sorted(set(ALL_REQUIREMENTS)))
def test_every_dependency_is_pinned_to_a_version_that_fits(text: str) -> None:
    requirement = Requirement(text)
    number = pins().get(canonicalize_name(requirement.name))
    assert number is not None, "run make constraints, or add it with all that it brings"
    assert requirement.specifier.contains(number, prereleases=True)


def test_all_that_they_bring_is_pinned_too_and_installed_as_pinned() -> None:
    known = pins()
    for name in sorted(installed_for(ALL_REQUIREMENTS) - {"setuptools", "pip"}):
        try:
            found = version(name)
        except PackageNotFoundError:  # of another system, or of an extra that is not installed here
            continue
        assert name in known, f"{name} is installed and not pinned"
        assert found == known[name], f"{name} is installed in another version than is pinned; run make install"


def test_the_bill_lists_every_part_with_its_version_and_what_it_is_for(tmp_path: Path) -> None:
    target = tmp_path / "sbom.json"
    bill = write_bill(target, validate=False)
    assert json.loads(target.read_text("utf-8")) == bill
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", PROJECT["name"])
    parts: dict[str, Any] = {canonicalize_name(item["name"]): item for item in bill["components"]}
    for text in PROJECT["dependencies"]:
        name = canonicalize_name(Requirement(text).name)
        assert (parts[name]["version"], parts[name]["scope"]) == (pins()[name], "required")
        assert parts[name]["purl"].startswith(f"pkg:pypi/{name}@")
    assert {parts[name]["scope"] for name in ("openvino", "pillow-heif")} == {"optional"}
    assert {parts[name]["scope"] for name in ("pytest", "mypy", "bandit", "pip")} == {"excluded"}
    assert parts["numpy"]["licenses"]


def test_the_scanner_finds_nothing_that_is_not_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert scan_code() == WELL, capsys.readouterr().out


def test_every_exception_from_the_scanner_names_its_test_and_its_reason() -> None:
    found = 0
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            with tokenize.open(path) as file:
                comments = [
                    token.string for token in tokenize.generate_tokens(file.readline) if token.type == tokenize.COMMENT
                ]
            for comment in comments:
                if "nosec" in comment:
                    found += 1
                    assert re.fullmatch(r"# .*\w+.* # nosec B\d{3}(, B\d{3})*", comment), f"{path}: {comment}"
    assert found > 5


class _Advisories(BaseHTTPRequestHandler):
    """As OSV answers: one old version is known to be harmful, of all others nothing is known."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer: dict[str, Any] = {}
        if asked["package"]["name"] == "pillow" and asked["version"] == "1.0":
            package = {"name": "pillow", "ecosystem": "PyPI"}
            ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}]
            affected = [{"package": package, "ranges": ranges, "versions": ["1.0"]}]
            answer = {
                "vulns": [
                    {"id": "PYSEC-1", "published": "2020-01-01T00:00:00Z", "details": "bad", "affected": affected}
                ]
            }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def advisory_service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Advisories) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


def test_what_the_advisory_service_says_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text("# pins\npillow==1.0\nrich==15.0.0\n")
    new.write_text("pillow==13.0.0\n")
    with advisory_service() as url:
        assert audit_versions(old, url) == FOUND
        assert "pillow 1.0: PYSEC-1, fixed in 2.0" in capsys.readouterr().out
        assert audit_versions(new, url) == WELL
        assert "1 versions looked up, 0 with advisories" in capsys.readouterr().out


def test_a_service_that_cannot_be_reached_is_not_taken_for_a_clean_bill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("pillow==13.0.0\nrich==15.0.0\n")
    assert audit_versions(constraints, f"http://127.0.0.1:{free_port()}/v1/query") == UNKNOWN
    out = capsys.readouterr().out
    assert "NOT AUDITED: none of the 2 pinned versions" in out
    assert "cannot be reached" in out
