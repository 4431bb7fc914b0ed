"""The OpenVINO backend against torch's float32, and its converted towers on disk."""

from __future__ import annotations

import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from indexer.embedding import openvino_backend
from indexer.embedding.build import Builder, Running
from indexer.embedding.choice import DEMO_MODEL, ModelChoice
from indexer.embedding.numerics import NumberFormat, Numerics
from indexer.embedding.openclip import LoadedModel, load_open_clip
from indexer.embedding.openvino_backend import INT8_RECIPES
from indexer.embedding.port import Pixels
from indexer.embedding.tower_files import StoredTower
from indexer.errors import ConfigurationError, ModelFailed, ModelMismatch, PrecisionRefused, QueryTextEmpty
from indexer.points import Vectors
from tests.pictures import drawn_picture

TEXTS = ["red mug", "Красная КРУЖКА!", "红色马克杯", "a photo of a very long title of a product " * 20]
OPENVINO = Numerics("openvino", "float32", "float32")


def builder_of(model: LoadedModel, folder: Path, *, batch_size: int = 8) -> Builder:
    return Builder(model, Running(threads=2, batch_size=batch_size), folder)


def pictures(model: LoadedModel, count: int, first: int = 0) -> Pixels:
    return np.stack([model.preprocess.apply(drawn_picture(seed)) for seed in range(first, first + count)])


def cosines(a: Vectors, b: Vectors) -> Vectors:
    return np.asarray(np.sum(a * b, axis=1), dtype=np.float32)


@pytest.fixture(scope="module")
def tiny(tiny_model: str) -> LoadedModel:
    return load_open_clip(ModelChoice(model=tiny_model))


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Converted once for all tests that do no harm to it."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def demo() -> LoadedModel:
    return load_open_clip(ModelChoice(model=DEMO_MODEL))


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.mark.parametrize("name", ["tiny", "demo"])
@pytest.mark.parametrize(
    ("number_format", "least"), [("float32", 1 - 1e-5), ("bf16", 0.995), ("int8", 0.9)], ids=["float32", "bf16", "int8"]
)
def test_every_precision_agrees_with_torch_float32(
    name: str, number_format: NumberFormat, least: float, request: pytest.FixtureRequest
) -> None:
    if number_format not in openvino_backend.supported_formats():
        pytest.skip(f"this processor has no {number_format}")
    model: LoadedModel = request.getfixturevalue(name)
    builder = builder_of(model, request.getfixturevalue(f"{name}_folder"))
    exact = builder.build(Numerics())
    if number_format == "int8":
        builder.quantise(pictures(model, 32, first=100), INT8_RECIPES[0])
    texts: NumberFormat = "float32" if number_format == "int8" else number_format
    fast = builder.build(Numerics("openvino", number_format, texts))
    assert fast.space == exact.space
    pixels = pictures(model, 11)
    images = cosines(exact.embed_images(pixels), fast.embed_images(pixels))
    assert images.min() > least
    assert cosines(exact.embed_texts(TEXTS), fast.embed_texts(TEXTS)).min() > min(least, 0.995)
    assert fast.embed_images(pixels).dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(fast.embed_images(pixels), axis=1), 1, atol=1e-6)
    # int8 is another computation, not float32 by another name
    assert (images.min() < 1 - 1e-5) == (number_format != "float32")


def test_any_number_of_rows(tiny: LoadedModel, tiny_folder: Path) -> None:
    embedder = builder_of(tiny, tiny_folder, batch_size=8).build(OPENVINO)
    pixels = pictures(tiny, 19)
    together = embedder.embed_images(pixels)
    for size in (1, 3, 8, 9):
        np.testing.assert_allclose(embedder.embed_images(pixels[:size]), together[:size], atol=1e-5)
    assert embedder.embed_images(pixels[:0]).shape == (0, tiny.space.dim)
    assert embedder.embed_texts([]).shape == (0, tiny.space.dim)
    texts = [f"mug {number}" for number in range(9)]
    alone = np.concatenate([embedder.embed_texts([text]) for text in texts])
    np.testing.assert_allclose(embedder.embed_texts(texts), alone, atol=1e-5)
    with pytest.raises(QueryTextEmpty):
        embedder.embed_texts(["mug", "!?"])


def test_a_view_of_an_array_embeds_as_its_copy_does(tiny: LoadedModel, tiny_folder: Path) -> None:
    embedder = builder_of(tiny, tiny_folder).build(OPENVINO)
    pixels = pictures(tiny, 6)
    np.testing.assert_array_equal(embedder.embed_images(pixels[::2]), embedder.embed_images(pixels[::2].copy()))
    pixels.setflags(write=False)
    assert embedder.embed_images(pixels).shape == (6, tiny.space.dim)


def test_threads_get_their_own_answers(tiny: LoadedModel, tiny_folder: Path) -> None:
    embedder = builder_of(tiny, tiny_folder).build(OPENVINO)
    pixels = pictures(tiny, 40)
    images = embedder.embed_images(pixels)
    texts = embedder.embed_texts([f"mug {number}" for number in range(40)])

    def ask(number: int) -> None:
        np.testing.assert_allclose(embedder.embed_images(pixels[number : number + 1])[0], images[number], atol=1e-5)
        np.testing.assert_allclose(embedder.embed_texts([f"mug {number}"])[0], texts[number], atol=1e-5)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, [*range(40)] * 3))


def test_an_earlier_answer_is_not_overwritten(tiny: LoadedModel, tiny_folder: Path) -> None:
    """The library hands out its own memory; what it answers must be copied."""
    embedder = builder_of(tiny, tiny_folder).build(OPENVINO)
    first = embedder.embed_images(pictures(tiny, 1))
    kept = first.copy()
    embedder.embed_images(pictures(tiny, 1, first=5))
    np.testing.assert_array_equal(first, kept)


def test_numbers_that_are_not_finite_fail_by_name(tiny: LoadedModel, tmp_path: Path, tiny_model: str) -> None:
    broken = load_open_clip(ModelChoice(model=tiny_model))
    with torch.no_grad():
        broken.module.get_parameter("visual.proj").fill_(float("nan"))
    embedder = builder_of(broken, tmp_path).build(OPENVINO)
    with pytest.raises(ModelFailed, match="not finite"):
        embedder.embed_images(pictures(tiny, 2))
    assert embedder.embed_texts(["red mug"]).shape == (1, tiny.space.dim)


def test_a_processor_without_bf16_is_told(
    tiny: LoadedModel, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_backend, "supported_formats", lambda: ("float32", "int8"))
    with pytest.raises(ConfigurationError, match=r"no instructions for bf16.*float32"):
        builder_of(tiny, tiny_folder).build(Numerics("openvino", "bf16", "bf16"))


def test_a_missing_package_is_told(tiny: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_backend, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"not installed.*pip install"):
        builder_of(tiny, tmp_path).build(OPENVINO)


@pytest.mark.parametrize(
    ("numerics", "message"),
    [
        (Numerics("torch", "int8", "float32"), "torch cannot compute"),
        (Numerics("torch", "bf16", "float32"), "torch cannot compute"),
        (Numerics("openvino", "float32", "int8"), "no int8 form"),
        (replace(OPENVINO, device="cuda"), "runs on the CPU"),
    ],
    ids=str,
)
def test_what_no_backend_computes_is_told(tiny: LoadedModel, tmp_path: Path, numerics: Numerics, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        builder_of(tiny, tmp_path).build(numerics)


def test_int8_without_a_sample_is_told(tiny: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(PrecisionRefused, match="indexer tune FEED"):
        builder_of(tiny, tmp_path).build(Numerics("openvino", "int8", "float32"))


def test_this_programs_own_log_is_not_silenced(tiny: LoadedModel, tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.filters), [(handler, handler.level) for handler in root.handlers])
    builder_of(tiny, tmp_path).quantise(pictures(tiny, 4), INT8_RECIPES[0])
    assert (root.level, root.filters, [(handler, handler.level) for handler in root.handlers]) == before


def test_nothing_reports_home(tiny: LoadedModel, tmp_path: Path) -> None:
    builder_of(tiny, tmp_path).stored("texts", "float32")
    assert sys.modules["openvino_telemetry"] is None


def stored_anew(tiny: LoadedModel, folder: Path) -> StoredTower:
    stored = builder_of(tiny, folder).stored("images", "float32")
    assert stored is not None
    return stored


def test_a_converted_tower_is_converted_once(
    tiny: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stored_anew(tiny, tmp_path)
    monkeypatch.setattr(openvino_backend, "save_converted", lambda *_: pytest.fail("it was there"))
    assert stored_anew(tiny, tmp_path) == first
    # bf16 runs the same graph
    assert builder_of(tiny, tmp_path).stored("images", "bf16") == first


@pytest.mark.parametrize("harm", ["weights cut off", "weights changed", "graph gone", "record cut off", "record empty"])
def test_a_damaged_tower_is_made_anew(tiny: LoadedModel, tmp_path: Path, harm: str) -> None:
    before = stored_anew(tiny, tmp_path)
    record = before.path.parent / "images-float32.json"
    weights = before.path.with_suffix(".bin")
    if harm == "weights cut off":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif harm == "weights changed":
        data = bytearray(weights.read_bytes())
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
    elif harm == "graph gone":
        before.path.unlink()
    else:
        record.write_text(record.read_text("utf-8")[:40] if harm == "record cut off" else "{}", "utf-8")
    after = stored_anew(tiny, tmp_path)
    assert after.path != before.path
    builder = builder_of(tiny, tmp_path)
    pixels = pictures(tiny, 3)
    np.testing.assert_allclose(
        builder.build(OPENVINO).embed_images(pixels), builder.build(Numerics()).embed_images(pixels), atol=1e-4
    )


@pytest.mark.parametrize("what", ["versions", "layout", "weights"])
def test_a_stale_tower_is_made_anew(tiny: LoadedModel, tmp_path: Path, what: str) -> None:
    before = stored_anew(tiny, tmp_path)
    path = before.path.parent / "images-float32.json"
    record = json.loads(path.read_text("utf-8"))
    if what == "versions":
        record["versions"]["openvino"] = "2020.1"
    elif what == "layout":
        record["layout"] = 0
    else:
        record["space"]["weights_fingerprint"] = "0" * 12
    path.write_text(json.dumps(record), "utf-8")
    assert stored_anew(tiny, tmp_path).path != before.path


def test_a_conversion_that_broke_off_leaves_nothing_that_counts(
    tiny: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(model: LoadedModel, tower: str, path: Path) -> None:
        path.write_text("<net", "utf-8")
        raise ModelMismatch("the process was killed here")

    with monkeypatch.context() as patched:
        patched.setattr(openvino_backend, "save_converted", break_off)
        with pytest.raises(ModelMismatch):
            stored_anew(tiny, tmp_path)
    assert stored_anew(tiny, tmp_path).path.stat().st_size > 100


def test_old_files_are_removed_when_nobody_may_be_opening_them(
    tiny: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored_anew(tiny, tmp_path)
    record = before.path.parent / "images-float32.json"
    record.unlink()
    second = stored_anew(tiny, tmp_path)
    assert before.path.exists()
    record.unlink()
    monkeypatch.setattr("indexer.embedding.tower_files._LEFT_ALONE_S", -1.0)
    third = stored_anew(tiny, tmp_path)
    assert sorted(path.name for path in record.parent.iterdir()) == sorted(
        [record.name, third.path.name, third.path.with_suffix(".bin").name]
    )
    assert not second.path.exists()
