"""Batches are written in order, together where they are ready together, and never twice."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

import pytest

from indexer.errors import StoreUnavailable
from indexer.indexing.batch import IndexedBatch, ProductBatch
from indexer.indexing.group_commit import MOST_TOGETHER, GroupCommit, ReadyBatch, together
from indexer.ledger.port import BatchReport, Counts
from indexer.store.port import BatchChange, PayloadUpdate
from tests.points import made_up_point


def ready(number: int) -> ReadyBatch:
    batch = ProductBatch(number, (), (), "/feeds")
    return ReadyBatch(batch, IndexedBatch(BatchChange(), BatchReport(number, Counts(), (), ())))


def expected(commits: GroupCommit, count: int) -> list[Future[ReadyBatch]]:
    futures: list[Future[ReadyBatch]] = [Future() for _ in range(count)]
    for future in futures:
        commits.expect(future)
    return futures


class Groups:
    """Notes what was committed together."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []

    def __call__(self, group: Sequence[ReadyBatch]) -> None:
        self.seen.append([item.batch.number for item in group])


def test_batches_that_are_ready_are_committed_together() -> None:
    groups = Groups()
    commits = GroupCommit(groups, pause_s=0)
    futures = expected(commits, 5)
    for number in (0, 1, 2, 4):
        futures[number].set_result(ready(number))
    commits.commit_next()
    assert groups.seen == [[0, 1, 2]]
    commits.commit_next()
    commits.commit_next()
    assert groups.seen == [[0, 1, 2]]
    futures[3].set_result(ready(3))
    commits.commit_next()
    commits.commit_next()
    assert groups.seen == [[0, 1, 2], [3, 4]]


def test_after_a_commit_more_batches_are_waited_for_until_none_come() -> None:
    groups = Groups()
    commits = GroupCommit(groups, pause_s=1000)
    futures = expected(commits, 4)
    futures[0].set_result(ready(0))
    commits.commit_next()
    assert groups.seen == [[0]]
    futures[1].set_result(ready(1))
    with ThreadPoolExecutor(1) as thread:
        committed = thread.submit(commits.commit_next)
        futures[2].set_result(ready(2))
        futures[3].set_result(ready(3))
        commits.complete()
        committed.result()
    assert groups.seen == [[0], [1, 2, 3]]


def test_a_full_group_and_a_failure_are_not_waited_with() -> None:
    groups = Groups()
    commits = GroupCommit(groups, pause_s=1000)
    futures = expected(commits, MOST_TOGETHER + 3)
    futures[0].set_result(ready(0))
    commits.commit_next()
    for number in range(1, MOST_TOGETHER + 2):
        futures[number].set_result(ready(number))
    futures[-1].set_exception(StoreUnavailable("gone", "wait"))
    for _ in range(MOST_TOGETHER + 1):
        commits.commit_next()
    assert [len(group) for group in groups.seen] == [1, MOST_TOGETHER, 1]


def test_a_group_has_its_bounds() -> None:
    groups = Groups()
    commits = GroupCommit(groups, pause_s=0)
    for number, future in enumerate(expected(commits, MOST_TOGETHER + 1)):
        future.set_result(ready(number))
    for _ in range(MOST_TOGETHER + 1):
        commits.commit_next()
    assert [len(group) for group in groups.seen] == [MOST_TOGETHER, 1]


def test_a_batch_that_failed_does_not_spoil_those_before_it() -> None:
    groups = Groups()
    commits = GroupCommit(groups, pause_s=0)
    futures = expected(commits, 3)
    futures[0].set_result(ready(0))
    futures[1].set_exception(StoreUnavailable("gone", "wait"))
    futures[2].set_result(ready(2))
    commits.commit_next()
    assert groups.seen == [[0]]
    with pytest.raises(StoreUnavailable):
        commits.commit_next()
    commits.commit_next()
    assert groups.seen == [[0], [2]]


def test_a_commit_that_failed_is_told_once_and_not_repeated() -> None:
    calls = 0

    def fails(group: Sequence[ReadyBatch]) -> None:
        nonlocal calls
        calls += 1
        raise StoreUnavailable("full", "make room")

    commits = GroupCommit(fails, pause_s=0)
    for number, future in enumerate(expected(commits, 2)):
        future.set_result(ready(number))
    with pytest.raises(StoreUnavailable):
        commits.commit_next()
    commits.commit_next()
    assert calls == 1


def test_changes_together_are_all_of_them() -> None:
    points = [made_up_point(f"p{number}", 0, seed=number) for number in range(4)]
    ids = [UUID(int=number) for number in range(2)]
    one = BatchChange(points=tuple(points[:1]), deletions=(ids[0],))
    other = BatchChange(
        points=tuple(points[1:3]), payloads=(PayloadUpdate(points[3].id, points[3].payload),), deletions=(ids[1],)
    )
    both = together([one, other])
    assert [point.id for point in both.points] == [point.id for point in points[:3]]
    assert both.payloads == other.payloads
    assert both.deletions == tuple(ids)
    assert not together([BatchChange(), BatchChange()])
