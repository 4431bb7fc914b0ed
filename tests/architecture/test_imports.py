"""The import rule, and other things about the code's shape that are easy to break without noticing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("indexer", "search_api", "workers")
MODULES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
SINGLE_HOMES = {
    "open_clip": "indexer/embedding/openclip.py",
    "qdrant_client": "indexer/store/qdrant_calls.py",
    "qdrant_edge": "indexer/store/edge_shard.py",
    "openvino": "indexer/embedding/openvino_backend.py",
    "nncf": "indexer/embedding/openvino_backend.py",
    "redis": "workers/redis_connection.py",
}
MORE_HOMES = {"qdrant_edge": {"indexer/store/edge_values.py", "indexer/store/edge_segments.py"}}
"""What a shard is asked in, and how it is laid out on disk; one module for all would have three subjects."""
FORBIDDEN = {
    "indexer": {"search_api", "workers", "fastapi", "starlette", "uvicorn", "celery", "kombu", "redis"},
    "search_api": {"workers", "celery", "kombu", "redis"},
    "workers": {"search_api", "fastapi", "starlette", "uvicorn"},
}
MAX_LINES = 400
"""Soft cap 300; beyond this a module has two subjects."""
LISTS = {"indexer/errors.py", "indexer/settings.py"}
"""One class, or one setting, after the other: of one subject however many they are."""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Full names of what a module imports, inside functions too."""
    return frozenset(_imports_of(path))


def _imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} line {node.lineno}: imports are absolute here"
            yield node.module or ""


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_there_is_something_to_check() -> None:
    assert {name_of(path).split("/")[0] for path in MODULES} == set(PACKAGES)
    assert len(MODULES) > 50


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_packages_keep_to_their_side(path: Path) -> None:
    package = name_of(path).split("/")[0]
    imported = {name.split(".")[0] for name in imports_of(path)}
    assert not imported & FORBIDDEN[package]


@pytest.mark.parametrize("library", SINGLE_HOMES)
def test_each_engine_is_imported_by_one_file(library: str) -> None:
    homes = {name_of(path) for path in MODULES if library in {name.split(".")[0] for name in imports_of(path)}}
    # training and its tools may build models with open_clip; they are no part of the running program
    allowed = {SINGLE_HOMES[library], *MORE_HOMES.get(library, ())}
    assert {home for home in homes if not home.startswith("indexer/demo/")} <= allowed


def test_the_engines_in_use_have_their_file() -> None:
    for library in ("open_clip", "qdrant_client", "qdrant_edge", "openvino", "redis"):
        assert library in {name.split(".")[0] for name in imports_of(REPOSITORY / SINGLE_HOMES[library])}


def test_celery_delivers_and_does_nothing_else() -> None:
    """What a task does can be read, and called, without knowing of Celery."""
    knowing = {
        name_of(path) for path in MODULES if {"celery", "kombu"} & {name.split(".")[0] for name in imports_of(path)}
    }
    assert knowing == {f"workers/{name}.py" for name in ("celery_app", "consumer", "sender", "serving", "tasks")}


def test_the_fleet_is_found_by_entry_points_that_exist() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {name: targets for name, targets in project["entry-points"].items() if name.startswith("vitrine.")}
    kinds = ("ledgers", "event_logs", "work_queues", "dispatchers", "token_buckets", "checkups")
    assert set(groups) == {f"vitrine.{kind}" for kind in kinds}
    for targets in groups.values():
        for target in targets.values():
            module, _, name = target.partition(":")
            tree = ast.parse((REPOSITORY / f"{module.replace('.', '/')}.py").read_text("utf-8"))
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, target


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_have_a_subject(path: Path) -> None:
    assert not re.search(r"(^|/|_)(utils?|common|helpers?|misc)(\.py|/|_|$)", name_of(path))
    text = path.read_text("utf-8")
    assert text.count("\n") <= MAX_LINES or name_of(path) in LISTS
    assert ast.get_docstring(parsed(path)), "a module says what it is about"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_wired_at_import(path: Path) -> None:
    for node in parsed(path).body:
        if isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant), f"{name_of(path)} line {node.lineno} runs at import"


def test_commands_that_need_no_model_do_not_wait_for_its_libraries() -> None:
    """``status`` took five seconds of processor time while the command line imported torch."""
    program = (
        "import sys, indexer.cli.main, search_api.app, workers.__main__\n"
        "print({'torch', 'open_clip', 'transformers', 'openvino'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "set()\n"


def test_no_committed_file_names_a_registry_or_this_machine() -> None:
    hosts = re.compile(
        "|".join(("pypi" + r"\.org", "files" + r"\.pythonhosted", "registry" + r"\.npmjs", "deb" + r"\.debian"))
    )
    folder = str(REPOSITORY)
    for path in sorted(REPOSITORY.rglob("*")):
        parts = path.relative_to(REPOSITORY).parts
        if (
            path.is_file()
            and not any(part.startswith(".") and part != ".ci" for part in parts)
            and path.suffix
            in {
                ".py",
                ".md",
                ".toml",
                ".txt",
                ".yml",
                ".yaml",
                ".json",
                ".sh",
                ".html",
                ".js",
                ".css",
                "",
            }
        ):
            text = path.read_text("utf-8", errors="ignore")
            assert not hosts.search(text), name_of(path)
            assert f"{folder}/" not in text, name_of(path)
