"""How users embed pictures without this program: as the READMEs of open_clip and transformers show it.

The libraries' own defaults, told apart from ours in nothing but what is ours: the same checkpoint folder or the same
architecture, the same files, the same machine, as many threads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import open_clip
import torch
from PIL import Image

from benchmarks.rounds import Contestant, per_second

_BATCH = 32


def open_clip_loop(checkpoint: Path, files: Sequence[Path], seconds: float) -> Contestant:
    """The README's loop over batches of 32: PIL, the model's transform, ``encode_image``, division by the norm.

    Args:
        checkpoint: folder that open_clip loads as ``local-dir:``.
        files: pictures, taken from the first one on.
        seconds: about as long as a measurement takes.
    """
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{checkpoint}")
    model.eval()
    transform: Any = preprocess

    def embed(count: int) -> None:
        taken = list(islice(cycle(files), count))
        for start in range(0, count, _BATCH):
            batch = torch.stack([transform(Image.open(file)) for file in taken[start : start + _BATCH]])
            with torch.no_grad():
                features = model.encode_image(batch)
                features /= features.norm(dim=-1, keepdim=True)

    return _timed(embed, seconds)


def transformers_pipeline(checkpoint: Path, files: Sequence[Path], seconds: float) -> Contestant:
    """``pipeline("image-feature-extraction")`` with a SigLIP image tower of the same shape, in batches of 32.

    The weights are random there too, so none are converted: a tower's speed does not depend on them.

    Args:
        checkpoint: tells the shape.
        files: pictures, taken from the first one on.
        seconds: about as long as a measurement takes.
    """
    import transformers
    from transformers import SiglipImageProcessor, SiglipVisionConfig, SiglipVisionModel

    side, patch = shape_of(checkpoint)
    config = SiglipVisionConfig(image_size=side, patch_size=patch)  # the other defaults are those of ViT-B
    processor = SiglipImageProcessor(size={"height": side, "width": side})
    model: Any = SiglipVisionModel(config)
    pipeline: Any = transformers.pipeline  # its stubs know no model of one's own
    extract = pipeline(
        "image-feature-extraction",
        model=model.eval(),
        image_processor=processor,
        device="cpu",
        batch_size=_BATCH,
    )

    def embed(count: int) -> None:
        extract([str(file) for file in islice(cycle(files), count)], pool=True)

    return _timed(embed, seconds)


def shape_of(checkpoint: Path) -> tuple[int, int]:
    """Side of the pictures and of a patch, px, of a ViT-B.

    Raises:
        ValueError: it is no ViT-B.
    """
    vision = json.loads((checkpoint / "open_clip_config.json").read_text("utf-8"))["model_cfg"]["vision_cfg"]
    name = str(vision.get("timm_model_name", ""))
    if not name.startswith("vit_base_patch"):
        raise ValueError(f"{name or 'The image tower'} is no ViT-B.")
    return int(vision["image_size"]), int(name.removeprefix("vit_base_patch").partition("_")[0])


def _timed(embed: Callable[[int], None], seconds: float) -> Contestant:
    """Measures on as many pictures as take about so long, in whole batches; the first batch warms up."""
    embed(_BATCH)
    count = max(_BATCH, int(per_second(_BATCH, lambda: embed(_BATCH)) * seconds) // _BATCH * _BATCH)
    return lambda: per_second(count, lambda: embed(count))
