"""Searching without a key: on this machine alone, unless somebody says otherwise; and the command line of keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import ConfigurationError
from indexer.settings import load_settings
from search_api.keys.commands import main
from search_api.serving import check_open_search


@pytest.mark.parametrize(
    ("host", "flags", "starts"),
    [
        ("127.0.0.1", {}, True),
        ("127.9.9.9", {}, True),
        ("::1", {}, True),
        ("localhost", {}, True),
        ("0.0.0.0", {}, False),
        ("::", {}, False),
        ("", {}, False),
        ("192.0.2.7", {}, False),
        ("no-such-host.invalid", {}, False),
        ("0.0.0.0", {"open_search_anywhere": True}, True),
        ("0.0.0.0", {"open_search": False}, True),
    ],
)
def test_open_search_is_for_this_machine_unless_it_is_forced(host: str, flags: dict[str, Any], starts: bool) -> None:
    settings = load_settings({"host": host, **flags}, environment={}).settings
    if starts:
        check_open_search(settings)
        return
    with pytest.raises(ConfigurationError) as caught:
        check_open_search(settings)
    assert "--open-search false" in str(caught.value)
    assert "--open-search-anywhere true" in str(caught.value)


def test_a_fleet_asks_for_keys() -> None:
    settings = load_settings(profile="production", environment={}).settings
    assert not settings.open_search
    check_open_search(settings)


def test_keys_are_made_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--data-dir", str(tmp_path)]

    def listed() -> list[tuple[str, str]]:
        assert main(["list", "--json", *where]) == 0
        return [(item["name"], item["state"]) for item in json.loads(capsys.readouterr().out)]

    assert listed() == []
    assert not (tmp_path / "keys.sqlite3").exists()
    assert main(["create", "--name", "[shop]", "--scope", "search", *where]) == 0
    shop = capsys.readouterr().out.strip()
    assert main(["create", "--name", "short", "--scope", "admin", "--expires-days", "0.000001", *where]) == 0
    capsys.readouterr()
    assert listed() == [("[shop]", "live"), ("short", "expired")]
    assert main(["list", *where]) == 0
    assert "[shop]" in capsys.readouterr().out
    assert main(["revoke", shop.split("_")[1], *where]) == 0
    capsys.readouterr()
    assert listed() == [("[shop]", "revoked"), ("short", "expired")]
    actions = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text("ascii").splitlines()]
    assert [item["action"] for item in actions] == ["create_key", "create_key", "revoke_key"]
    assert all(item["who"].startswith("os:") and item["outcome"] == "done" for item in actions)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["create", "--name", " ", "--scope", "search"], "needs a name"),
        (["create", "--name", "a\nb", "--scope", "search"], "needs a name"),
        (["create", "--name", "a", "--scope", "search", "--expires-days", "0"], "cannot expire in 0 days"),
        (["create", "--name", "a", "--scope", "search", "--tenant", "acme"], "tenants"),
        (["create", "--name", "a", "--scope", "search", "--tenants", "true"], "--tenant NAME"),
        (["create", "--name", "a", "--scope", "search", "--tenants", "true", "--tenant", "A b"], "cannot be the name"),
        (["revoke", "0123456789ab"], "keys list shows all"),
    ],
)
def test_what_cannot_be_done_is_said_and_no_key_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main([*arguments, "--data-dir", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert told in err
    assert out == ""
    assert main(["list", "--json", "--data-dir", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == []
