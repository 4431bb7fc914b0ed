"""The audit log: whole lines, in order, bounded, and never a secret."""

from __future__ import annotations

import json
import logging
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import AuditUnavailable
from search_api.audit import AuditEntry, AuditLog
from search_api.keys.records import key_id_of, new_key

ENTRY = AuditEntry("0123456789ab", "ops", "", "put_product", "p1", "done", 202, "r-1", "203.0.113.7")


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """Oldest first."""
    files = sorted(folder.iterdir(), key=lambda file: -int(file.suffix[1:]) if file.suffix[1:].isdigit() else 1)
    return [json.loads(line) for file in files for line in file.read_text("ascii").splitlines()]


def log_in(folder: Path, max_bytes: int = 10_000, keep_files: int = 2) -> AuditLog:
    return AuditLog(folder, max_bytes=max_bytes, keep_files=keep_files)


def test_an_entry_says_who_did_what_when_and_what_came_of_it(tmp_path: Path) -> None:
    log = log_in(tmp_path / "data")
    log.append(ENTRY)
    log.append(replace(ENTRY, outcome="product_not_found", status=404))
    first, second = lines_of(tmp_path / "data")
    assert first.pop("at") <= second["at"]
    assert first == {
        "who": "0123456789ab",
        "name": "ops",
        "tenant": "",
        "action": "put_product",
        "target": "p1",
        "outcome": "done",
        "status": 202,
        "request_id": "r-1",
        "address": "203.0.113.7",
    }
    assert second["outcome"] == "product_not_found"
    assert stat.S_IMODE((tmp_path / "data" / "audit.jsonl").stat().st_mode) == 0o600


def test_what_is_in_it_can_neither_end_a_line_nor_be_a_secret(tmp_path: Path) -> None:
    key = new_key()
    log_in(tmp_path).append(replace(ENTRY, target=f"a\nb\u2028\x1b[2J{key}", name="ключ" * 1000))
    text = (tmp_path / "audit.jsonl").read_text("ascii")
    assert text.count("\n") == 1
    assert key.split("_")[2] not in text
    (entry,) = lines_of(tmp_path)
    assert entry["target"] == f"a\nb\u2028\x1b[2Jvitrine_{key_id_of(key)}_..."
    assert len(entry["name"]) == 600


def test_full_files_are_put_aside_and_the_oldest_deleted(tmp_path: Path) -> None:
    log = log_in(tmp_path, max_bytes=1000, keep_files=2)
    for number in range(40):
        log.append(replace(ENTRY, target=str(number)))
    assert {file.name for file in tmp_path.iterdir()} == {"audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"}
    assert all(file.stat().st_size <= 1000 for file in tmp_path.iterdir())
    kept = [int(line["target"]) for line in lines_of(tmp_path)]
    assert kept == list(range(kept[0], 40))
    assert len(kept) > 6


def test_writers_at_the_same_time_lose_and_mix_nothing(tmp_path: Path) -> None:
    logs = [log_in(tmp_path, max_bytes=2000, keep_files=100) for _ in range(4)]

    def write(number: int) -> None:
        logs[number % 4].append(replace(ENTRY, target=str(number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(100)))
    assert sorted(int(line["target"]) for line in lines_of(tmp_path)) == list(range(100))


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    log = log_in(tmp_path)
    for use in (log.check, lambda: log.append(ENTRY)):
        with pytest.raises(AuditUnavailable, match=r"audit\.jsonl"):
            use()
    with caplog.at_level(logging.ERROR):
        log.append_after(ENTRY)
    assert '"action": "put_product"' in caplog.text


def test_without_space_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_in(tmp_path)
    log.check()
    monkeypatch.setattr("search_api.audit._LEAST_FREE_BYTES", 2**62)
    with pytest.raises(AuditUnavailable, match="No space left"):
        log.check()
