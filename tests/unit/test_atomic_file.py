"""A file that is replaced as a whole has its old content or its new one at every moment, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer.atomic_file import replace_file, replacing

KILLED = """
import os, signal, sys
from pathlib import Path
from indexer.atomic_file import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"new")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_made_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    replace_file(path, "кружка")
    assert path.read_text("utf-8") == "кружка"
    replace_file(path, b"\x00\xff", durable=False)
    assert path.read_bytes() == b"\x00\xff"
    assert names(tmp_path) == ["note.json"]


def test_until_the_block_ends_the_old_content_is_read(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"n")
        file.flush()
        assert path.read_text() == "old"
        file.write(b"ew")
    assert path.read_text() == "new"


def test_a_block_that_fails_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), replacing(path) as file:
        file.write(b"ne")
        raise RuntimeError("half way")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["note"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "note"
    path.write_text("old")
    monkeypatch.setattr(os, step, full)
    if step == "replace":
        monkeypatch.setattr(Path, step, full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["note"]


def test_the_content_is_on_disk_before_the_name_is_and_the_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "note"
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        facts = os.fstat(descriptor)
        is_folder = os.path.samestat(facts, tmp_path.stat())
        steps.append("fsync folder" if is_folder else f"fsync {facts.st_size} bytes")
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        steps.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    replace_file(path, "12345")
    assert steps == ["fsync 5 bytes", "replace", "fsync folder"]
    steps.clear()
    replace_file(path, "6", durable=False)
    assert steps == ["replace"]


def test_a_process_killed_in_between_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    path.write_text("old")
    killed = subprocess.run([sys.executable, "-c", KILLED, path], cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    left = [name for name in names(tmp_path) if name != "note.json"]
    assert len(left) == 1
    assert left[0].startswith(".note.json.")
    assert not list(tmp_path.glob("*.json"))[1:], "what is left is not taken for another such file"
    replace_file(path, "newer")
    assert path.read_text() == "newer"


def test_many_writers_and_a_reader_see_whole_contents_only(tmp_path: Path) -> None:
    path = tmp_path / "note"
    contents = {bytes([letter]) * 200_000 for letter in b"abcd"}
    replace_file(path, min(contents))
    over = threading.Event()

    def write(content: bytes) -> None:
        for _ in range(25):
            replace_file(path, content, durable=False)

    def read() -> set[bytes]:
        seen = set()
        while not over.is_set():
            seen.add(path.read_bytes())
        return seen

    with ThreadPoolExecutor(len(contents) + 1) as threads:
        reader = threads.submit(read)
        for writer in [threads.submit(write, content) for content in contents]:
            writer.result()
        over.set()
    assert reader.result() <= contents
    assert names(tmp_path) == ["note"]
