"""A real torchvision detector, with weights from a file."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

from indexer.errors import ConfigurationError, ModelFailed
from indexer.regions.box import Box
from indexer.regions.detector import DetectorFinder, load_detector

NAME = "ssdlite320_mobilenet_v3_large"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "weights.safetensors"
    save_file(ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def finder(weights: Path) -> DetectorFinder:
    return load_detector(f"{NAME}:{weights}", most=4)


def test_a_detector_looks_at_a_photo_in_its_own_shape(finder: DetectorFinder) -> None:
    pixels = finder.prepare(Image.effect_noise((1200, 900), 80).convert("RGB"))
    assert pixels.shape == (600, 800, 3)
    seen = finder.look(pixels)
    assert seen.ndim == 2
    assert seen.shape[1] == 6
    assert np.isfinite(seen).all()
    assert finder.method == "detector"


def test_what_it_sees_becomes_boxes_with_names_the_surest_first(finder: DetectorFinder) -> None:
    pixels = np.zeros((100, 200, 3), dtype=np.uint8)
    seen = np.array(
        [
            [20, 10, 120, 60, 0.5, 47],
            [-5, 0, 40, 140, 0.9, 3],
            [0, 0, 100, 100, 0.1, 1],  # unsure
            [0, 0, 4, 100, 0.8, 1],  # a sliver
            [50, 50, 90, 90, 0.4, 12],  # one of the numbers that COCO left out
        ],
        dtype=np.float32,
    )
    found = finder.regions(pixels, seen)
    assert [(region.label, region.score) for region in found] == [("car", 0.9), ("cup", 0.5), ("", 0.4)]
    assert found[0].box == Box(0, 0, 0.2, 1)
    assert [round(side, 3) for side in found[1].box.to_list()] == [0.1, 0.1, 0.6, 0.6]
    assert finder.regions(pixels, seen[:0]) == ()


def test_a_pass_that_fails_is_the_models_failure(finder: DetectorFinder) -> None:
    with pytest.raises(ModelFailed):
        finder.look(np.zeros((0, 0, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("yolo:weights.pth", "Detectors: .*ssdlite320"),
        (NAME, "is not NAME:FILE"),
        (f"{NAME}:missing.pth", "no detector weights .*nothing is downloaded"),
    ],
)
def test_a_detector_that_cannot_be_is_named_with_the_remedy(setting: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_detector(setting, most=3)


def test_other_weights_than_the_detectors_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, other)
    with pytest.raises(ConfigurationError, match="are not those of"):
        load_detector(f"{NAME}:{other}", most=3)
    other.write_bytes(b"not weights at all")
    with pytest.raises(ConfigurationError, match="cannot be read as safetensors"):
        load_detector(f"{NAME}:{other}", most=3)


class _Code:
    """What a pickle may do when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._path,)


@pytest.mark.parametrize("name", ["weights.pth", "weights.pt", "weights.safetensors"])
def test_pickled_weights_are_refused_whatever_they_are_called(tmp_path: Path, name: str) -> None:
    ran = tmp_path / "ran"
    (tmp_path / name).write_bytes(pickle.dumps({"weight": _Code(ran)}))
    with pytest.raises(ConfigurationError, match=r"can run code .* convert them once"):
        load_detector(f"{NAME}:{tmp_path / name}", most=3)
    torch.save(ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None).state_dict(), tmp_path / name)
    with pytest.raises(ConfigurationError, match="can run code"):
        load_detector(f"{NAME}:{tmp_path / name}", most=3)
    assert not ran.exists()
