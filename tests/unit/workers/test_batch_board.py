"""Batches on their way, over a real Redis: who may do what, what comes again, and when a run is complete."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from indexer.errors import ConfigurationError, LedgerUnavailable
from indexer.ledger.port import BatchReport, Counts, RunPlan, RunState
from workers.batch_board import BatchBoard, Claim, Sealing
from workers.redis_connection import RedisConnection
from workers.redis_ledger import BatchPart, RedisLedger

PLAN = RunPlan(alias="products--0123456789ab", feed="/feeds/a.xml", feed_version="1")
LEASE_S = 0.3
COLLECTION = "products--0123456789ab--000001"


@pytest.fixture
def connection(redis_url: str) -> Iterator[RedisConnection]:
    opened = RedisConnection(redis_url)
    yield opened
    opened.close()


@pytest.fixture
def ledger(connection: RedisConnection) -> RedisLedger:
    return RedisLedger(connection)


@pytest.fixture
def board(connection: RedisConnection) -> BatchBoard:
    return BatchBoard(connection, lease_s=LEASE_S)


@pytest.fixture
def run_id(ledger: RedisLedger) -> str:
    begun = ledger.begin(PLAN).record.run_id
    ledger.set_collection(begun, COLLECTION)
    return begun


def claimed(board: BatchBoard, run_id: str, key: str = "0") -> Claim:
    claim = board.claim(run_id, key, f"message {key}", COLLECTION)
    assert claim is not None
    return claim


def done(ledger: RedisLedger, run_id: str, key: str, *parts: BatchPart) -> bool:
    digits = key.rstrip("~.0123456789") or key.split("~")[0].split(".")[0]
    report = BatchReport(int(digits), Counts(products=1), part=key.removeprefix(digits))
    return ledger.record_with_parts(run_id, report, parts)


def test_a_batch_is_in_one_hand_at_a_time(board: BatchBoard, run_id: str) -> None:
    claim = claimed(board, run_id)
    assert board.claim(run_id, "0", "again", COLLECTION) is None
    assert board.renew(claim)
    time.sleep(LEASE_S * 1.5)
    taken_over = claimed(board, run_id)
    assert not board.renew(claim)
    assert board.renew(taken_over)


def test_a_batch_that_is_done_or_whose_run_has_ended_is_nobodys(
    board: BatchBoard, ledger: RedisLedger, run_id: str
) -> None:
    claimed(board, run_id)
    assert done(ledger, run_id, "0")
    assert not done(ledger, run_id, "0")
    assert board.claim(run_id, "0", "again", COLLECTION) is None
    ledger.finish(run_id, RunState.FINISHED)
    assert board.claim(run_id, "1", "message", COLLECTION) is None
    assert not board.note_sent(run_id, "1", "message", 0.5)
    assert not done(ledger, run_id, "1")
    assert ledger.run(run_id).counts.products == 1


def test_a_superseded_run_takes_no_more(board: BatchBoard, ledger: RedisLedger, run_id: str) -> None:
    board.note_sent(run_id, "0", "message", 0.5)
    other = ledger.begin(replace(PLAN, feed_version="2")).record.run_id
    assert ledger.run(run_id).state is RunState.SUPERSEDED
    assert board.claim(run_id, "0", "message", COLLECTION) is None
    assert not done(ledger, run_id, "0")
    assert board.running() == [other]
    assert board.take_due(run_id, lost_after_s=0) == []


def test_a_message_nobody_takes_is_sent_again_where_the_queue_is_empty(board: BatchBoard, run_id: str) -> None:
    assert board.note_sent(run_id, "0", "message 0", 0.5)
    assert board.sent_numbers(run_id) == {0}
    time.sleep(0.05)
    assert board.take_due(run_id, lost_after_s=None) == []
    assert board.take_due(run_id, lost_after_s=60) == []
    assert board.take_due(run_id, lost_after_s=0.01) == ["message 0"]
    assert board.take_due(run_id, lost_after_s=0.01) == []  # it was sent just now


def test_a_batch_whose_worker_is_silent_is_sent_again_at_once(board: BatchBoard, run_id: str) -> None:
    board.note_sent(run_id, "0", "message 0", 0.5)
    board.note_start(claimed(board, run_id), alone=False)
    assert board.take_due(run_id, lost_after_s=None) == []
    time.sleep(LEASE_S * 1.5)
    assert board.take_due(run_id, lost_after_s=None) == ["message 0"]
    again = claimed(board, run_id)
    assert (again.lost_in_company, again.lost_alone, again.is_suspect) == (1, 0, True)
    board.note_start(again, alone=True)
    time.sleep(LEASE_S * 1.5)
    assert claimed(board, run_id).lost_alone == 1


def test_a_worker_that_was_only_waiting_is_not_counted(board: BatchBoard, run_id: str) -> None:
    claimed(board, run_id)
    time.sleep(LEASE_S * 1.5)
    assert not claimed(board, run_id).is_suspect


def test_a_batch_put_off_waits_for_its_time_and_is_no_suspect(board: BatchBoard, run_id: str) -> None:
    claim = claimed(board, run_id)
    board.note_start(claim, alone=False)
    assert board.put_off(claim, 0.1)
    assert not board.put_off(claim, 0.1)
    assert board.claim(run_id, "0", "a duplicate", COLLECTION) is None
    assert board.take_due(run_id, lost_after_s=0) == []
    time.sleep(0.15)
    assert board.take_due(run_id, lost_after_s=None) == ["message 0"]
    again = claimed(board, run_id)
    assert (again.retries, again.is_suspect) == (1, False)


def test_the_mark_of_a_batch_that_is_done_already_leaves_nothing_behind(
    board: BatchBoard, ledger: RedisLedger, run_id: str
) -> None:
    claimed(board, run_id)
    done(ledger, run_id, "0")
    assert board.note_sent(run_id, "0", "message 0", 1.0)
    assert board.unfinished(run_id) == 0
    assert board.sent_numbers(run_id) == {0}


def test_a_run_is_complete_when_all_its_batches_are_done(board: BatchBoard, ledger: RedisLedger, run_id: str) -> None:
    for key in ("0", "1"):
        board.note_sent(run_id, key, f"message {key}", 1.0)
    done(ledger, run_id, "0")
    done(ledger, run_id, "1")
    assert not board.is_complete(run_id)  # more may be sent
    assert board.sealing(run_id) is None
    board.seal(run_id, Sealing(3, "The feed breaks off."))
    assert not board.is_complete(run_id)
    done(ledger, run_id, "2")
    assert board.is_complete(run_id)
    assert board.sealing(run_id) == Sealing(3, "The feed breaks off.")
    record = ledger.run(run_id)
    assert (record.batches, record.expected_batches, board.progress(record)) == (3, 3, 1.0)
    ledger.finish(run_id, RunState.FINISHED)
    assert not board.is_complete(run_id)


def test_parts_of_a_batch_are_to_be_done_as_well(board: BatchBoard, ledger: RedisLedger, run_id: str) -> None:
    board.seal(run_id, Sealing(1, ""))
    claimed(board, run_id)
    later = BatchPart("0~1", "later", delay_s=0.05)
    suspect = BatchPart("0.1", "suspect", is_suspect=True)
    assert done(ledger, run_id, "0", later, suspect)
    assert not board.is_complete(run_id)
    assert ledger.run(run_id).expected_batches == 3
    assert board.take_due(run_id, lost_after_s=None) == ["suspect"]
    assert claimed(board, run_id, "0.1").is_suspect
    time.sleep(0.1)
    assert board.take_due(run_id, lost_after_s=None) == ["later"]
    assert not claimed(board, run_id, "0~1").is_suspect
    done(ledger, run_id, "0.1")
    assert not board.is_complete(run_id)
    done(ledger, run_id, "0~1")
    assert board.is_complete(run_id)


def test_restarting_a_run_forgets_what_was_sent(board: BatchBoard, ledger: RedisLedger, run_id: str) -> None:
    board.note_sent(run_id, "0", "message", 1.0)
    done(ledger, run_id, "0")
    board.note_sent(run_id, "1", "message", 1.0)
    board.seal(run_id, Sealing(2, ""))
    ledger.restart(run_id)
    assert board.claim(run_id, "0", "message", COLLECTION) is None  # it names a collection that is gone
    ledger.set_collection(run_id, COLLECTION)
    assert (board.sent_numbers(run_id), board.unfinished(run_id), board.sealing(run_id)) == (frozenset(), 0, None)
    assert ledger.run(run_id).counts == Counts()
    assert claimed(board, run_id).retries == 0


def test_a_run_that_has_ended_leaves_only_its_record(
    board: BatchBoard, ledger: RedisLedger, run_id: str, connection: RedisConnection
) -> None:
    for key in ("0", "1"):
        board.note_sent(run_id, key, "message", 1.0)
    board.note_start(claimed(board, run_id), alone=False)
    ledger.finish(run_id, RunState.FAILED, reason="enough")
    kept = connection.call("KEYS", f"vitrine:run:{run_id}:*")
    assert kept == [f"vitrine:run:{run_id}:info"]


def test_a_redis_that_does_not_answer_is_told() -> None:
    connection = RedisConnection("redis://127.0.0.1:1/0")
    with pytest.raises(LedgerUnavailable, match="redis_url"):
        connection.call("PING")
    connection.close()
    with pytest.raises(ConfigurationError, match="redis_url"):
        RedisConnection("http://127.0.0.1:1/0")
