"""What is opened and what is refused, by real models that agree and others that do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from indexer.embedding import load, openvino_backend
from indexer.embedding.build import Builder, Running
from indexer.embedding.choice import Backend, ModelChoice, Precision
from indexer.embedding.load import load_embedder, open_model, wanted
from indexer.embedding.numerics import Numerics
from indexer.embedding.openclip import LoadedModel, load_open_clip
from indexer.embedding.towers import TowersEmbedder
from indexer.errors import ConfigurationError, PrecisionRefused
from indexer.precision import gate as gate_module
from indexer.precision.agreement import Agreement
from indexer.precision.gate import Gate
from indexer.precision.records import SpaceRecords, Tuned, all_agreements, all_tuned
from indexer.precision.samples import QUERY_TEXTS, Sample
from indexer.processors import processor_name
from tests.pictures import drawn_picture

REFERENCE = Numerics()
EXACT = Numerics("openvino", "float32", "float32")
BF16 = Numerics("torch", "bf16", "bf16")
INT8 = Numerics("openvino", "int8", "float32")


@pytest.fixture(scope="module")
def tiny(tiny_model: str) -> LoadedModel:
    return load_open_clip(ModelChoice(model=tiny_model))


def sample_for(model: LoadedModel, count: int = 60) -> Sample:
    pixels = np.stack([model.preprocess.apply(drawn_picture(seed)) for seed in range(count + 32)])
    return Sample(pixels[:count], pixels[count:], QUERY_TEXTS, "drawn pictures", is_catalog=True)


def alike_sample(model: LoadedModel) -> Sample:
    """Pictures that are all but equal: rounding decides which of them are the nearest."""
    noise = np.random.default_rng(0).integers(0, 3, (92, *model.preprocess.apply(drawn_picture(1)).shape))
    pixels = np.clip(model.preprocess.apply(drawn_picture(1)).astype(np.int64) + noise, 0, 255).astype(np.uint8)
    return Sample(pixels[:60], pixels[60:], QUERY_TEXTS, "pictures all but equal", is_catalog=True)


def gate_of(model: LoadedModel, folder: Path, sample: Callable[[], Sample] | None = None) -> Gate:
    builder = Builder(model, Running(2, 8), folder)
    return Gate(builder, SpaceRecords(folder), sample or (lambda: sample_for(model)))


def numerics_of(embedder: object) -> Numerics:
    assert isinstance(embedder, TowersEmbedder)
    return embedder.numerics


def test_the_reference_is_opened_without_measuring(tiny: LoadedModel, tmp_path: Path) -> None:
    gate = gate_of(tiny, tmp_path, lambda: pytest.fail("nothing needs a sample"))
    assert gate.open(REFERENCE).numerics == REFERENCE
    assert not list(tmp_path.iterdir())


def test_what_agrees_is_measured_once_and_opened(
    tiny: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gate_of(tiny, tmp_path).open(EXACT).numerics == EXACT
    assert sorted(path.name for path in tmp_path.glob("*.json")) == [
        "agreement-openvino-images-float32-cpu.json",
        "agreement-openvino-texts-float32-cpu.json",
    ]
    gate = gate_of(tiny, tmp_path, lambda: pytest.fail("it was measured"))
    assert gate.open(EXACT).numerics == EXACT
    # on another processor the same numbers say nothing
    monkeypatch.setattr(gate_module, "processor_name", lambda: "another")
    asked = []

    def draw() -> Sample:
        asked.append(1)
        return sample_for(tiny)

    gate_of(tiny, tmp_path, draw).open(EXACT)
    assert asked


def test_a_damaged_record_is_measured_anew(tiny: LoadedModel, tmp_path: Path) -> None:
    gate_of(tiny, tmp_path).open(EXACT)
    path = tmp_path / "agreement-openvino-images-float32-cpu.json"
    for harm in ("{", "[]", json.dumps(json.loads(path.read_text("utf-8")) | {"extra": 1})):
        path.write_text(harm, "utf-8")
        assert gate_of(tiny, tmp_path).open(EXACT).numerics == EXACT
        assert json.loads(path.read_text("utf-8"))["overlap"] == 1


def test_what_does_not_agree_is_refused_with_its_figures(tiny: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(PrecisionRefused) as refused:
        gate_of(tiny, tmp_path / "space", lambda: alike_sample(tiny)).open(BF16)
    (record,) = [item for _, item in all_agreements(tmp_path) if item.tower == "images"]
    assert record.mean_cosine > 0.999  # cosines alone would not have told
    assert record.overlap < 0.95
    for part in ("torch bf16", f"overlap {record.overlap:.3f}", "60 pictures", "0.95", "tune FEED"):
        assert part in str(refused.value)


def test_int8_that_does_not_agree_is_made_more_careful_and_then_refused(tiny: LoadedModel, tmp_path: Path) -> None:
    gate = gate_of(tiny, tmp_path, lambda: alike_sample(tiny))
    agreement = gate.make_int8(alike_sample(tiny))
    assert not agreement.passes
    builder = Builder(tiny, Running(2, 8), tmp_path)
    stored = builder.stored("images", "int8")
    assert stored is not None
    assert stored.note == openvino_backend.INT8_RECIPES[-1].name
    with pytest.raises(PrecisionRefused, match="openvino int8"):
        gate_of(tiny, tmp_path, lambda: alike_sample(tiny)).open(INT8)


def test_an_int8_tower_that_is_damaged_is_made_anew_from_the_kept_sample(tmp_path: Path) -> None:
    model = load_open_clip(ModelChoice(model="demo"))
    records = SpaceRecords(tmp_path)
    records.save_sample(sample_for(model))
    gate = gate_of(model, tmp_path)
    gate.make_int8(sample_for(model))
    stored = Builder(model, Running(2, 8), tmp_path).stored("images", "int8")
    assert stored is not None
    stored.path.with_suffix(".bin").write_bytes(b"")
    agreements = _agreements_after_opening(model, tmp_path)
    assert Builder(model, Running(2, 8), tmp_path).stored("images", "int8") is not None
    assert {item.tower for item in agreements} == {"images", "texts"}
    assert all(item.mean_cosine > 0.95 for item in agreements)


def _agreements_after_opening(model: LoadedModel, folder: Path) -> list[Agreement]:
    gate = gate_of(model, folder)
    try:
        gate.open(INT8)
    except PrecisionRefused as refused:
        assert "no int8 form" not in str(refused)
    return list(gate.agreements(INT8))


def test_a_broken_model_is_refused_and_does_not_break_the_measuring(tiny_model: str, tmp_path: Path) -> None:
    """bf16 has the range of float32, but a tower that gives no number gives none in any format."""
    import torch

    model = load_open_clip(ModelChoice(model=tiny_model))
    gate = gate_of(model, tmp_path)
    gate.agreements(EXACT)  # the reference is taken while the model is whole
    with torch.no_grad():
        model.module.get_parameter("visual.proj").fill_(float("inf"))
    (images, texts) = gate.agreements(BF16)
    assert not images.passes
    assert "not finite" in images.figures
    assert texts.mean_cosine > 0.99


def test_the_first_that_agrees_is_taken(tiny: LoadedModel, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    embedder = gate_of(tiny, tmp_path, lambda: alike_sample(tiny)).open_first([INT8, BF16, EXACT, REFERENCE])
    assert embedder.numerics == EXACT
    assert "no int8 form" in caplog.text
    assert "torch bf16 on cpu is refused" in caplog.text


def test_without_openvino_the_next_one_is_taken(
    tiny: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(openvino_backend, "find_spec", lambda _: None)
    assert gate_of(tiny, tmp_path).open_first([EXACT, REFERENCE]).numerics == REFERENCE
    assert "not installed" in caplog.text


def tuned_to(*order: Numerics, processor: str = "") -> Tuned:
    return Tuned("space", "m", processor or processor_name(), order, "2026-01-01T00:00:00+00:00", {})


@pytest.mark.parametrize(
    ("backend", "precision", "tuned", "expected"),
    [
        ("auto", "auto", None, [REFERENCE]),
        ("auto", "auto", tuned_to(INT8, REFERENCE), [INT8, REFERENCE]),
        ("auto", "auto", tuned_to(INT8, REFERENCE, processor="another"), [REFERENCE]),
        ("torch", "auto", tuned_to(INT8, REFERENCE), [REFERENCE]),
        ("torch", "auto", None, [REFERENCE]),
        ("openvino", "auto", None, [EXACT]),
        ("openvino", "auto", tuned_to(INT8, EXACT, REFERENCE), [INT8, EXACT]),
        ("auto", "float32", None, [REFERENCE]),
        ("auto", "float32", tuned_to(INT8, EXACT, REFERENCE), [EXACT]),
        ("auto", "bf16", None, [BF16]),
        ("auto", "int8", None, [INT8]),
        ("auto", "int8", tuned_to(Numerics("openvino", "int8", "bf16")), [Numerics("openvino", "int8", "bf16")]),
        ("openvino", "bf16", None, [Numerics("openvino", "bf16", "bf16")]),
    ],
)
def test_what_is_wanted(backend: Backend, precision: Precision, tuned: Tuned | None, expected: list[Numerics]) -> None:
    assert list(wanted(ModelChoice(backend=backend, precision=precision), "cpu", tuned)) == expected


def test_a_gpu_takes_bf16_where_it_agrees() -> None:
    choices = wanted(ModelChoice(), "cuda", None)
    assert list(choices) == [Numerics("torch", "bf16", "bf16", "cuda"), Numerics(device="cuda")]


def test_asked_for_by_name_there_is_no_way_round(tiny_model: str, tmp_path: Path) -> None:
    choice = ModelChoice(model=tiny_model, device="cpu", precision="bf16", models_dir=str(tmp_path))
    with open_model(choice) as opened:
        opened.records.save_sample(alike_sample(opened.builder.model))
    with pytest.raises(PrecisionRefused, match="overlap"):
        load_embedder(choice)
    with pytest.raises(ConfigurationError, match="torch cannot compute"):
        load_embedder(ModelChoice(model=tiny_model, device="cpu", backend="torch", precision="int8"))


def test_with_nothing_tuned_and_nothing_asked_for_all_is_as_before(tiny_model: str, tmp_path: Path) -> None:
    choice = ModelChoice(model=tiny_model, device="cpu", models_dir=str(tmp_path / "models"))
    embedder = load_embedder(choice)
    assert embedder.description == "torch float32 on cpu"
    assert not (tmp_path / "models").exists()


def test_what_was_tuned_is_used_and_what_became_stale_is_passed_over(tiny_model: str, tmp_path: Path) -> None:
    choice = ModelChoice(model=tiny_model, device="cpu", models_dir=str(tmp_path))
    with open_model(choice) as opened:
        opened.records.save_tuned(tuned_to(EXACT, REFERENCE))
        records = opened.records
    assert numerics_of(load_embedder(choice)) == EXACT
    assert [item.order for item in all_tuned(tmp_path)] == [(EXACT, REFERENCE)]
    (records.folder / "tuned.json").write_text('{"order": [{"backend": 1', "utf-8")
    assert numerics_of(load_embedder(choice)) == REFERENCE
    assert not list(all_tuned(tmp_path))


def test_nothing_is_kept_without_a_folder_for_it(tiny_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def folder(prefix: str) -> TemporaryDirectory[str]:
        directory = TemporaryDirectory(prefix=prefix)
        made.append(directory.name)
        return directory

    monkeypatch.setattr(load, "TemporaryDirectory", folder)
    embedder = load_embedder(ModelChoice(model=tiny_model, device="cpu", backend="openvino"))
    assert numerics_of(embedder) == EXACT
    assert made
    assert not Path(made[0]).exists()
    assert embedder.embed_texts(["red mug"]).shape == (1, 32)
