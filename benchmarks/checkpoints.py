"""Checkpoints of real size with random weights: they cost what trained ones cost, and need no model hub.

The image tower is exactly the named model's. The text tower has a small vocabulary, so that the file takes 0.7 GB and
not 1.5: a picture never touches it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

from indexer.embedding.choice import DEMO_MODEL, LOCAL_DIR, demo_checkpoint
from tests.checkpoints import write_tiny_checkpoint

B32_256 = "ViT-B-32-SigLIP2-256"
B16_224 = "ViT-B-16-SigLIP2"
CACHE = Path(".bench/checkpoints")
"""Git-ignored; a checkpoint is made once."""


def made_up_checkpoint(name: str, cache: Path = CACHE) -> Path:
    """Folder of a checkpoint of an open_clip architecture with random weights, drawn from a fixed seed.

    Args:
        name: of a SigLIP model as open_clip lists it.
        cache: where it is looked for first.
    """
    folder = cache.resolve() / name
    if folder.is_dir():
        return folder
    part = folder.with_name(f"{name}.part")
    shutil.rmtree(part, ignore_errors=True)
    config = _config(name, write_tiny_checkpoint(part))
    torch.manual_seed(0)
    towers = {key: value for key, value in config["model_cfg"].items() if key != "custom_text"}
    with torch.no_grad():
        state = open_clip.model.CustomTextCLIP(**towers).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, part / "open_clip_model.safetensors")
    (part / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    part.rename(folder)
    return folder


def model_named(name: str) -> str:
    """What the program's ``--model`` takes: of open_clip's names, a checkpoint with random weights."""
    if name == DEMO_MODEL or name.startswith(LOCAL_DIR):
        return name
    return f"{LOCAL_DIR}{made_up_checkpoint(name)}"


def model_folder(name: str) -> Path:
    """Of the checkpoint that ``model_named`` names."""
    return demo_checkpoint() if name == DEMO_MODEL else Path(model_named(name).removeprefix(LOCAL_DIR))


def _config(name: str, tiny: Path) -> dict[str, Any]:
    """The architecture's own config with the recipe of its checkpoints and the small tokenizer of ``tiny``."""
    small: dict[str, Any] = json.loads((tiny / "open_clip_config.json").read_text("utf-8"))
    model: dict[str, Any] = open_clip.get_model_config(name)
    model["vision_cfg"]["timm_model_pretrained"] = False
    for key in ("vocab_size", "hf_tokenizer_name", "tokenizer_kwargs"):
        model["text_cfg"][key] = small["model_cfg"]["text_cfg"][key]
    return {"model_cfg": model, "preprocess_cfg": small["preprocess_cfg"]}
