"""The engine is not asked to write where there is no room, at any of its writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.errors import StoreUnavailable
from indexer.store import disk_room
from indexer.store.disk_room import check_room, disk_bytes
from indexer.store.edge_optimizer import EdgeOptimizer
from indexer.store.edge_shard import EdgeShard
from indexer.store.tuning import IndexTuning
from tests.points import DIM, made_up_point

NO_DISK_HAS_BYTES = 10**18


def test_a_disk_with_too_little_room_is_told_of(tmp_path: Path) -> None:
    check_room(tmp_path)
    with pytest.raises(StoreUnavailable, match=f"The disk of {tmp_path} has .* MB left") as refused:
        check_room(tmp_path, NO_DISK_HAS_BYTES)
    assert "prune" in refused.value.remedy
    with pytest.raises(StoreUnavailable, match="cannot be looked at"):
        check_room(tmp_path / "gone")


def test_no_write_goes_to_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [made_up_point(f"p{number}", 0, seed=number) for number in range(3)]
    shard = EdgeShard.create(tmp_path / "shard", DIM, IndexTuning())
    shard.upsert(points)
    shard.flush()
    monkeypatch.setattr(disk_room, "LEAST_BYTES", NO_DISK_HAS_BYTES)
    with pytest.raises(StoreUnavailable):
        shard.upsert(points)
    with pytest.raises(StoreUnavailable):
        shard.delete([points[0].id])
    with pytest.raises(StoreUnavailable):
        EdgeShard.create(tmp_path / "another", DIM, IndexTuning())
    assert shard.count() == 3
    with pytest.raises(StoreUnavailable):
        EdgeOptimizer(tmp_path / "shard", "c", DIM, IndexTuning()).build_search_index(shard)


def test_files_that_share_their_content_are_counted_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1_000_000)
    alone = disk_bytes(tmp_path)
    assert alone >= 1_000_000
    (tmp_path / "link").hardlink_to(tmp_path / "file")
    assert disk_bytes(tmp_path) == alone
