"""A picture that kills the process: found out and left out, while all others are indexed."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.errors import EventsUnavailable
from indexer.events.in_hand import InHand
from indexer.events.sqlite import SqliteEventLog
from indexer.ledger.port import Stage
from indexer.ledger.sqlite import SqliteLedger
from indexer.requests.port import RequestState, RunOrder
from indexer.requests.sqlite import SqliteWorkQueue
from indexer.store.edge_store import EdgeStore
from indexer.store.port import Alias
from indexer.store.tuning import IndexTuning
from tests.events import upsert
from tests.pictures import draw_catalog, drawn_picture, encoded
from tests.processes import run_program


def follow(data_dir: Path, model: str) -> int:
    done = run_program("tests.poisoned", [data_dir, model])
    assert done.returncode in {0, -9}, done.stderr
    return done.returncode


def test_a_poison_product_is_isolated_and_its_neighbours_are_indexed(tmp_path: Path, tiny_model: str) -> None:
    data = tmp_path / "data"
    for number in range(10):
        poisoned = number in {2, 7}
        picture = b"POISON" if poisoned else encoded(drawn_picture(number))
        (tmp_path / f"{number}.jpg").write_bytes(picture)
    log = SqliteEventLog(data / "events.sqlite3")
    log.append([upsert(f"p{number}", 0, f"{number}.jpg", root=str(tmp_path)) for number in range(10)])
    codes = [follow(data, tiny_model) for _ in range(12) if not applied(data)]
    # each of the two is in a batch of others once, and twice alone
    assert (codes.count(-9), codes[-1]) == (6, 0)
    store = EdgeStore(data / "store", IndexTuning(), follow_s=0)
    (path,) = (data / "store" / "aliases").glob("*.json")
    alias = Alias(*path.stem.split("--"))
    found = store.reader(alias).product_points([f"p{number}" for number in range(10)])
    assert set(found) == {f"p{number}" for number in range(10)} - {"p2", "p7"}
    ledger = SqliteLedger(data / "ledger.sqlite3")
    failures = ledger.failures(ledger.runs(1)[0].run_id)
    assert {(item.product_id, item.stage, item.code) for item in failures} == {
        ("p2", Stage.DECODE, "worker_lost"),
        ("p7", Stage.DECODE, "worker_lost"),
    }
    # a later event with a good picture is above suspicion
    (tmp_path / "2.jpg").write_bytes(encoded(drawn_picture(2)))
    log.append([upsert("p2", 1, "2.jpg", root=str(tmp_path))])
    assert follow(data, tiny_model) == 0
    assert len(store.reader(alias).product_points(["p2"])["p2"]) == 1
    assert [item.product_id for item in ledger.failures(ledger.runs(1)[0].run_id)] == ["p7"]
    for part in (log, store, ledger):
        part.close()


def applied(data: Path) -> bool:
    log = SqliteEventLog(data / "events.sqlite3")
    try:
        aliases = [path.stem for path in (data / "store" / "aliases").glob("*.json")]
        return any(log.applied(alias).sequence >= log.position() for alias in aliases)
    finally:
        log.close()


def test_a_requested_run_that_kills_the_process_does_not_hold_up_the_rest(tmp_path: Path, tiny_model: str) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=3)
    catalog.picture(1).write_bytes(b"POISON")
    good = draw_catalog(tmp_path / "good", products=2)
    queue = SqliteWorkQueue(tmp_path / "data" / "requests.sqlite3")
    poisoned = queue.request_run(RunOrder(feed=str(catalog.feed)))
    behind = queue.request_run(RunOrder(feed=str(good.feed)))
    codes = [follow(tmp_path / "data", tiny_model) for _ in range(6) if queue.oldest() is not None]
    assert codes == [-9, -9, -9, 0]
    failed = queue.request(poisoned.request_id)
    assert (failed.state, "died 3 times" in failed.reason) == (RequestState.FAILED, True)
    assert queue.request(behind.request_id).state is RequestState.FINISHED
    queue.close()


def test_a_run_that_gets_further_each_time_is_begun_again_and_again(tmp_path: Path) -> None:
    queue = SqliteWorkQueue(tmp_path / "requests.sqlite3")
    request = queue.request_run(RunOrder(feed="/feeds/a.xml"))
    assert [queue.begin(request.request_id) for _ in range(3)] == [1, 2, 3]
    queue.note(request.request_id, "run", 0.1)
    assert [queue.begin(request.request_id) for _ in range(2)] == [1, 2]
    queue.note(request.request_id, "run", 0.1)
    assert queue.begin(request.request_id) == 3
    queue.put_back(request.request_id)
    assert queue.begin(request.request_id) == 1
    queue.close()


def test_the_note_of_what_is_in_hand(tmp_path: Path) -> None:
    path = tmp_path / "follower" / "in_hand.json"
    first = InHand(path)
    with pytest.raises(KeyboardInterrupt), first.holding(["a", "b"]):
        raise KeyboardInterrupt  # an end in order, which tells nothing against a and b
    assert not InHand(path).is_suspect("a")

    held = []

    def die_with(*keys: str) -> InHand:
        held.append(InHand(path).holding(keys))  # never left: the process is gone
        held[-1].__enter__()
        return InHand(path)

    note = die_with("a", "b")
    assert [note.is_suspect(key) for key in "abc"] == [True, True, False]
    note = die_with("a")
    assert (note.is_suspect("a"), note.is_poison("a"), note.is_poison("b")) == (True, False, False)
    note = die_with("a")
    assert (note.is_poison("a"), note.is_suspect("b"), note.is_poison("b")) == (True, True, False)
    with note.holding(["b"]):
        pass
    assert not InHand(path).is_suspect("b")
    held.clear()
    path.write_text("{broken", "utf-8")
    assert not InHand(path).is_suspect("a")
    path.unlink()
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(EventsUnavailable, match="cannot be written"):
        InHand(tmp_path / "file" / "in_hand.json")
