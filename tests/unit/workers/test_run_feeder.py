"""What a run must not be begun beside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from indexer.errors import StoreLocked
from indexer.ledger.port import RunPlan, RunState
from workers.redis_connection import RedisConnection
from workers.redis_ledger import RedisLedger
from workers.run_feeder import refuse_beside

PLAN = RunPlan(alias="products--0123456789ab", feed="/feeds/a.xml", feed_version="1")
OTHER = replace(PLAN, feed="/feeds/b.xml")


@pytest.fixture
def connection(redis_url: str) -> Iterator[RedisConnection]:
    opened = RedisConnection(redis_url)
    yield opened
    opened.close()


@pytest.fixture
def ledger(connection: RedisConnection) -> RedisLedger:
    return RedisLedger(connection)


def test_a_run_that_goes_on_is_not_superseded_by_another_feed(ledger: RedisLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    refuse_beside(PLAN, ledger)  # the same command goes on with it
    with pytest.raises(StoreLocked, match=f"{run_id} of /feeds/a.xml"):
        refuse_beside(OTHER, ledger)
    refuse_beside(replace(OTHER, alias="products--ba9876543210"), ledger)
    refuse_beside(replace(OTHER, target="products--0123456789ab--000002"), ledger)
    ledger.finish(run_id, RunState.FINISHED)
    refuse_beside(OTHER, ledger)


def test_a_run_that_was_abandoned_may_be_superseded(ledger: RedisLedger, connection: RedisConnection) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    long_ago = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    connection.call("HSET", f"vitrine:run:{run_id}:info", "updated_at", long_ago)
    refuse_beside(OTHER, ledger)
