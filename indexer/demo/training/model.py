"""The demo model: built and stored only in the form that open_clip reads back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

from indexer.demo.training.tokenizer import CONTEXT_LENGTH, END_ID, PAD_ID

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"


@dataclass(frozen=True)
class Design:
    """Sizes of the two towers.

    Attributes:
        tower: name of the timm model that sees the pictures.
        image_size_px: side of the pictures it is used with.
        embed_dim: length of an embedding.
        text_width, text_layers, text_heads: the text transformer.
    """

    tower: str = "resnet10t"
    image_size_px: int = 128
    embed_dim: int = 256
    text_width: int = 192
    text_layers: int = 2
    text_heads: int = 3


def write_config(folder: Path, design: Design, vocabulary: int) -> None:
    """Write ``open_clip_config.json``: the model and the preprocessing (squash, bicubic, mean and std 0.5)."""
    config = {
        "model_cfg": {
            "embed_dim": design.embed_dim,
            "init_logit_bias": -10,
            "custom_text": True,
            "vision_cfg": {
                "image_size": design.image_size_px,
                "timm_model_name": design.tower,
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
            },
            "text_cfg": {
                "context_length": CONTEXT_LENGTH,
                "vocab_size": vocabulary,
                # Only says that the tokenizer is a Hugging Face one; from a local folder its own files are read.
                "hf_tokenizer_name": "vitrine-demo",
                "tokenizer_kwargs": {"clean": "canonicalize"},
                "pad_id": PAD_ID,
                "eos_id": END_ID,
                "width": design.text_width,
                "heads": design.text_heads,
                "layers": design.text_layers,
                "no_causal_mask": True,
                "proj_bias": True,
                "pool_type": "last",
                "norm_kwargs": {"eps": 1e-6},
                "act_kwargs": {"approximate": "tanh"},
            },
        },
        "preprocess_cfg": {
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def new_model(folder: Path) -> Any:
    """An untrained model of the folder's configuration, float32, ready to train."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model_cfg"]
    config.pop("custom_text")
    return open_clip.CustomTextCLIP(**config, init_logit_scale=2.302585, output_dict=False)


def tokenizer_of(folder: Path) -> Any:
    """The folder's tokenizer through open_clip: texts to int64 (B, 64)."""
    return open_clip.get_tokenizer(f"local-dir:{folder}")


def store_weights(state: dict[str, torch.Tensor], folder: Path) -> int:
    """Write the weights, floats as float16 (open_clip makes float32 of them again); returns the file's bytes."""
    path = folder / WEIGHTS
    halved = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu() for name, value in state.items()
    }
    save_file(halved, str(path), metadata={"format": "pt"})
    return path.stat().st_size


def stored_model(folder: Path) -> tuple[Any, Any, Any]:
    """Model (float32, evaluating), picture preprocessing and tokenizer, as anyone else loads them."""
    name = f"local-dir:{folder}"
    model, _, preprocess = open_clip.create_model_and_transforms(name, require_pretrained=True, precision="fp32")
    model.eval()
    return model, preprocess, open_clip.get_tokenizer(name)
