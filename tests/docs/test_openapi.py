"""The API as docs/openapi.json has it: what is committed is what is served, and nothing in it was broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search_api.api_changes import breaking_changes
from search_api.describe import api_description, main

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def served() -> dict[str, Any]:
    return api_description()


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(COMMITTED.read_text("utf-8"))
    return document


def test_nothing_that_programs_use_was_broken(committed: dict[str, Any], served: dict[str, Any]) -> None:
    broken = [str(change) for change in breaking_changes(committed, served)]
    assert not broken, (
        "programs break; keep what was beside what is new, or run: make openapi BREAKING=accepted (and tell of it in "
        "CHANGELOG.md)\n" + "\n".join(broken)
    )


def test_the_committed_description_is_what_is_served(committed: dict[str, Any], served: dict[str, Any]) -> None:
    assert committed == served, "the API differs from docs/openapi.json; run: make openapi"


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_reference_leads_somewhere(served: dict[str, Any]) -> None:
    found = set(references(served))
    assert found
    schemas = served["components"]["schemas"]
    assert {name.removeprefix("#/components/schemas/") for name in found} <= set(schemas)


def test_every_operation_has_an_id_of_its_own_and_says_what_it_does(served: dict[str, Any]) -> None:
    operations = [route for routes in served["paths"].values() for route in routes.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids) > 20
    assert all(operation["description"] for operation in operations)


def test_a_breaking_change_is_not_written_by_accident(
    tmp_path: Path, committed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "openapi.json"
    committed["paths"]["/v1/ask"] = {"get": {"responses": {"200": {}}}}
    before = json.dumps(committed)
    file.write_text(before, "utf-8")
    assert main([str(file)]) == 2
    assert "GET /v1/ask: was removed" in capsys.readouterr().err
    assert file.read_text("utf-8") == before
    assert main([str(file), "--accept-breaking"]) == 0
    assert "/v1/ask" not in json.loads(file.read_text("utf-8"))["paths"]
