"""Objects found by one of torchvision's detectors, with weights from a file: the one place that runs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file

from indexer.embedding.port import Pixels
from indexer.errors import ConfigurationError, ModelFailed
from indexer.regions.box import Box
from indexer.regions.salience import Region

_LEAST_CONFIDENCE = 0.3
_LEAST_SIDE = 0.05
"""Of the photo's; smaller ones are clutter, not what somebody took the photo for."""
_SIDE_PX = 800
"""Detectors scale what they are given to their own size; larger pictures only cost time."""


class DetectorFinder:
    """A ``RegionFinder``; its labels are the 91 names of COCO where the weights have as many classes.

    Args:
        module: a detector of torchvision, evaluating.
        names: of its classes, the background first; empty: unknown.
        most: objects in an answer.
    """

    method = "detector"
    side_px = _SIDE_PX

    def __init__(self, module: torch.nn.Module, names: Sequence[str], *, most: int) -> None:
        self._module = module
        self._names = tuple(names)
        self._most = most

    def prepare(self, image: Image.Image) -> Pixels:
        """See ``RegionFinder``: uint8 (H, W, 3)."""
        picture = image.copy()
        picture.thumbnail((_SIDE_PX, _SIDE_PX))
        return np.asarray(picture, dtype=np.uint8)

    def look(self, pixels: Pixels) -> NDArray[np.float32]:
        """See ``RegionFinder``: left, top, right, bottom, confidence and class of each object, float32 (K, 6)."""
        try:
            with torch.inference_mode():
                values = (
                    torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(2, 0, 1).to(torch.float32)
                    / 255
                )
                found = self._module([values])[0]
        except (RuntimeError, ValueError, IndexError, KeyError) as error:
            raise ModelFailed(f"The detector failed: {str(error).splitlines()[0][:200]}.") from error
        columns = [found["boxes"], found["scores"][:, None], found["labels"][:, None].to(torch.float32)]
        return np.asarray(torch.cat(columns, dim=1).numpy(), dtype=np.float32)

    def regions(self, pixels: Pixels, seen: NDArray[np.float32]) -> tuple[Region, ...]:
        """See ``RegionFinder``."""
        height, width = pixels.shape[:2]
        shares = np.clip(seen[:, :4] / (width, height, width, height), 0, 1)
        found = []
        for row, sides in zip(seen, shares, strict=True):
            box = Box(*(float(side) for side in sides))
            if row[4] >= _LEAST_CONFIDENCE and min(box.width, box.height) >= _LEAST_SIDE:
                found.append(Region(box, round(float(row[4]), 4), self._name(int(row[5]))))
        return tuple(sorted(found, key=lambda region: -region.score)[: self._most])

    def _name(self, number: int) -> str:
        return self._names[number] if 0 <= number < len(self._names) and self._names[number] != "N/A" else ""


def load_detector(setting: str, *, most: int) -> DetectorFinder:
    """The detector that the setting ``region_detector`` names.

    Args:
        setting: ``NAME:FILE``: one of torchvision's detectors, and its weights (a state dict as
            safetensors) on this machine; nothing is downloaded.
        most: objects in an answer.

    Raises:
        ConfigurationError: there is no such detector, no such file, or they do not belong together.
    """
    from torchvision.models import detection as detectors
    from torchvision.models import get_model, get_model_weights, list_models

    name, _, file = setting.partition(":")
    known = list_models(detectors)
    if name not in known or not file:
        raise ConfigurationError(
            f"region_detector is {setting!r}, which is not NAME:FILE with a detector of torchvision.",
            f"Detectors: {', '.join(known)}. Or leave it empty: the model's own patches are used.",
        )
    path = Path(file).expanduser()
    state = _weights(path)
    classes = _classes(state)
    try:
        module: Any = get_model(
            name, weights=None, weights_backbone=None, **({"num_classes": classes} if classes else {})
        )
        module.load_state_dict(state)
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(
            f"The weights {path} are not those of torchvision's {name}: {str(error).splitlines()[0][:200]}",
            "Give the file that belongs to the detector named.",
        ) from error
    coco = next(iter(get_model_weights(name))).meta["categories"]
    names = coco if classes in {None, len(coco)} else ()
    return DetectorFinder(module.eval().requires_grad_(requires_grad=False), names, most=most)


def _weights(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise ConfigurationError(f"There are no detector weights {path}.", "Put the file there; nothing is downloaded.")
    try:
        return dict(load_file(path))  # whatever the file is called: a pickle is none
    except (SafetensorError, OSError, ValueError) as error:
        raise ConfigurationError(
            f"The detector weights {path} cannot be read as safetensors: {str(error).splitlines()[0][:200]}.",
            "Pickled weights (.pth, .pt) can run code and are not loaded. Where you trust them, convert them once: "
            "safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'weights.safetensors').",
        ) from error


def _classes(state: dict[str, torch.Tensor]) -> int | None:
    """How many classes a two-stage detector's weights know, the background included; None: the detector's default."""
    scores = state.get("roi_heads.box_predictor.cls_score.weight")
    return None if scores is None else int(scores.shape[0])
