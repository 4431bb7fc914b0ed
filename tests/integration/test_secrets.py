"""Secrets stand nowhere but where they were put: a run with known ones, and all that came of it searched for them."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from indexer.errors import ConfigurationError
from indexer.settings import Settings, load_settings
from indexer.telemetry.secrets import KEY_PATTERN
from search_api.access import Scope
from search_api.keys.commands import main as keys_main
from search_api.keys.records import new_key
from tests.forked import ForkedProgram
from tests.processes import REPOSITORY, free_port, program_environment, run_program

ADMIN = "known-admin-secret-1"
SECRETS = {
    "VITRINE_ADMIN_KEY": ADMIN,
    "VITRINE_QDRANT_API_KEY": "known-qdrant-secret-2",
    "VITRINE_QDRANT_READ_ONLY_API_KEY": "known-qdrant-secret-3",
    "VITRINE_METRICS_KEY": "known-metrics-secret-4",
    "VITRINE_REDIS_URL": "redis://:known-redis-secret-5@127.0.0.1:1/0",
}
WORDS = [re.search(r"known-[a-z]+-secret-\d", value)[0] for value in SECRETS.values()]  # type: ignore[index]
_TIMEOUT_S = 120.0


def made_key(folder: Path, capsys: pytest.CaptureFixture[str], *scopes: Scope) -> str:
    flags = [part for scope in scopes for part in ("--scope", scope.value)]
    assert keys_main(["create", "--name", "known", *flags, "--data-dir", str(folder)]) == 0
    out, err = capsys.readouterr()
    key = str(out).strip()
    assert KEY_PATTERN.fullmatch(key)
    assert key not in err
    return key


def leaks(text: str, *keys: str) -> list[str]:
    """Secrets that are in a text."""
    return [word for word in [*WORDS, *(key.split("_")[2] for key in keys)] if word in text]


def test_a_run_with_known_secrets_leaves_them_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    key = made_key(folder, capsys, *Scope)
    wrong = new_key()
    port, log = free_port(), tmp_path / "log"
    flags = ["--port", str(port), "--model", "demo", "--data-dir", str(folder), "--open-search", "false"]
    environment = program_environment() | {"VITRINE_LOG_FORMAT": "text"} | SECRETS
    answers = []
    server = ForkedProgram("search_api", flags, environment, output=log, errors=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            deadline_s = time.monotonic() + _TIMEOUT_S
            while True:
                try:
                    client.get("/healthz")
                    break
                except httpx.TransportError:
                    assert server.poll() is None, log.read_text()
                    assert time.monotonic() < deadline_s
                    time.sleep(0.1)
            for sent in (key, wrong, ADMIN, f"{ADMIN}x"):
                headers = {"X-API-Key": sent}
                for method, path in (
                    ("GET", "/v1/products/p1"),
                    ("GET", "/v1/index-runs/none"),
                    ("GET", "/v1/serving-status"),
                    ("GET", "/metrics"),
                    ("GET", "/openapi.json"),
                    ("POST", "/v1/session"),
                    ("POST", "/v1/search"),
                    ("POST", "/v1/index-runs/none/retry"),
                    ("DELETE", "/v1/products/p1"),
                    ("GET", f"/v1/products/{key}?key={key}"),  # by mistake, in the address
                    ("GET", f"/nowhere/{key}"),
                ):
                    answer = client.request(method, path, headers=headers)
                    if key not in path:  # who sends it there is shown it
                        answers.append(f"{answer.headers} {answer.text}")
    finally:
        server.terminate()
        server.wait(60)
    written = log.read_text("utf-8")
    assert "/v1/products/vitrine_" in written  # the access log is there, without the secret
    assert leaks(written, key, wrong) == []
    assert leaks("".join(answers), key, wrong) == []
    assert keys_main(["list", "--json", "--data-dir", str(folder)]) == 0
    assert keys_main(["revoke", key, "--data-dir", str(folder)]) == 0
    assert leaks("".join(capsys.readouterr()), key) == []
    kept = b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())
    assert b"delete_product" in kept  # the audit log is among them
    assert leaks(kept.decode("latin-1"), key, wrong) == []


def test_info_and_errors_show_no_secret(tmp_path: Path) -> None:
    commands: list[list[str | Path]] = [["info", "--json"], ["index", tmp_path / "none.xml"]]
    for arguments in commands:
        environment = program_environment() | SECRETS
        done = run_program("indexer", [*arguments, "--data-dir", tmp_path / "data"], environment)
        assert leaks(done.stdout + done.stderr) == []
    redis: list[str | Path] = ["status", "--ledger", "redis", "--dispatcher", "celery", "--data-dir", tmp_path / "data"]
    done = run_program("indexer", redis, program_environment() | SECRETS)
    assert done.returncode != 0
    assert done.stderr
    assert leaks(done.stdout + done.stderr) == []


def test_settings_that_cannot_be_do_not_show_what_was_secret(tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    for name, field in Settings.model_fields.items():
        if field.annotation is type(load_settings(environment={}).settings.admin_key):
            profile.write_text(f'{name} = ["known-listed-secret"]\n')
            with pytest.raises(ConfigurationError, match=name) as caught:
                load_settings(profile=str(profile), environment={})
            assert "known-listed-secret" not in str(caught.value)
    settings = load_settings(environment=SECRETS).settings
    assert leaks(repr(settings) + str(settings) + settings.model_dump_json()) == []


def test_no_file_of_the_repository_holds_a_key() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]
    assert len(files) > 300
    found = [file for file in files if file.is_file() and KEY_PATTERN.search(file.read_bytes().decode("latin-1"))]
    assert found == []
