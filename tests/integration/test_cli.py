"""The command line in this process: what it prints, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.cli.main import build_parser, main
from indexer.settings import Settings
from indexer.store.writer_lock import WriterLock
from tests.pictures import DrawnCatalog, draw_catalog
from tests.processes import REPOSITORY, program_environment

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def catalog(tmp_path: Path) -> DrawnCatalog:
    return draw_catalog(tmp_path / "catalog", products=12)


@pytest.fixture
def run(tmp_path: Path, tiny_model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on an own data folder with the tiny model: exit code, output, messages."""
    for name in list(os.environ):
        if name.startswith("VITRINE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VITRINE_MODEL", tiny_model)
    monkeypatch.setenv("VITRINE_EMBED_THREADS", "1")

    def run_it(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([*map(str, arguments), "--data-dir", str(tmp_path / "data")])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_it


def test_index_says_what_it_did(run: Run, catalog: DrawnCatalog) -> None:
    code, out, err = run("index", catalog.feed)
    assert code == 0
    assert "12 products, 12 pictures: 12 embedded, 0 already known" in out
    assert "0 failed" in out
    assert "indexing: 0%" in err
    code, out, _ = run("index", catalog.feed)
    assert (code, "0 embedded, 12 already known" in out, "12 unchanged" in out) == (0, True, True)


def test_failures_are_told_listed_and_retried(run: Run, catalog: DrawnCatalog) -> None:
    good = catalog.picture(3).read_bytes()
    catalog.picture(3).write_bytes(b"")
    code, out, _ = run("index", catalog.feed)
    assert code == 3
    assert "Failures: image_empty 1" in out
    assert "line 4, p3: The picture has no bytes." in out
    run_id = out.split("python -m indexer retry ")[1].split()[0]
    code, out, _ = run("failures", "--json")
    (failure,) = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert (failure["product_id"], failure["stage"], failure["code"], failure["run_id"]) == (
        "p3",
        "decode",
        "image_empty",
        run_id,
    )
    assert "image_empty" in run("failures", run_id)[1]
    assert run("retry", run_id)[0] == 3
    catalog.picture(3).write_bytes(good)
    code, out, _ = run("retry", run_id)
    assert (code, "1 embedded" in out) == (0, True)
    assert "has no failures" in run("failures", run_id)[1]
    code, _, err = run("retry", run_id)
    assert (code, "can be retried" in err) == (2, True)


def test_status_shows_collections_and_runs(run: Run, catalog: DrawnCatalog) -> None:
    assert "No collections yet" in run("status")[1]
    run("index", catalog.feed)
    code, out, _ = run("status")
    assert code == 0
    assert "local-dir:tiny" in out
    assert str(catalog.feed) in out
    value = json.loads(run("status", "--json")[1])
    assert value["collections"][0]["points"] == 12
    assert value["collections"][0]["alias"].startswith("products--")
    assert value["runs"][0]["counts"]["products"] == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["index", "/no/such/feed.xml"], "feed.xml"),
        (["index", "/no/such/feed.xml", "--model", "local-dir:/no/such/folder"], "feed.xml"),
        (["reindex", "/no/such/feed.xml", "--model", "local-dir:/no/such/folder"], "feed.xml"),
        (["index", "FEED", "--model", "local-dir:/no/such/folder"], "checkpoint folder"),
        (["index", "FEED", "--model", "ViT-B-32-SigLIP2-25"], "Did you mean"),
        (["index", "FEED", "--full", "--limit", "3"], "limit"),
        (["index", "FEED", "--port", "many"], "port"),
        (["index", "FEED", "--profile", "nope"], "profile nope"),
        (["index", "FEED", "--store", "qdrant"], "qdrant_url"),
        (["failures"], "no run yet"),
        (["failures", "nope"], "no run nope"),
        (["retry", "nope"], "no run nope"),
        (["evaluate", "/no/such/queries.jsonl"], "cannot be read"),
    ],
)
def test_what_cannot_start_exits_with_2_and_one_sentence(
    run: Run, catalog: DrawnCatalog, arguments: list[str], message: str
) -> None:
    code, out, err = run(*[str(catalog.feed) if item == "FEED" else item for item in arguments])
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err


def test_a_locked_store_names_its_holder(run: Run, catalog: DrawnCatalog, tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "data" / "store")
    code, _, err = run("index", catalog.feed, "--writer-wait-s", "0.1")
    lock.release()
    assert code == 2
    assert f"process {os.getpid()}" in err


def test_limit(run: Run, catalog: DrawnCatalog) -> None:
    assert "5 products" in run("index", catalog.feed, "--limit", "5")[1]


def test_evaluate_prints_a_table_and_json(run: Run, catalog: DrawnCatalog) -> None:
    run("index", catalog.feed)
    queries = catalog.folder / "queries.jsonl"
    lines = [
        {"image": f"images/p{number}-0.jpg", "relevant": [f"p{number}"], "kind": "odd" if number % 2 else "even"}
        for number in range(12)
    ]
    queries.write_text("\n".join(map(json.dumps, [*lines, {"text": "red mug", "relevant": ["p1"], "kind": "text"}])))
    code, out, _ = run("evaluate", queries, "--group-by", "kind", "--where", "kind=odd")
    assert code == 0
    assert "1.000 (1.000-1.000)" in out
    code, out, _ = run("evaluate", queries, "--group-by", "kind", "--json")
    value = json.loads(out)
    assert [group["name"] for group in value["groups"]] == ["all", "even", "odd", "text"]
    assert value["groups"][0]["queries"] == 13
    assert value["groups"][1]["metrics"]["hit@1"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert value["model"] == "local-dir:tiny"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is no JSON"),
        ('{"relevant": ["p1"]}', "exactly one of text and image"),
        ('{"text": "a", "image": "b.jpg", "relevant": ["p1"]}', "exactly one of text and image"),
        ('{"text": "a", "relevant": []}', "has no query"),
        ('{"image": "none.jpg", "relevant": ["p1"]}', "query line 1"),
    ],
)
def test_unusable_queries_are_named(run: Run, catalog: DrawnCatalog, line: str, message: str) -> None:
    run("index", catalog.feed, "--limit", "1")
    queries = catalog.folder / "queries.jsonl"
    queries.write_text(line)
    code, _, err = run("evaluate", queries)
    assert code == 2
    assert message in err


def test_verify_model_says_what_was_loaded(run: Run, tiny_model: str) -> None:
    code, out, _ = run("verify-model", tiny_model)
    assert code == 0
    assert "dim 32, 32 px" in out
    assert "No scores are published" in out


def test_verify_model_refuses_a_model_that_does_not_agree(run: Run, tiny_model: str, shared_data: Path) -> None:
    published = shared_data / "siglip" / "published"
    arguments = ("verify-model", tiny_model, "--published", published, "--as", "ViT-L-16-SigLIP-384")
    code, out, _ = run(*arguments)
    assert code == 1
    assert "DOES NOT AGREE" in out
    assert "SigLIP_demo_table1" in out


def test_info_shows_every_setting_and_where_it_comes_from(run: Run, tiny_model: str) -> None:
    code, out, _ = run("info", "--port", "9")
    assert code == 0
    for name in Settings.model_fields:
        assert f"\n{name} " in out
    value = json.loads(run("info", "--json", "--port", "9")[1])
    assert value["settings"]["model"] == {"value": tiny_model, "from": "environment"}
    assert value["settings"]["port"] == {"value": "9", "from": "flag"}
    assert value["settings"]["store"]["from"] == "profile embedded"


def test_secrets_are_not_shown(run: Run) -> None:
    _, out, _ = run("info", "--qdrant-api-key", "s3cret")
    assert "s3cret" not in out


def test_every_setting_has_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        build_parser().parse_args(["index", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')} " in text


def test_ctrl_c_says_that_nothing_is_lost_and_the_run_resumes(tmp_path: Path, tiny_model: str, run: Run) -> None:
    catalog = draw_catalog(tmp_path / "many", products=400)
    command = [sys.executable, "-m", "indexer", "index", str(catalog.feed), "--batch-products", "2"]
    command += ["--data-dir", str(tmp_path / "data"), "--model", tiny_model]
    # tests that a shell runs in the background ignore the signal, and hand that down; a person's shell does not
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=program_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no other thread takes locks
    )
    deadline_s = time.monotonic() + 100
    while not list((tmp_path / "data").glob("store/collections/*/collection.json")):
        assert time.monotonic() < deadline_s
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Finished batches are kept" in err
    assert "Traceback" not in err
    code, out, _ = run("index", catalog.feed, "--batch-products", "2")
    assert (code, "400 products" in out) == (0, True)
    assert len(json.loads(run("status", "--json")[1])["runs"]) == 1


def test_a_full_disk_stops_the_run_which_can_be_resumed(run: Run, catalog: DrawnCatalog, tmp_path: Path) -> None:
    run("index", catalog.feed, "--limit", "2")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, unlimited[1]))  # larger files fail as on a full disk
    try:
        code, _, err = run("index", catalog.feed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert code == 1
    assert "stopped: " in err
    assert "disk" in err
    assert "goes on from there" in err
    assert json.loads(run("status", "--json")[1])["collections"][0]["points"] == 2
    assert run("index", catalog.feed)[0] == 0
    status = json.loads(run("status", "--json")[1])
    assert [run["state"] for run in status["runs"]] == ["finished", "finished"]
    assert status["collections"][-1]["points"] == 12
    assert len(list((tmp_path / "data" / "store" / "collections").iterdir())) == 2
