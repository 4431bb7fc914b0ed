"""Files that generations share: the engine must never write to one, whatever is done to a generation's copy."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.errors import StoreUnavailable
from indexer.points import Point
from indexer.store.edge_files import copy_shard, is_never_written, settled_paths
from indexer.store.edge_segments import optimize
from indexer.store.edge_shard import EdgeShard
from indexer.store.port import BatchChange, PayloadUpdate
from indexer.store.tuning import IndexTuning, Quantization
from tests.points import DIM, made_up_point, unit_vector
from tests.processes import REPOSITORY

POINTS = 300
int8_only = pytest.mark.parametrize("tuning", [IndexTuning(exact_below=100)])


def tuning_of(quantization: Quantization) -> IndexTuning:
    return IndexTuning(exact_below=100, quantization=quantization)


def points_of(numbers: range) -> tuple[Point, ...]:
    return tuple(made_up_point(f"p{number}", 0, seed=number) for number in numbers)


@pytest.fixture(params=["none", "int8", "4bit"])
def tuning(request: pytest.FixtureRequest) -> IndexTuning:
    return tuning_of(request.param)


@pytest.fixture(scope="module")
def source_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[IndexTuning], Path]:
    """A shard with a graph, and some points outside it; made once, as no test may change it."""
    return functools.cache(lambda tuning: make_source(tmp_path_factory.mktemp("source") / "shard", tuning))


@pytest.fixture
def source(source_of: Callable[[IndexTuning], Path], tuning: IndexTuning) -> Path:
    return source_of(tuning)


def make_source(folder: Path, tuning: IndexTuning) -> Path:
    shard = EdgeShard.create(folder, DIM, tuning)
    shard.apply(BatchChange(points=points_of(range(POINTS))))
    shard.close()
    optimize(folder, DIM, tuning)
    shard = EdgeShard.open(folder, tuning)
    shard.apply(BatchChange(points=points_of(range(POINTS, POINTS + 20))))
    shard.close()
    return folder


def shared(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and is_never_written(path))


def digests(folder: Path) -> dict[Path, str]:
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def allocated_bytes(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def test_what_was_never_written_takes_no_room_in_a_copy(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    pieces = {0: b"first", 3 << 20: b"second" * 100_000, (9 << 20) - 4: b"last"}
    for name, written in {"some": pieces, "none": {}, "end": {9 << 20: b"x"}}.items():
        with (tmp_path / "source" / name).open("wb") as file:
            file.truncate(10 << 20)
            for start, text in written.items():
                file.seek(start)
                file.write(text)
            os.fsync(file.fileno())
    (tmp_path / "source" / "empty").touch()
    copy_shard(tmp_path / "source", tmp_path / "copy")
    assert digests(tmp_path / "copy") == digests(tmp_path / "source")
    assert allocated_bytes(tmp_path / "copy") <= allocated_bytes(tmp_path / "source") + (1 << 16)


def change_everything(shard: EdgeShard) -> None:
    """Every kind of write, on points inside the graph and outside it."""
    known = points_of(range(POINTS))
    dearer = tuple(
        PayloadUpdate(point.id, replace(point.payload, price_minor=7))
        for point in (*known[:40], *points_of(range(310, 315)))
    )
    moved = tuple(replace(point, vector=unit_vector(9000 + index)) for index, point in enumerate(known[40:60]))
    shard.apply(BatchChange(points=(*moved, *points_of(range(500, 560))), payloads=dearer))
    shard.apply(BatchChange(deletions=tuple(point.id for point in known[60:90])))
    shard.delete_products([f"p{number}" for number in range(90, 100)])
    shard.flush()


def test_most_of_a_graph_s_bytes_are_shared(source: Path, tuning: IndexTuning) -> None:
    names = [path.name for path in shared(source)]
    assert names.count("matrix.dat") == 1
    assert names.count("quantized.data") == (0 if tuning.quantization == "none" else 1)
    assert names.count("links_compressed.bin") + names.count("links.bin") == 1


def test_the_source_stays_as_it_is_whatever_happens_to_the_copy(
    source: Path, tmp_path: Path, tuning: IndexTuning
) -> None:
    before = digests(source)
    copy = tmp_path / "copy"
    copy_shard(source, copy)
    assert digests(copy) == before
    for path in shared(source):
        assert path.samefile(copy / path.relative_to(source))
    shard = EdgeShard.open(copy, tuning)
    change_everything(shard)
    found = shard.nearest(unit_vector(45), 5)
    shard.close()
    assert found
    assert digests(source) == before
    optimize(copy, DIM, tuning)
    assert digests(source) == before
    shutil.rmtree(copy)
    assert digests(source) == before
    old = EdgeShard.open(source, tuning, points=POINTS + 20)
    point = points_of(range(45, 46))[0]
    assert old.nearest(point.vector, 1)[0].id == point.id
    assert old.points([point.id])[point.id].payload == point.payload
    old.close()


def test_a_copy_that_was_changed_and_optimised_answers_with_its_own(
    source: Path, tmp_path: Path, tuning: IndexTuning
) -> None:
    copy = tmp_path / "copy"
    copy_shard(source, copy)
    shard = EdgeShard.open(copy, tuning)
    change_everything(shard)
    shard.close()
    optimize(copy, DIM, tuning)
    shard = EdgeShard.open(copy, tuning, points=POINTS + 20 + 60 - 30 - 10)
    assert shard.nearest(unit_vector(9000), 1)[0].product_id == "p40"
    assert not set(shard.points([point.id for point in points_of(range(60, 100))]))
    cheap, *_ = points_of(range(1))
    assert shard.points([cheap.id])[cheap.id].payload.price_minor == 7
    shard.close()


def test_shared_files_are_never_mapped_for_writing(source: Path, tmp_path: Path, tuning: IndexTuning) -> None:
    copy = tmp_path / "copy"
    copy_shard(source, copy)
    shard = EdgeShard.open(copy, tuning)
    change_everything(shard)
    shard.nearest(unit_vector(1), 5, exact=True)
    rights: dict[str, set[str]] = {}
    for line in Path("/proc/self/maps").read_text("utf-8").splitlines():
        parts = line.split(maxsplit=5)
        if len(parts) == 6 and parts[5].startswith(str(copy)):
            rights.setdefault(parts[5], set()).add(parts[1])
    shard.close()
    mine = {str(path) for path in shared(copy)}
    assert str(next(path for path in shared(copy) if path.name == "matrix.dat")) in rights
    assert {right for path in mine & set(rights) for right in rights[path]} == {"r--s"}
    # the look itself works: what is written to is seen to be
    assert any("w" in right for path in set(rights) - mine for right in rights[path])


@int8_only
def test_a_writer_that_is_killed_leaves_the_source_as_it_is(source: Path, tmp_path: Path, tuning: IndexTuning) -> None:
    before = digests(source)
    copy = tmp_path / "copy"
    copy_shard(source, copy)
    script = (
        "import sys; from pathlib import Path; from tests.unit.store.test_edge_files import *\n"
        "shard = EdgeShard.open(Path(sys.argv[1]), tuning_of(sys.argv[2])); change_everything(shard)\n"
        "print('changed', flush=True); shard.close()\n"
        "optimize(Path(sys.argv[1]), DIM, tuning_of(sys.argv[2])); sys.stdin.readline()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(copy), tuning.quantization],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "changed\n"
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    assert digests(source) == before


@int8_only
def test_without_hard_links_everything_is_copied(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refused)
    copy_shard(source, tmp_path / "copy")
    assert digests(tmp_path / "copy") == digests(source)
    assert not any(path.samefile(tmp_path / "copy" / path.relative_to(source)) for path in shared(source))


@int8_only
def test_what_a_crash_left_of_a_copy_is_made_anew(source: Path, tmp_path: Path) -> None:
    before = digests(source)
    copy_shard(source, tmp_path / "copy")
    (tmp_path / "copy").rename(tmp_path / "copy.partial")
    (tmp_path / "copy.partial" / "of an older source").write_text("x")
    copy_shard(source, tmp_path / "copy")
    assert digests(tmp_path / "copy") == before == digests(source)
    assert not (tmp_path / "copy.partial").exists()


@int8_only
def test_a_full_disk_is_told(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StoreUnavailable, match="disk's space"):
        copy_shard(source, tmp_path / "copy")
    assert not list(tmp_path.glob("copy*"))


@int8_only
def test_what_the_engine_is_about_to_replace_is_not_copied(source: Path, tmp_path: Path, tuning: IndexTuning) -> None:
    """Another process opens the shard meanwhile, and folders of one file come and go."""
    shard = tmp_path / "shard"
    copy_shard(source, shard)
    before = digests(shard)
    going = shard / ".atomicwriteXyz123"
    going.mkdir()
    (going / "tmpfile.tmp").symlink_to("gone")  # as copying a file that has just gone fails
    copy_shard(shard, tmp_path / "copy")
    assert digests(tmp_path / "copy") == before
    assert not any(path.is_relative_to(going) for path in settled_paths(shard))
    EdgeShard.open(tmp_path / "copy", tuning, points=POINTS + 20).close()
