"""``tune`` from the command line to the processes that use what it came to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer import bootstrap
from indexer.cli.main import main
from indexer.embedding.numerics import Numerics
from indexer.embedding.towers import TowersEmbedder
from indexer.errors import PrecisionRefused
from indexer.precision.agreement import MIN_COSINE, MIN_OVERLAP
from indexer.settings import load_settings
from search_api.app import create_app
from tests.pictures import DrawnCatalog, catalog_row, draw_catalog, drawn_picture, write_feed
from tests.served import served, wait_for_status


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> DrawnCatalog:
    return draw_catalog(tmp_path_factory.mktemp("catalog") / "shop", products=110)


@pytest.fixture(scope="module")
def tuned_dir(catalog: DrawnCatalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which the demo model was tuned."""
    data_dir = tmp_path_factory.mktemp("data")
    assert main(["tune", str(catalog.feed), "--model", "demo", "--data-dir", str(data_dir), "--sample", "60"]) == 0
    return data_dir


def report_in(data_dir: Path) -> dict[str, Any]:
    (path,) = data_dir.glob("models/*/tuned.json")
    value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return value


def flags(data_dir: Path) -> list[str]:
    return ["--model", "demo", "--device", "cpu", "--data-dir", str(data_dir), "--image-threads", "2"]


def test_what_is_refused_is_what_misses_a_limit(tuned_dir: Path) -> None:
    report = report_in(tuned_dir)["report"]
    rows = report["rows"]
    ways = {(row["numerics"]["backend"], row["numerics"]["images"]) for row in rows}
    assert {("torch", "float32"), ("torch", "bf16"), ("openvino", "float32"), ("openvino", "int8")} <= ways
    for row in rows:
        agrees = all(
            min(item["mean_cosine"], item["low_cosine"]) >= MIN_COSINE and item["overlap"] >= MIN_OVERLAP
            for item in row["agreements"]
        )
        assert agrees == (not row["refused"]), row
        assert row["speed"]["images_per_s"] > 0
    assert report["sample"] == {
        "source": "the feed feed.jsonl",
        "pictures": 60,
        "calibration": 50,
        "texts": 24 + 110,
    }


def test_the_best_comes_first_and_nothing_refused_is_among_them(tuned_dir: Path) -> None:
    value = report_in(tuned_dir)
    refused = [
        (row["numerics"]["backend"], row["numerics"]["images"]) for row in value["report"]["rows"] if row["refused"]
    ]
    order = [(item["backend"], item["images"]) for item in value["order"]]
    assert ("torch", "float32") in order
    assert not set(order) & set(refused)


def test_every_process_uses_what_was_chosen(
    tuned_dir: Path, catalog: DrawnCatalog, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Numerics(**report_in(tuned_dir)["order"][0])
    settings = load_settings({"model": "demo", "data_dir": tuned_dir, "device": "cpu"}, environment={}).settings
    embedder = bootstrap.open_embedder(settings)
    assert isinstance(embedder, TowersEmbedder)
    assert embedder.numerics == first
    assert main(["index", str(catalog.feed), "--limit", "20", *flags(tuned_dir)]) == 0
    capsys.readouterr()
    assert main(["status", "--json", *flags(tuned_dir)]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["runs"][0]["embedded_with"] == [str(first)]
    assert list(status["embedded_with"].values()) == [[str(first)]]
    assert main(["status", *flags(tuned_dir)]) == 0
    assert str(first) in capsys.readouterr().out
    assert main(["info", *flags(tuned_dir)]) == 0
    assert f"tuned for demo: {first}" in capsys.readouterr().out
    with served(create_app(settings)) as client:
        wait_for_status(client, "/readyz", 200)
        body = catalog.picture(3).read_bytes()
        answer = client.post("/v1/search/image?limit=1", content=body, headers={"Content-Type": "image/jpeg"})
    assert answer.json()["hits"][0]["product_id"] == "p3"
    assert answer.json()["hits"][0]["score"] > 0.98


def test_a_catalog_in_float32_is_found_by_what_was_chosen(tuned_dir: Path, catalog: DrawnCatalog) -> None:
    """The point of measuring agreement: queries and catalog may differ in precision."""
    name = "mixed"
    float32 = [*flags(tuned_dir), "--catalog", name, "--precision", "float32", "--backend", "torch"]
    assert main(["index", str(catalog.feed), *float32]) == 0
    settings = load_settings(
        {"model": "demo", "data_dir": tuned_dir, "device": "cpu", "catalog": name}, environment={}
    ).settings
    with served(create_app(settings)) as client:
        wait_for_status(client, "/readyz", 200)
        for number in range(0, 110, 11):
            body = catalog.picture(number).read_bytes()
            answer = client.post("/v1/search/image?limit=1", content=body, headers={"Content-Type": "image/jpeg"})
            assert answer.json()["hits"][0]["product_id"] == f"p{number}"


def alike_catalog(folder: Path) -> Path:
    """A feed of pictures that are all but equal: rounding decides which of them are the nearest."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    picture = np.asarray(drawn_picture(1), dtype=np.int64)
    for number in range(90):
        noisy = Image.fromarray(np.clip(picture + rng.integers(0, 3, picture.shape), 0, 255).astype(np.uint8))
        noisy.save(folder / "images" / f"{number}.png")
    write_feed(folder / "feed.jsonl", [catalog_row(number, [f"images/{number}.png"]) for number in range(90)])
    return folder / "feed.jsonl"


def test_what_disagrees_on_the_latest_feed_is_refused(
    tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = ["--model", tiny_model, "--device", "cpu", "--data-dir", str(tmp_path)]
    feed = alike_catalog(tmp_path / "alike")
    assert main(["index", str(feed), *tiny, "--image-threads", "2"]) == 0
    capsys.readouterr()
    assert main(["tune", "--json", *tiny]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sample"]["source"] == "the feed feed.jsonl"
    refused = {row["numerics"]["images"] for row in report["rows"] if row["refused"]}
    assert refused == {"bf16", "int8"}
    settings = load_settings({"model": tiny_model, "data_dir": tmp_path, "precision": "bf16"}, environment={}).settings
    with pytest.raises(PrecisionRefused, match="overlap"):
        bootstrap.open_embedder(settings)


def test_without_any_catalog_int8_is_left_out_and_said_so(
    tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", "--model", tiny_model, "--device", "cpu", "--data-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "the pictures are made up, and int8 is left out" in out
    assert "refused: openvino int8" in out
    assert "chosen: " in out


def test_a_setting_by_name_stays_stronger_and_this_is_said(
    tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", tiny_model, "--device", "cpu", "--data-dir", str(tmp_path), "--precision", "float32"]
    assert main(["tune", *flags]) == 0
    assert "precision is float32, which stays stronger" in capsys.readouterr().err
    assert main(["tune", str(tmp_path / "no.xml"), *flags]) == 2
    assert "no.xml" in capsys.readouterr().err
