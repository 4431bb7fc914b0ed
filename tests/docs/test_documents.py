"""The documents keep up with the code: every setting, flag, command, target and error code stands in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from indexer.catalog.image_refs import MAX_IMAGES
from indexer.catalog.rows import MAX_ID_CHARS
from indexer.cli.main import build_parser
from indexer.errors import error_leaves
from indexer.events.messages import (
    MAX_AHEAD,
    MAX_ATTRIBUTES,
    SCHEMA_VERSION,
    DeleteMessage,
    UpdateFieldsMessage,
    UpsertMessage,
)
from indexer.indexing.change import ROW_ERROR_CODE
from indexer.settings import Settings
from search_api.problems import STATUS_BY_ERROR

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])


def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text("utf-8")


def rows_of(name: str) -> dict[str, list[str]]:
    """Table rows by the code in their first cell."""
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", text_of(name), re.MULTILINE)
    return {key: [cell.strip() for cell in rest.split("|")] for key, rest in rows}


def test_every_setting_is_documented_with_its_default() -> None:
    rows = rows_of("docs/settings.md")
    assert set(rows) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        default, meaning = rows[name]
        assert meaning == field.description
        value = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        shown = "" if value in ("", SecretStr("")) else f"`{value}`"
        assert default == shown, name


def test_every_error_code_is_documented_with_its_status() -> None:
    rows = rows_of("docs/errors.md")
    for leaf in error_leaves():
        status, retryable, _ = rows[leaf.code]
        assert (int(status), retryable == "yes") == (STATUS_BY_ERROR[leaf], leaf.retryable), leaf.code
    others = {ROW_ERROR_CODE, "request_invalid", "route_not_found", "method_not_allowed", "internal_error"}
    assert set(rows) == {leaf.code for leaf in error_leaves()} | others


def test_what_the_containers_are_given_are_settings() -> None:
    named = set(re.findall(r"^\s+VITRINE_([A-Z_]+): ", text_of("docker-compose.yml"), re.MULTILINE))
    named |= set(re.findall(r"VITRINE_([A-Z_]+)=", text_of("Dockerfile") + text_of("Makefile")))
    named |= set(re.findall(r"^VITRINE_([A-Z_]+)=", text_of(".env.example"), re.MULTILINE))
    assert len(named) > 5
    assert {name.lower() for name in named} - {"profile"} <= set(Settings.model_fields)


def test_the_example_of_secrets_names_all_that_the_compose_file_asks_for() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", text_of("docker-compose.yml")))
    assert asked
    assert asked <= set(re.findall(r"^([A-Z_]+)=", text_of(".env.example"), re.MULTILINE))


def test_codes_in_the_operations_guide_exist() -> None:
    known = set(rows_of("docs/errors.md")) | set(Settings.model_fields)
    table = text_of("docs/operations.md").partition("## What failures look like")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", table)) - {"catalog", "status", "index"}
    assert named
    assert named <= known


def test_the_apis_own_codes_are_documented() -> None:
    used = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', text_of("search_api/problems.py")))
    assert {code for code in used if code.endswith(("_invalid", "_found", "_allowed", "_error"))} <= set(
        rows_of("docs/errors.md")
    )


def commands_and_flags() -> list[tuple[str, list[str]]]:
    (subparsers,) = [action for action in build_parser()._actions if action.dest == "COMMAND" or action.choices]
    settings = {f"--{name.replace('_', '-')}" for name in Settings.model_fields}
    return [
        (
            command,
            [
                option
                for action in parser._actions
                for option in action.option_strings
                if option.startswith("--") and option not in settings | {"--help", "--profile"}
            ],
        )
        for command, parser in (subparsers.choices or {}).items()  # type: ignore[attr-defined]
    ]


@pytest.mark.parametrize(
    ("command", "flags"), commands_and_flags(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_and_flag_is_in_the_readme(command: str, flags: list[str]) -> None:
    readme = text_of("README.md")
    assert f"`{command}" in readme
    for flag in flags:
        assert flag in readme, f"{command} {flag}"


def test_every_make_target_has_a_help_line_and_is_real() -> None:
    makefile = text_of("Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert targets == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    for document in DOCUMENTS:
        for target in re.findall(r"`make ([a-z-]+)", document.read_text("utf-8")):
            assert target in targets, f"{document.name} names make {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_and_links_in_documents_exist(document: Path) -> None:
    text = document.read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (document.parent / target).exists(), target
    for path in re.findall(r"`((?:indexer|search_api|workers|configs|tests|benchmarks|docs)/[\w./-]+)`", text):
        assert (REPOSITORY / path).exists(), path


def test_every_guard_of_the_threat_model_names_modules_that_exist_and_real_settings() -> None:
    guards = text_of("SECURITY.md").partition("\n## Guards\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in row.split("|")] for row in re.findall(r"^\| (.*) \|$", guards, re.MULTILINE)[1:]]
    assert len(rows) > 15
    for against, guard, modules in rows:
        named = re.findall(r"`([^`]+)`", modules)
        assert named, against
        assert modules == ", ".join(f"`{path}`" for path in named), against
        for path in named:
            assert (REPOSITORY / path).is_file(), path
        settings = set(re.findall(r"`([a-z]+(?:_[a-z]+)+|host)`", guard)) - {"weights_only"}
        assert settings <= set(Settings.model_fields), against


def test_the_readme_has_its_parts_in_order() -> None:
    titles = re.findall(r"^## (.+)$", text_of("README.md"), re.MULTILINE)
    wanted = ["Two commands", "The way of the data", "Measured", "Use it", "Layout", "Configuration", "Limits"]
    assert [title for title in titles if title in wanted] == wanted


def test_every_dependency_has_its_reason() -> None:
    project = text_of("pyproject.toml")
    section = re.search(r"^dependencies = \[(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert section
    decisions = text_of("DECISIONS.md")
    for name in re.findall(r'^    "([A-Za-z0-9_-]+)', section[1], re.MULTILINE):
        assert name in decisions, name


@pytest.mark.parametrize("message", [UpsertMessage, UpdateFieldsMessage, DeleteMessage], ids=lambda item: item.__name__)
def test_every_field_of_an_event_is_documented(message: type[BaseModel]) -> None:
    name = (message.__doc__ or "").split("``")[1]
    section = re.search(rf"^### `{re.escape(name)}`.*?(?=^##)", text_of("docs/events.md"), re.MULTILINE | re.DOTALL)
    assert section
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*?) \| (.*)\|$", section[0], re.MULTILINE)
    assert {field for field, *_ in rows} == set(message.model_fields)
    for field, kind, meaning in rows:
        info = message.model_fields[field]
        if field not in {"schema_version", "product_id"}:
            assert ("required" in meaning) == info.is_required(), field
        schema = message.model_json_schema()["properties"][field]
        kinds = {item.get("type") for item in schema.get("anyOf", [schema])}
        words = {
            "integer": "integer",
            "string": "t",
            "array": "list",
            "object": "object",
            "boolean": "true",
            "null": "",
        }
        for json_type in kinds:
            assert words.get(json_type, "") in kind, f"{field} is {json_type}, documented as {kind}"


def test_the_documented_numbers_of_events_are_those_of_the_code() -> None:
    text = text_of("docs/events.md")
    assert f"`schema_version` is {SCHEMA_VERSION}." in text
    assert f"at most {MAX_ATTRIBUTES};" in text
    assert f"list of 1 to {MAX_IMAGES} texts" in text
    assert f"text, 1 to {MAX_ID_CHARS} characters" in text
    assert f"`event_keep_days` ({Settings.model_fields['event_keep_days'].default}) days" in text
    assert (MAX_AHEAD.days, MAX_AHEAD.seconds) == (1, 0)
