"""One suite for every event log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import EventsUnavailable
from indexer.events.delays import KEPT_DELAYS
from indexer.events.logs import EventLogs, SqliteEventLogs
from indexer.events.port import Applied, EventKind, EventLog, ProductBase, ProductEvent
from indexer.events.sqlite import SqliteEventLog
from tests.points import made_up_product
from workers.redis_connection import RedisConnection
from workers.redis_events import RedisEventLog, RedisEventLogs

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def upsert(product_id: str, minutes: float, **fields: Any) -> ProductEvent:
    product = made_up_product(product_id, **fields)
    return ProductEvent(product_id, EventKind.UPSERT, at(minutes), product=product, image_root="/feeds")


def delete(product_id: str, minutes: float) -> ProductEvent:
    return ProductEvent(product_id, EventKind.DELETE, at(minutes))


def patch(product_id: str, minutes: float, **fields: Any) -> ProductEvent:
    return ProductEvent(product_id, EventKind.UPDATE_FIELDS, at(minutes), fields=fields)


Opener = Callable[[], EventLog]


@pytest.fixture(params=["sqlite", "redis"])
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the same log again and again, as other processes would; from several threads too."""
    redis_url = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    with ExitStack() as stack:

        def open_sqlite() -> EventLog:
            opened = SqliteEventLog(tmp_path / "data" / "events.sqlite3")
            stack.callback(opened.close)
            return opened

        def open_redis() -> EventLog:
            opened = RedisEventLog(RedisConnection(redis_url, EventsUnavailable))
            stack.callback(opened.close)
            return opened

        yield {"sqlite": open_sqlite, "redis": open_redis}[request.param]


@pytest.fixture
def log(open_log: Opener) -> EventLog:
    return open_log()


def test_an_empty_log_knows_nothing(log: EventLog) -> None:
    assert (log.position(), log.since(0), dict(log.latest(["p1"]))) == (0, [], {})
    assert log.applied("products--abc") == Applied()
    assert log.compact(at(0), 99) == 0
    assert log.again(["p1"]) == 0


def test_states_come_back_whole(log: EventLog) -> None:
    before = datetime.now(UTC)
    (answer,) = log.append([upsert("p/1 ü", 0)])
    log.append([patch("p/1 ü", 1, price_minor=None, category=["a", "b"], attributes={"цвет": "красный"})])
    state = log.latest(["p/1 ü", "other"])["p/1 ü"]
    assert state.base == ProductBase(at(0), made_up_product("p/1 ü"), "/feeds")
    values = {name: (item.updated_at, item.value) for name, item in state.fields.items()}
    assert values == {
        "price_minor": (at(1), None),
        "category": (at(1), ["a", "b"]),
        "attributes": (at(1), {"цвет": "красный"}),
    }
    assert state.sequence > answer.sequence > 0
    assert state.appended_at is not None
    assert before <= state.appended_at <= datetime.now(UTC)


def test_sequences_grow_and_each_product_is_listed_once_at_its_latest(log: EventLog) -> None:
    log.append([upsert("p1", 0), upsert("p2", 0), delete("p3", 0)])
    log.append([patch("p1", 1, price_minor=5)])
    states = log.since(0)
    assert [state.product_id for state in states] == ["p2", "p3", "p1"]
    sequences = [state.sequence for state in states]
    assert sequences == sorted(set(sequences))
    assert log.position() == sequences[-1]
    assert [state.product_id for state in log.since(sequences[0])] == ["p3", "p1"]
    assert [state.product_id for state in log.since(0, 2)] == ["p2", "p3"]
    assert log.since(log.position()) == []


def test_an_older_event_changes_nothing_and_is_told(log: EventLog) -> None:
    (new,) = log.append([upsert("p1", 5, price_minor=500)])
    position, state = log.position(), log.latest(["p1"])
    answers = log.append([upsert("p1", 4, price_minor=400), delete("p1", 4), patch("p1", 4, title="Old")])
    assert [(answer.stale, answer.sequence) for answer in answers] == [(True, new.sequence)] * 3
    assert answers[2].ignored_fields == ("title",)
    assert (log.position(), log.latest(["p1"])) == (position, state)


def test_the_same_event_again_is_known_not_stale(log: EventLog) -> None:
    events = [upsert("p1", 1), patch("p1", 2, price_minor=7), delete("p2", 1)]
    first = log.append(events)
    again = log.append(events)
    assert [answer.stale for answer in again[1:]] == [False, False]
    assert not again[0].stale
    assert log.position() == max(answer.sequence for answer in first)


def test_an_update_is_stale_by_field(log: EventLog) -> None:
    log.append([patch("p1", 3, price_minor=3)])
    (answer,) = log.append([patch("p1", 2, price_minor=2, in_stock=False)])
    assert (answer.stale, answer.ignored_fields) == (False, ("price_minor",))
    fields = log.latest(["p1"])["p1"].fields
    assert {name: item.value for name, item in fields.items()} == {"price_minor": 3, "in_stock": False}


def test_events_of_one_call_follow_each_other(log: EventLog) -> None:
    answers = log.append([delete("p1", 1), upsert("p1", 2), upsert("p1", 0)])
    assert [answer.stale for answer in answers] == [False, False, True]
    state = log.latest(["p1"])["p1"]
    assert state.base is not None
    assert state.base.updated_at == at(2)


def test_versions_are_instants_whatever_their_zone(log: EventLog) -> None:
    east = timezone(timedelta(hours=5))
    log.append([ProductEvent("p1", EventKind.DELETE, at(1).astimezone(east))])
    (same,) = log.append([delete("p1", 1)])
    (older,) = log.append([upsert("p1", 0)])
    assert (same.stale, older.stale) == (False, True)
    with pytest.raises(ValueError, match="time zone"):
        ProductEvent("p1", EventKind.DELETE, datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


def test_what_one_opened_log_appends_another_reads(open_log: Opener) -> None:
    one, other = open_log(), open_log()
    one.append([upsert("p1", 0)])
    assert other.latest(["p1"])["p1"].base is not None
    other.append([delete("p1", 1)])
    state = one.latest(["p1"])["p1"]
    assert state.base is not None
    assert state.base.product is None


def test_appending_at_the_same_time_loses_nothing(open_log: Opener) -> None:
    """Every thread patches its own field of the same products; each must find all others' in the state."""
    names = ["title", "description", "brand", "link"]
    products = [f"p{number}" for number in range(10)]

    def work(name: str) -> None:
        log = open_log()
        for number in range(10):
            log.append([patch(product_id, number, **{name: f"{name} {number}"}) for product_id in products])

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = open_log()
    states = log.latest(products)
    for product_id in products:
        values = {name: item.value for name, item in states[product_id].fields.items()}
        assert values == {name: f"{name} 9" for name in names}
    sequences = [state.sequence for state in log.since(0)]
    assert len(set(sequences)) == len(products)
    assert max(sequences) == log.position() == len(names) * 10 * len(products)


def test_again_gives_a_new_sequence_and_keeps_the_state(log: EventLog) -> None:
    log.append([upsert("p1", 0), upsert("p2", 0)])
    before = log.latest(["p1"])["p1"]
    position = log.position()
    assert log.again(["p1", "p1", "unknown"]) == 1
    (state,) = log.since(position)
    assert (state.product_id, state.base, dict(state.fields)) == ("p1", before.base, dict(before.fields))
    assert log.position() >= state.sequence > position


def test_the_applied_position_belongs_to_an_alias_and_never_goes_back(open_log: Opener) -> None:
    log = open_log()
    log.advance("one", 7, [1.0, 2.0, 3.0])
    log.advance("one", 5)
    log.advance("two", 1, [9.0])
    assert open_log().applied("one") == Applied(7, 3, 2.0, 3.0)
    assert open_log().applied("two") == Applied(1, 1, 9.0, 9.0)


def test_delays_are_those_of_the_latest_events(log: EventLog) -> None:
    log.advance("one", 1, [100.0] * 50)
    log.advance("one", 2, [0.5] * KEPT_DELAYS)
    assert log.applied("one") == Applied(2, 50 + KEPT_DELAYS, 0.5, 0.5)


def test_compacting_forgets_old_deletions_and_fields_that_are_applied(log: EventLog) -> None:
    log.append([delete("gone", 0), patch("patched", 0, price_minor=1), upsert("kept", 0)])
    log.append([delete("young", 10), patch("mixed", 0, price_minor=1), patch("mixed", 10, title="New")])
    applied = log.position()
    log.append([delete("pending", 0)])
    position = log.position()
    assert log.compact(at(5), applied) == 2
    assert {state.product_id for state in log.since(0)} == {"kept", "young", "mixed", "pending"}
    assert log.position() == position
    (answer,) = log.append([upsert("gone", 1)])
    assert answer.sequence > position


def test_thousands_of_products_are_found(log: EventLog) -> None:
    ids = [f"p{number}" for number in range(1500)]
    log.append([delete(product_id, 0) for product_id in ids])
    assert set(log.latest([*ids, "other"])) == set(ids)
    assert len(log.since(0, 2000)) == 1500


def test_what_comes_without_a_version_counts_in_its_order_even_if_the_clock_is_set_back(log: EventLog) -> None:
    log.append([replace(upsert("p1", 60, price_minor=1), dated=False)])
    (appended,) = log.append([replace(patch("p1", 5, price_minor=2), dated=False)])
    assert not appended.stale
    state = log.latest(["p1"])["p1"]
    assert state.fields["price_minor"].value == 2
    assert state.fields["price_minor"].updated_at > at(60)
    log.append([replace(delete("p1", 0), dated=False)])
    base = log.latest(["p1"])["p1"].base
    assert base is not None
    assert base.product is None
    # what has a version has its place in time, as before
    assert log.append([upsert("p1", 59)])[0].stale
    assert not log.append([upsert("p1", 61)])[0].stale


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_logs_of_tenants_know_nothing_of_each_other(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    logs: EventLogs = SqliteEventLogs(tmp_path / "data")
    if kind == "redis":
        logs = RedisEventLogs(RedisConnection(request.getfixturevalue("redis_url"), EventsUnavailable))
    with closing(logs):
        assert list(logs.tenants()) == []
        logs.of("").append([upsert("p1", 0)])
        logs.of("north").append([upsert("p1", 1, price_minor=1), upsert("p2", 1)])
        logs.of("south").append([delete("p1", 2)])
        assert list(logs.tenants()) == ["north", "south"]
        assert [logs.of(tenant).position() for tenant in ("", "north", "south")] == [1, 2, 1]
        states = {tenant: logs.of(tenant).latest(["p1", "p2"]) for tenant in ("", "north", "south")}
        assert [sorted(found) for found in states.values()] == [["p1"], ["p1", "p2"], ["p1"]]
        north, south = states["north"]["p1"].base, states["south"]["p1"].base
        assert north is not None and north.product is not None and north.product.price_minor == 1
        assert south is not None and south.product is None
        logs.of("north").advance("products--abc", 2, [0.5])
        assert logs.of("north").applied("products--abc").sequence == 2
        assert logs.of("south").applied("products--abc") == Applied()
        assert logs.of("south").again(["p2"]) == 0
        logs.of("south").compact(at(60 * 24 * 365), 99)
        assert sorted(logs.of("north").latest(["p1", "p2"])) == ["p1", "p2"]
