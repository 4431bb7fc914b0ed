"""Keys: how they look, what is kept of them, and how servers follow their file."""

from __future__ import annotations

import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer.errors import KeyNotFound, KeysUnavailable
from indexer.telemetry.secrets import without_keys
from search_api.access import Scope
from search_api.keys.file import KeyFile
from search_api.keys.records import (
    KeyRecord,
    SessionRecord,
    digest_of,
    key_id_of,
    new_key,
    new_session_token,
)
from search_api.keys.ring import KeyRing

NOW = 1_800_000_000
_DEADLINE_S = 30.0


def record_of(
    key: str, *, scopes: frozenset[Scope] = frozenset({Scope.SEARCH}), expires_at: int | None = None
) -> KeyRecord:
    return KeyRecord(key_id_of(key), "shop", scopes, "", digest_of(key.encode()), NOW, expires_at)


def until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.sqlite3"


@pytest.fixture
def file(path: Path) -> Iterator[KeyFile]:
    opened = KeyFile(path)
    yield opened
    opened.close()


def test_keys_have_256_random_bits_and_a_public_id() -> None:
    keys = [new_key() for _ in range(50)]
    assert len({key_id_of(key) for key in keys} - {""}) == 50
    for key in keys:
        prefix, key_id, secret = key.split("_")
        assert (prefix, key_id) == ("vitrine", key_id_of(key))
        assert len(bytes.fromhex(secret)) == 32
    assert len(bytes.fromhex(new_session_token())) == 32


@pytest.mark.parametrize(
    "text", ["", "vitrine", "vitrine_1_2", f"vitrine_{'0' * 12}_{'٣' * 64}", f"vitrine_{'0' * 12}_{'a' * 64}0", "x"]
)
def test_what_has_not_the_form_of_a_key_has_no_id(text: str) -> None:
    assert key_id_of(text) == ""


def test_secrets_are_taken_out_of_texts() -> None:
    first, second = new_key(), new_key()
    shown = without_keys(f"/a?key={first}&b={second}.")
    assert shown == f"/a?key=vitrine_{key_id_of(first)}_...&b=vitrine_{key_id_of(second)}_...."


def test_nothing_of_a_key_but_its_digest_is_kept(path: Path, file: KeyFile) -> None:
    key = new_key()
    file.add(record_of(key))
    (kept,) = file.keys()
    assert kept == record_of(key)
    assert repr(kept.digest) not in repr(kept)
    file.close()
    for part in path.parent.iterdir():
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        assert key.split("_")[2].encode() not in part.read_bytes()


def test_a_revoked_key_keeps_the_moment_of_its_first_revocation(file: KeyFile) -> None:
    record = record_of(new_key())
    file.add(record)
    assert file.revoke(record.key_id, NOW + 5).revoked_at == NOW + 5
    assert file.revoke(record.key_id, NOW + 9).revoked_at == NOW + 5
    assert not file.keys()[0].is_live(NOW)
    with pytest.raises(KeyNotFound, match="nope"):
        file.revoke("nope", NOW)


def test_sessions_of_a_key_are_bounded_and_end_with_it(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search_api.keys.file._MAX_SESSIONS_OF_KEY", 3)
    record = record_of(new_key())
    file.add(record)
    other = SessionRecord(b"o" * 32, "other", b"", NOW + 1)
    file.begin_session(other, NOW)
    sessions = [SessionRecord(bytes([number]) * 32, record.key_id, b"", NOW + 100) for number in range(5)]
    for session in sessions:
        file.begin_session(session, NOW)
    assert set(file.read().sessions) == {other, *sessions[2:]}
    file.begin_session(SessionRecord(b"l" * 32, "late", b"", NOW + 100), NOW + 1)
    assert other not in file.read().sessions  # over
    file.revoke(record.key_id, NOW)
    assert [session.key_id for session in file.read().sessions] == ["late"]


def test_a_file_that_is_none_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "keys.sqlite3"
    path.write_bytes(b"no database at all, but long enough to look like one" * 100)
    with pytest.raises(KeysUnavailable, match=r"keys\.sqlite3"):
        KeyRing(path)
    with pytest.raises(KeysUnavailable, match="cannot be used"):
        KeyFile(path / "below")


def test_a_ring_without_a_file_has_no_keys_and_makes_none(path: Path) -> None:
    ring = KeyRing(path)
    assert ring.key(key_id_of(new_key())) is None
    assert not ring.has_key_for(Scope.SEARCH)
    assert not path.exists()
    ring.close()


def test_keys_end_at_their_time(path: Path, file: KeyFile) -> None:
    record = record_of(new_key(), expires_at=NOW + 60)
    file.add(record)
    now = float(NOW)
    ring = KeyRing(path, clock=lambda: now)
    assert ring.key(record.key_id) == record
    now += 59.9
    assert ring.has_key_for(Scope.SEARCH)
    now += 0.1
    assert ring.key(record.key_id) is None
    assert not ring.has_key_for(Scope.SEARCH)
    ring.close()


def test_a_running_server_follows_what_others_change(path: Path, tmp_path: Path) -> None:
    ring = KeyRing(path)
    ring.start()
    try:
        record = record_of(new_key())
        file = KeyFile(path)
        file.add(record)
        until(lambda: ring.key(record.key_id) == record)
        ring.note_use(record.key_id)
        until(lambda: file.keys()[0].last_used_at is not None)
        assert (file.keys()[0].last_used_at or 1) % 3600 == 0
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(tmp_path / "backup")) as target:
            source.backup(target)
        file.revoke(record.key_id, NOW)
        until(lambda: ring.key(record.key_id) is None)
        file.close()
        for beside in ("-wal", "-shm"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        (tmp_path / "backup").replace(path)  # another file under the same name
        until(lambda: ring.key(record.key_id) is not None)
        path.unlink()
        until(lambda: ring.key(record.key_id) is None)
    finally:
        ring.close()


def test_keys_that_cannot_be_read_hold_for_a_while_and_are_then_refused(
    path: Path, file: KeyFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    record = record_of(new_key())
    file.add(record)
    file.close()
    ring = KeyRing(path)
    ring.start()
    try:
        damaged = path.with_name("damaged")
        damaged.write_bytes(b"damaged" * 1000)
        damaged.replace(path)
        until(lambda: "Keys hold as they were known before" in caplog.text)
        assert ring.key(record.key_id) == record
        monkeypatch.setattr("search_api.keys.ring._STALE_AFTER_S", 1.5)  # three looks, were they of any use

        def is_refused() -> bool:
            try:
                ring.key(record.key_id)
            except KeysUnavailable:
                return True
            return False

        until(is_refused)
        assert caplog.text.count("Keys hold as they were") == 1
    finally:
        ring.close()
