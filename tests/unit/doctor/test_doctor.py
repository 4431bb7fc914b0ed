"""Each thing that the doctor tells of, made for real; and that it changes nothing and ends."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pydantic import SecretStr

from indexer.cli.main import main
from indexer.doctor.examine import examine, worst
from indexer.doctor.findings import Finding, Level
from indexer.doctor.isolated import check_space
from indexer.doctor.machine_check import check_clock, check_disk, check_permissions, check_versions
from indexer.doctor.model_check import check_model
from indexer.doctor.records_check import check_events, check_ledger
from indexer.doctor.server_check import check_server
from indexer.doctor.settings_check import check_settings
from indexer.doctor.store_check import check_aliases, check_collections, check_leftovers
from indexer.embedding.choice import LOCAL_DIR, demo_checkpoint
from indexer.events.port import EventKind, ProductEvent
from indexer.events.sqlite import SqliteEventLog
from indexer.ledger.port import BatchReport, Failure, RunPlan, RunState, Stage
from indexer.ledger.reindexes import ReindexRecord, ReindexState
from indexer.ledger.sqlite import SqliteLedger
from indexer.requests.port import RunOrder
from indexer.requests.sqlite import SqliteWorkQueue
from indexer.settings import Settings
from indexer.spaces import EmbeddingSpace
from indexer.store.edge_store import EdgeStore
from indexer.store.port import Alias, BatchChange
from indexer.store.tuning import IndexTuning
from indexer.store.writer_lock import WriterLock
from tests.points import DIM, made_up_point
from tests.processes import REPOSITORY, free_port, program_environment
from tests.redis_server import RedisServer
from workers.attendance import Attendance
from workers.checkup import check_broker
from workers.dead_letters import DeadLetters
from workers.messages import WorkerCard
from workers.names import WORKERS, index_queue
from workers.redis_connection import RedisConnection

SPACE = EmbeddingSpace("demo", "", DIM, 32, "preprocess", "tokenizer", "weights")
ALIAS = Alias("products", SPACE.space_id)
AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder in which all is well; not to be changed."""
    data_dir = tmp_path_factory.mktemp("doctor") / "data"
    with closing(EdgeStore(data_dir / "store", IndexTuning(), follow_s=0)) as store:
        for name in ("a", "b"):
            with closing(store.writer(ALIAS, SPACE)) as writer:
                writer.write(BatchChange(points=(made_up_point(name, 0, ord(name)),)))
                writer.publish()
    with closing(SqliteLedger(data_dir / "ledger.sqlite3")) as ledger:
        run = ledger.begin(RunPlan(ALIAS.name, "/feed.xml", "1")).record
        ledger.finish(run.run_id, RunState.FINISHED)
    with closing(SqliteEventLog(data_dir / "events.sqlite3")) as events:
        events.append([delete_event("a")])
        events.advance(ALIAS.name, 1)
    yield data_dir
    shutil.rmtree(data_dir)


@pytest.fixture
def data_dir(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged; sparse files stay sparse, so it takes no time."""
    subprocess.run(["cp", "-a", "--sparse=always", whole, tmp_path / "data"], check=True)
    return tmp_path / "data"


def delete_event(product_id: str) -> ProductEvent:
    return ProductEvent(product_id, EventKind.DELETE, AN_HOUR_AGO)


def settings_for(data_dir: Path, **values: Any) -> Settings:
    return Settings(data_dir=data_dir, model="demo", disk_least_free_bytes=1, **values)


def codes(findings: Any) -> set[str]:
    """Of what is not well; each says what to do."""
    wrong = [item for item in findings if item.level is not Level.OK]
    assert all(item.what and item.remedy for item in wrong)
    return {item.code for item in wrong}


def files_of(folder: Path) -> dict[str, Any]:
    """Everything of a folder but access times."""
    return {
        path.relative_to(folder).as_posix(): (
            path.lstat().st_mode,
            path.lstat().st_ino,
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


def shard_files(data_dir: Path, name: str) -> list[Path]:
    return [path for path in sorted((data_dir / "store" / "collections").rglob(name)) if path.stat().st_size]


def test_all_is_well_and_nothing_is_touched(whole: Path) -> None:
    before = files_of(whole)
    findings = examine(settings_for(whole), limit_s=120)
    assert codes(findings) == set(), findings
    assert worst(findings) is Level.OK
    assert list(dict.fromkeys(item.check for item in findings)) == [
        "settings",
        "versions",
        "disk",
        "permissions",
        "clock",
        "model",
        "alias",
        "store",
        "leftovers",
        "ledger",
        "events",
    ]
    opened = [item.what for item in findings if item.check == "store"]
    assert [what.partition(": ")[2] for what in opened] == [
        "1 pictures, demo, opened and searched.",
        "2 pictures, demo, opened and searched.",
    ]
    assert files_of(whole) == before


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    findings = examine(settings_for(tmp_path / "none"), limit_s=120)
    assert codes(findings) == {"catalog_not_indexed"}
    assert list(tmp_path.iterdir()) == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_segments(data_dir: Path) -> None:
    for path in shard_files(data_dir, "segment.json"):
        path.write_text("{")


def without_record(data_dir: Path) -> None:
    for path in shard_files(data_dir, "collection.json"):
        path.write_text('{"space": {}}')


def fewer_points(data_dir: Path) -> None:
    """As a disk that lost a segment: the engine opens the rest without a word."""
    for segments in sorted((data_dir / "store" / "collections").glob("*/shard/segments")):
        for folder in segments.iterdir():
            shutil.rmtree(folder)


@pytest.mark.parametrize("damage", [without_segments, without_record, fewer_points], ids=lambda item: item.__name__)
def test_a_damaged_collection(data_dir: Path, damage: Callable[[Path], None]) -> None:
    damage(data_dir)
    before = files_of(data_dir)
    assert codes(check_collections(settings_for(data_dir))) == {"collection_damaged"}
    assert files_of(data_dir) == before


def test_what_ends_the_process_that_looks_is_told_too(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that shrink under a memory map raise SIGBUS; here the checking process is given no memory to start with."""
    monkeypatch.setenv("PYTHONPATH", str(data_dir))
    (data_dir / "sitecustomize.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGBUS)")
    findings = examine(settings_for(data_dir), limit_s=120)
    assert "store_crashed" in codes(findings)
    assert "signal 7" in next(item.what for item in findings if item.code == "store_crashed")


def test_pointers(data_dir: Path) -> None:
    settings = settings_for(data_dir)
    pointer = data_dir / "store" / "aliases" / f"{ALIAS.name}.json"
    value = json.loads(pointer.read_text())
    pointer.write_text(json.dumps(value | {"collection": f"{ALIAS.name}--000099"}))
    assert codes(check_aliases(settings)) == {"alias_dangling"}
    pointer.write_text("{")
    assert codes(check_aliases(settings)) == {"alias_damaged"}
    (finding,) = check_aliases(settings)
    assert finding.remedy == f"python -m indexer promote {value['collection']}"


def test_another_model_and_another_catalog(whole: Path) -> None:
    assert codes(check_aliases(settings_for(whole).model_copy(update={"model": "ViT-B-16-SigLIP2"}))) == {
        "model_differs"
    }
    (finding,) = check_aliases(settings_for(whole, catalog="shoes"))
    assert (finding.code, "only under products" in finding.what) == ("catalog_not_indexed", True)


def test_the_models_own_space_is_compared(whole: Path) -> None:
    """Of the same name and of other weights, which only loading it tells."""
    assert codes(check_space(settings_for(whole))) == {"space_differs"}
    missing = settings_for(whole).model_copy(update={"model": f"{LOCAL_DIR}/no/such"})
    assert codes(check_space(missing)) == {"model_not_found"}


def test_leftovers(data_dir: Path) -> None:
    settings, store = settings_for(data_dir), data_dir / "store"
    collections = store / "collections"
    now = json.loads((store / "aliases" / f"{ALIAS.name}.json").read_text())["collection"]
    record = json.loads((collections / now / "collection.json").read_text())
    for number, changes in enumerate(({}, {"published": False}, {"published": False, "purpose": "reindex"}), start=90):
        folder = collections / f"{ALIAS.name}--{number:06d}"
        folder.mkdir()
        (folder / "collection.json").write_text(json.dumps(record | changes))
    (collections / f"{ALIAS.name}--000095").mkdir()
    (store / "aliases" / f".{ALIAS.name}.json.0a1b2c3d").write_text("{")
    (data_dir / ".restoring").mkdir()
    assert codes(check_leftovers(settings)) == {
        "collection_unused",
        "collection_unfinished",
        "reindex_unfinished",
        "collection_begun",
        "file_left",
    }
    with WriterLock(store):  # who writes now may have begun all of these
        assert not codes(check_leftovers(settings)) & {"collection_unfinished", "collection_begun"}


def test_a_damaged_ledger_and_one_that_is_none(data_dir: Path) -> None:
    settings, path = settings_for(data_dir), data_dir / "ledger.sqlite3"
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 3] = os.urandom(2 * 4096)
    path.write_bytes(content)
    before = files_of(data_dir)
    assert codes(check_ledger(settings)) == {"database_damaged"}
    assert files_of(data_dir) == before
    path.write_bytes(b"no database at all")
    assert codes(check_ledger(settings)) == {"database_damaged"}


def test_runs_that_wait_for_somebody(data_dir: Path) -> None:
    settings = settings_for(data_dir)
    with closing(SqliteLedger(data_dir / "ledger.sqlite3")) as ledger:
        run = ledger.begin(RunPlan(ALIAS.name, "/feed.xml", "2")).record
        failure = Failure("p", 0, "a.jpg", Stage.FETCH, "image_fetch_failed", "away", True, 1)
        ledger.record_batch(run.run_id, BatchReport(0, run.counts, failures=(failure,)))
        now = datetime.now(UTC)
        reindex = ReindexRecord("r1", ALIAS.name, "/feed.xml", "target", "", ReindexState.VERIFIED, now, now)
        ledger.save_reindex(reindex)
        # while it is open in another process, too
        assert codes(check_ledger(settings)) == {"run_interrupted", "failures_left", "reindex_waits"}
        with WriterLock(data_dir / "store"):
            assert codes(check_ledger(settings)) == {"failures_left", "reindex_waits"}
        ledger.finish(run.run_id, RunState.FAILED, reason="The feed broke off.")
        assert codes(check_ledger(settings)) == {"run_failed", "failures_left", "reindex_waits"}
        assert "The feed broke off." in str(check_ledger(settings))


def test_events_and_requests_that_nobody_takes(data_dir: Path) -> None:
    settings = settings_for(data_dir)
    with closing(SqliteEventLog(data_dir / "events.sqlite3")) as events:
        events.append([delete_event("b")])
    assert codes(check_events(settings)) == set(), "it came just now"
    with closing(sqlite3.connect(data_dir / "events.sqlite3")) as db:
        db.execute("UPDATE states SET appended_at = ?", (AN_HOUR_AGO.isoformat(timespec="microseconds"),))
        db.commit()
    with closing(SqliteWorkQueue(data_dir / "requests.sqlite3")) as queue:
        queue.request_run(RunOrder("/feed.xml"))
    with closing(sqlite3.connect(data_dir / "requests.sqlite3")) as db:
        db.execute("UPDATE requests SET updated_at = ?", (AN_HOUR_AGO.isoformat(timespec="microseconds"),))
        db.commit()
    (data_dir / "follower").mkdir()
    (data_dir / "follower" / "in_hand.json").write_text(json.dumps({"now": [], "suspects": [], "deaths": {"p7": 2}}))
    assert codes(check_events(settings)) == {"events_behind", "requests_wait", "product_kills"}


def test_the_models_files(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(demo_checkpoint(), tmp_path / "model"))
    settings = settings_for(tmp_path).model_copy(update={"model": f"{LOCAL_DIR}{folder}"})
    assert codes(check_model(settings)) == set()
    cut(folder / "open_clip_model.safetensors")
    assert codes(check_model(settings)) == {"model_weights_damaged"}
    (folder / "open_clip_model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0" + b"no header at all, but long")
    assert codes(check_model(settings)) == {"model_weights_damaged"}
    (folder / "open_clip_model.safetensors").unlink()
    (folder / "open_clip_config.json").write_text("{")
    assert codes(check_model(settings)) == {"model_weights_missing", "model_config_unreadable"}
    shutil.rmtree(folder)
    assert codes(check_model(settings)) == {"model_missing"}
    named = settings.model_copy(update={"model": "ViT-B-16-SigLIP2", "model_cache_dir": str(tmp_path)})
    assert codes(check_model(named)) == {"model_not_cached"}


def test_disk_permissions_and_clock(data_dir: Path) -> None:
    settings = settings_for(data_dir)
    assert codes(check_disk(settings.model_copy(update={"disk_least_free_bytes": 10**18}))) == {"disk_low"}
    (data_dir / "store").chmod(0o777)
    (data_dir / "keys.sqlite3").write_bytes(b"")
    (data_dir / "keys.sqlite3").chmod(0o644)
    assert codes(check_permissions(settings)) == {"writable_by_all", "keys_readable"}
    assert codes(check_permissions(settings_for(data_dir / "ledger.sqlite3"))) == {"data_dir_no_folder"}
    assert codes(check_clock(settings)) == set()
    later_s = time.time() + 3600
    os.utime(data_dir / "ledger.sqlite3", (later_s, later_s))
    assert codes(check_clock(settings)) == {"clock_behind"}


def test_what_another_user_may_not_read() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "store").mkdir(mode=0o700)
        hidden = folder / "store" / "inside"
        asked = (
            "import os; from pathlib import Path; from indexer.settings import Settings\n"
            "from indexer.doctor.machine_check import check_permissions\n"
            "os.setuid(65534)\n"
            f"for path in {[name, str(hidden)]!r}:\n"
            "    print({item.code for item in check_permissions(Settings(data_dir=Path(path)))})"
        )
        done = subprocess.run(
            [sys.executable, "-c", asked], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
        )
    assert done.stdout.splitlines() == ["{'folder_unwritable'}"] * 2, done.stderr


def test_versions_other_than_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes(check_versions(settings_for(tmp_path))) == set()
    # a distribution before the real one on the path, as a hand that ran pip in the wrong place leaves it
    old = tmp_path / "rich-1.0.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: rich\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (finding,) = check_versions(settings_for(tmp_path))
    assert (finding.code, "rich 1.0" in finding.what) == ("package_version", True)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"dispatcher": "celery", "redis_url": "redis://127.0.0.1"}, "dispatcher_needs_servers"),
        ({"ledger": "redis"}, "redis_url_missing"),
        ({"store": "qdrant"}, "qdrant_url_missing"),
        ({"qdrant_url": "http://127.0.0.1:6333"}, "qdrant_url_unused"),
        ({"store": "qdrant", "qdrant_url": "http://q:6333", "qdrant_api_key": "secret"}, "qdrant_key_in_clear"),
        (
            {
                "store": "qdrant",
                "qdrant_url": "http://q:6333",
                "qdrant_replication_factor": 2,
                "qdrant_write_consistency_factor": 3,
            },
            "write_consistency_impossible",
        ),
        ({"embed_batch_size": 24}, "batch_size_odd"),
        ({"precision": "int8", "backend": "torch"}, "int8_needs_openvino"),
        ({"backend": "openvino", "device": "cuda"}, "openvino_on_gpu"),
        ({"host": "0.0.0.0"}, "open_search_refused"),  # the very address that is refused
        ({"tenants": True}, "open_search_of_tenants"),
        ({"feeds_dir": "/no/such"}, "feeds_dir_missing"),
        ({"qdrant_ca_file": "/no/such"}, "qdrant_ca_file_missing"),
        ({"region_detector": "fasterrcnn:/no/such"}, "region_detector_missing"),
        ({"retry_base_s": 5, "retry_max_s": 1}, "retries_reversed"),
    ],
)
def test_settings_that_do_not_go_together(tmp_path: Path, values: dict[str, Any], code: str) -> None:
    assert codes(check_settings(settings_for(tmp_path, **values))) == {code}


def test_secrets_are_never_told(tmp_path: Path) -> None:
    settings = settings_for(
        tmp_path,
        store="qdrant",
        qdrant_url="http://q.invalid:1",
        qdrant_api_key=SecretStr("hush-qdrant"),
        admin_key=SecretStr("hush-admin"),
        redis_url=SecretStr(f"redis://:hush-redis@127.0.0.1:{free_port()}/0"),
    )
    told = str(examine(settings, limit_s=60))
    assert "redis_unavailable" in told
    assert "hush" not in told


def test_a_qdrant_server_that_is_away_and_one_that_answers(tmp_path: Path, qdrant_url: str) -> None:
    away = settings_for(
        tmp_path, store="qdrant", qdrant_url=f"http://127.0.0.1:{free_port()}", qdrant_prefer_grpc=False
    )
    assert codes(check_server(away)) == {"store_unavailable"}
    there = away.model_copy(update={"qdrant_url": qdrant_url, "catalog": "nothing_here"})
    assert codes(check_server(there)) == {"catalog_not_indexed"}


def test_redis_that_is_away_or_forgets(tmp_path: Path, redis_server: RedisServer) -> None:
    settings = settings_for(tmp_path, ledger="redis", redis_url=redis_server.url)
    assert codes(check_broker(settings)) == set()
    with closing(RedisConnection(redis_server.url)) as connection:
        connection.call("CONFIG", "SET", "appendonly", "no")
        connection.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        connection.call("CONFIG", "SET", "maxmemory", "1000000")
        assert codes(check_broker(settings)) == {"redis_forgets", "redis_evicts", "redis_full"}
        # where only limits of rates are kept, forgetting is no harm
        assert codes(check_broker(settings.model_copy(update={"ledger": "sqlite"}))) == {"redis_full"}
    redis_server.kill()
    assert codes(check_broker(settings)) == {"redis_unavailable"}


def test_what_waits_in_redis_for_workers(tmp_path: Path, redis_url: str) -> None:
    settings = settings_for(tmp_path, store="qdrant", ledger="redis", dispatcher="celery", redis_url=redis_url)
    with closing(RedisConnection(redis_url)) as connection:
        connection.call("SADD", WORKERS, "host:1:gone")
        DeadLetters(connection).add("message_invalid", {"a": 1})
        sent_at = {"headers": {"sent_at": time.time() - 3600}}
        connection.call("LPUSH", index_queue(SPACE.space_id), json.dumps(sent_at))
        before = connection.call("KEYS", "*"), connection.call("SMEMBERS", WORKERS)
        assert codes(check_broker(settings)) == {"dead_letters", "no_worker", "queue_waits"}
        assert (connection.call("KEYS", "*"), connection.call("SMEMBERS", WORKERS)) == before
        connection.call("DEL", index_queue(SPACE.space_id))
        card = WorkerCard(worker_id="host:2:x", model="demo", pretrained="", catalog="products", space=SPACE.to_json())
        Attendance(connection, lease_s=30).sign(card)
        assert codes(check_broker(settings)) == {"dead_letters"}


@contextmanager
def silent_server() -> Iterator[int]:
    """Takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield int(listening.getsockname()[1])


def test_it_ends_whatever_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ledger.sqlite3")  # whoever opens it waits for a writer that never comes
    with silent_server() as port:
        settings = settings_for(tmp_path, redis_url=SecretStr(f"redis://127.0.0.1:{port}/0"))
        findings = examine(settings.model_copy(update={"keys_file": str(tmp_path / "ledger.sqlite3")}), limit_s=1)
    silent = {item.check for item in findings if item.code == "no_answer"}
    assert "broker" in silent
    assert {item.check for item in findings} >= {"settings", "disk", "alias", "store", "ledger", "broker"}


def told(arguments: Sequence[str | Path], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["doctor", "--profile", "test", *map(str, arguments)])
    return code, capsys.readouterr().out


def test_the_command_tells_people_and_programs(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("VITRINE_")]:
        monkeypatch.delenv(name)
    fine: list[str | Path] = ["--data-dir", whole, "--disk-least-free-bytes", "1", "--timeout", "120"]
    code, out = told(fine, capsys)
    assert (code, out.splitlines()[-1]) == (0, "All is well.")
    code, out = told([*fine, "--catalog", "shoes", "--json"], capsys)
    value = json.loads(out)
    assert (code, value["level"]) == (1, "warning")
    assert [Finding.from_json(item).code for item in value["findings"] if item["level"] != "ok"] == [
        "catalog_not_indexed"
    ]
    code, out = told([*fine, "--embed-batch-size", "24"], capsys)
    assert (code, "→ It must be a power of two." in out, "1 errors, 0 warnings." in out) == (2, True, True)
    code, out = told(["--port", "many", "--json"], capsys)
    assert (code, json.loads(out)["findings"][0]["code"]) == (2, "configuration_invalid")


def test_it_starts_without_the_models_libraries() -> None:
    program = (
        "import sys, indexer.cli.main\n"
        "indexer.cli.main.main(['doctor', '--profile', 'test', '--data-dir', '/no/such', '--timeout', '60'])\n"
        "print({'torch', 'open_clip', 'transformers', 'openvino', 'qdrant_client', 'redis'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=program_environment(),
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1] == "set()"
