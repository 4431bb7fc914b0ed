"""One suite for every run ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexer.errors import RunNotFound
from indexer.ledger.port import BatchReport, Counts, Failure, RunLedger, RunPlan, RunState, Stage, new_run_id
from indexer.ledger.reindexes import ReindexCheck, ReindexRecord, ReindexState
from indexer.ledger.sqlite import SqliteLedger
from indexer.ledger.tenants import TenantRuns
from indexer.products import CatalogProduct
from workers.redis_connection import RedisConnection
from workers.redis_ledger import RedisLedger

PLAN = RunPlan(alias="products--abc", feed="/feeds/a.xml", feed_version="1")


@pytest.fixture(params=["sqlite", "redis"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunLedger]:
    def open_redis() -> RunLedger:
        return RedisLedger(RedisConnection(request.getfixturevalue("redis_url")))

    def open_sqlite() -> RunLedger:
        return SqliteLedger(tmp_path / "data" / "ledger.sqlite3")

    opened = {"sqlite": open_sqlite, "redis": open_redis}[request.param]()
    yield opened
    opened.close()


def failure(product_id: str, position: int | None = 0, *, line: int = 1, with_product: bool = True) -> Failure:
    product = CatalogProduct(
        product_id=product_id,
        title="Кружка",
        image_refs=("a.jpg", "b.jpg"),
        category=("Home", "Mugs"),
        price_minor=100,
        currency="EUR",
        in_stock=False,
        attributes={"color": "red"},
        updated_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        line=line,
    )
    return Failure(
        product_id,
        position,
        "a.jpg",
        Stage.DECODE if with_product else Stage.READ,
        "image_damaged",
        "reason",
        retryable=False,
        line=line,
        product=product if with_product else None,
    )


def report(number: int, *failures: Failure, ids: tuple[str, ...] = ()) -> BatchReport:
    counts = Counts(rows=3, products=2, images=4, embedded=3, reused=1, failed=len(failures))
    return BatchReport(number, counts, failures, ids)


def test_a_run_adds_up_its_batches(ledger: RunLedger) -> None:
    begun = ledger.begin(PLAN)
    assert begun.finished_batches == frozenset()
    for number in (0, 1, 5):
        ledger.record_batch(begun.record.run_id, report(number))
    record = ledger.run(begun.record.run_id)
    assert (record.plan, record.state, record.batches) == (PLAN, RunState.RUNNING, 3)
    assert record.counts == Counts(rows=9, products=6, images=12, embedded=9, reused=3)


def test_a_run_says_what_computed_its_embeddings(ledger: RunLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    assert ledger.run(run_id).embedded_with == ()
    ways = ("torch float32 on cpu", "", "openvino int8 on cpu, texts bf16", "torch float32 on cpu", "torch float32")
    for number, way in enumerate(ways):
        ledger.record_batch(run_id, replace(report(number), embedded_with=way))
    expected = ("openvino int8 on cpu, texts bf16", "torch float32", "torch float32 on cpu")
    assert ledger.run(run_id).embedded_with == expected
    assert ledger.finish(run_id, RunState.FINISHED).embedded_with == expected


def test_a_batch_reported_twice_counts_once(ledger: RunLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    for _ in range(3):
        ledger.record_batch(run_id, report(0, failure("p1")))
    assert ledger.run(run_id).counts.products == 2
    assert len(ledger.failures(run_id)) == 1


def test_an_unfinished_run_is_resumed_by_an_equal_plan(ledger: RunLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    ledger.record_batch(run_id, report(0))
    ledger.record_batch(run_id, report(2))
    ledger.set_collection(run_id, "products--abc--000001")
    again = ledger.begin(PLAN)
    assert again.record.run_id == run_id
    assert again.record.collection == "products--abc--000001"
    assert again.finished_batches == {0, 2}


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, feed_version="2"),
        replace(PLAN, feed="/feeds/b.xml"),
        replace(PLAN, full=True),
        replace(PLAN, limit=5),
        replace(PLAN, batch_products=8),
    ],
)
def test_another_plan_supersedes_an_unfinished_run(ledger: RunLedger, other: RunPlan) -> None:
    first = ledger.begin(PLAN).record.run_id
    ledger.record_batch(first, report(0))
    second = ledger.begin(other)
    assert second.record.run_id != first
    assert second.finished_batches == frozenset()
    assert ledger.run(first).state == RunState.SUPERSEDED
    assert ledger.begin(PLAN).record.run_id not in {first, second.record.run_id}


def test_runs_of_other_aliases_do_not_disturb_each_other(ledger: RunLedger) -> None:
    first = ledger.begin(PLAN).record.run_id
    ledger.begin(replace(PLAN, alias="products--def"))
    assert ledger.begin(PLAN).record.run_id == first


def test_a_finished_run_is_not_resumed(ledger: RunLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    ledger.record_batch(run_id, report(0))
    record = ledger.finish(run_id, RunState.FINISHED, removed=4)
    assert (record.state, record.counts.removed) == (RunState.FINISHED, 4)
    assert ledger.begin(PLAN).record.run_id != run_id


def test_a_failed_run_keeps_its_reason(ledger: RunLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    assert ledger.finish(run_id, RunState.FAILED, reason="The feed breaks off.").reason == "The feed breaks off."
    assert ledger.runs(1)[0].state == RunState.FAILED


def test_restarting_forgets_what_computed_its_embeddings(ledger: RunLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    ledger.record_batch(run_id, replace(report(0), embedded_with="torch bf16 on cpu"))
    ledger.restart(run_id)
    assert ledger.run(run_id).embedded_with == ()


def test_restarting_forgets_what_was_done(ledger: RunLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    ledger.set_collection(run_id, "gone")
    ledger.record_batch(run_id, report(0, failure("p1"), ids=("p1",)))
    ledger.restart(run_id)
    begun = ledger.begin(PLAN)
    assert (begun.record.run_id, begun.finished_batches, begun.record.collection) == (run_id, frozenset(), "")
    assert ledger.failures(run_id) == []
    assert ledger.seen(run_id, ["p1"]) == frozenset()


def test_failures_come_back_whole_and_in_order(ledger: RunLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    expected = [failure("", None, line=2, with_product=False), failure("p1", 0, line=7), failure("p1", 1, line=7)]
    ledger.record_batch(run_id, report(1, expected[2], expected[1]))
    ledger.record_batch(run_id, report(0, expected[0]))
    assert ledger.failures(run_id) == expected


def test_a_retry_mends_the_list_of_the_run_it_retries(ledger: RunLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    bad_row = failure("p1", None, line=1, with_product=False)
    ledger.record_batch(run_id, report(0, bad_row, *(failure(f"p{number}", line=number) for number in (1, 2, 3))))
    ledger.finish(run_id, RunState.FINISHED)
    retry = ledger.begin(replace(PLAN, retry_of=run_id)).record.run_id
    ledger.record_batch(retry, report(0, failure("p2", 1, line=2), ids=("p1", "p2")))
    left = [bad_row, failure("p2", 1, line=2), failure("p3", line=3)]
    assert ledger.failures(run_id) == left
    assert ledger.failures(retry) == left


def test_a_run_of_events_lists_what_is_still_missing(ledger: RunLedger) -> None:
    plan = RunPlan(alias="products--abc/events", feed="", feed_version="2026-01-02", batch_products=1)
    assert plan.is_events
    feed_run = ledger.begin(PLAN).record.run_id
    run_id = ledger.begin(plan).record.run_id
    ledger.record_batch(run_id, report(7, failure("p1"), failure("p2"), ids=("p1", "p2")))
    ledger.record_batch(run_id, report(9, failure("p2", 1), ids=("p2",)))
    assert ledger.failures(run_id) == [failure("p1"), failure("p2", 1)]
    ledger.record_batch(run_id, report(12, ids=("p1", "p2")))
    assert ledger.failures(run_id) == []
    assert (ledger.begin(plan).record.run_id, ledger.begin(PLAN).record.run_id) == (run_id, feed_run)


def test_a_retry_is_never_resumed(ledger: RunLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    ledger.finish(run_id, RunState.FINISHED)
    plan = replace(PLAN, retry_of=run_id)
    assert ledger.begin(plan).record.run_id != ledger.begin(plan).record.run_id


def test_seen_ids_are_those_of_the_run(ledger: RunLedger) -> None:
    run_id = ledger.begin(PLAN).record.run_id
    ids = tuple(f"p{number}" for number in range(2000))
    ledger.record_batch(run_id, report(0, ids=ids[:1200]))
    ledger.record_batch(run_id, report(1, ids=ids[1100:1500]))
    assert ledger.seen(run_id, ids) == set(ids[:1500])
    assert ledger.seen(run_id, []) == frozenset()


def test_runs_are_listed_newest_first(ledger: RunLedger) -> None:
    ids = []
    for version in ("1", "2", "3"):
        run_id = ledger.begin(replace(PLAN, feed_version=version)).record.run_id
        ledger.finish(run_id, RunState.FINISHED)
        ids.append(run_id)
    assert [record.run_id for record in ledger.runs()] == ids[::-1]
    assert [record.run_id for record in ledger.runs(2)] == ids[:0:-1]


def test_an_unknown_run_is_told_with_the_latest_ones(ledger: RunLedger) -> None:
    with pytest.raises(RunNotFound, match="There is none yet"):
        ledger.run("nope")
    run_id = ledger.begin(PLAN).record.run_id
    with pytest.raises(RunNotFound, match=run_id):
        ledger.failures("nope")


def test_a_reindexs_run_and_the_aliass_runs_do_not_supersede_each_other(ledger: RunLedger) -> None:
    filling = replace(PLAN, target="products--abc--000007")
    run_id = ledger.begin(filling).record.run_id
    ledger.record_batch(run_id, report(0))
    other = ledger.begin(PLAN).record.run_id
    assert ledger.begin(replace(PLAN, feed_version="2")).record.run_id != other
    assert ledger.run(other).state is RunState.SUPERSEDED
    resumed = ledger.begin(filling)
    assert (resumed.record.run_id, resumed.finished_batches) == (run_id, frozenset({0}))
    assert resumed.record.plan == filling


def made_up_reindex() -> ReindexRecord:
    now = datetime.now(UTC)
    return ReindexRecord(
        reindex_id=new_run_id(),
        alias="products--abc",
        feed="/feeds/a.xml",
        target="products--abc--000008",
        donor="products--abc--000007",
        state=ReindexState.FILLING,
        started_at=now,
        updated_at=now,
    )


def test_a_reindex_is_recorded_as_it_goes_on(ledger: RunLedger) -> None:
    assert ledger.reindexes() == []
    first, second = made_up_reindex(), made_up_reindex()
    ledger.save_reindex(first)
    ledger.save_reindex(second)
    done = replace(
        first,
        state=ReindexState.FAILED,
        run_id="r",
        events_from=17,
        events_to=19,
        checks=(ReindexCheck("recall@10", 0.5, 0.95, passed=False, detail="50 %"),),
        reason="recall@10 is 0.5",
    )
    ledger.save_reindex(done)
    assert ledger.reindexes() == [second, done]
    assert ledger.reindexes(1) == [second]


def test_a_lease_has_one_holder_until_it_is_given_back(ledger: RunLedger) -> None:
    assert ledger.lease("reindex", "a", 60) == "a"
    assert ledger.lease("reindex", "b", 60) == "a"
    assert ledger.lease("other", "b", 60) == "b"
    assert ledger.lease("reindex", "a", 60) == "a"
    ledger.release("reindex", "b")
    assert ledger.lease("reindex", "b", 60) == "a"
    ledger.release("reindex", "a")
    assert ledger.lease("reindex", "b", 60) == "b"


def test_a_lease_that_is_not_renewed_lapses(ledger: RunLedger) -> None:
    assert ledger.lease("reindex", "a", 0.01) == "a"
    time.sleep(0.1)
    assert ledger.lease("reindex", "b", 60) == "b"


def test_runs_of_tenants_are_apart_though_feed_and_alias_are_the_same(ledger: RunLedger) -> None:
    plans = {tenant: replace(PLAN, tenant=tenant) for tenant in ("", "north", "south")}
    runs = {tenant: ledger.begin(plan).record.run_id for tenant, plan in plans.items()}
    assert len(set(runs.values())) == 3
    for tenant, run_id in runs.items():
        assert ledger.begin(plans[tenant]).record.run_id == run_id, "none took another's place"
        ledger.record_batch(run_id, report(0, failure("p1"), ids=("p1", f"only-{tenant}")))
        assert [record.run_id for record in ledger.runs(tenant=tenant)] == [run_id]
    assert ledger.seen(runs["north"], ["p1", "only-south", "only-north"]) == {"p1", "only-north"}
    retried = ledger.begin(replace(plans["north"], retry_of=runs["north"])).record
    ledger.record_batch(retried.run_id, report(0, ids=("p1",)))
    assert ledger.failures(runs["north"]) == []
    assert [item.product_id for item in ledger.failures(runs["south"])] == ["p1"]
    north = TenantRuns(ledger, "north")
    assert north.run(runs["north"]).plan == plans["north"]
    for other in (runs["south"], runs[""], "no such run"):
        for asked in (north.run, north.failures):
            with pytest.raises(RunNotFound) as caught:
                asked(other)
            assert not {runs["south"], runs[""]} & set((caught.value.remedy or "").replace(",", " ").split())
