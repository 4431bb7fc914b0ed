"""A small real checkpoint, written by the tests: random weights, every file that a trained one has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip.model import CustomTextCLIP
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

DIM = 32
IMAGE_SIZE_PX = 32
CONTEXT_LENGTH = 64
PAD_ID = 0
EOS_ID = 1

_CORPUS = (
    "red mug",
    "blue bag",
    "a photo of a green shoe",
    "красная кружка",
    "синяя сумка",
    "红色马克杯",
    "cốc màu đỏ",
)


def write_tiny_checkpoint(folder: Path, *, seed: int = 0, changes: dict[str, Any] | None = None) -> Path:
    """Writes a SigLIP-type checkpoint with random weights into a new folder.

    Args:
        folder: created.
        seed: of the weights.
        changes: members of ``open_clip_config.json`` to replace, by dotted path; a value None removes the member.
    """
    folder.mkdir(parents=True)
    vocabulary = _write_tokenizer(folder)
    config: dict[str, Any] = {
        "model_cfg": {
            "embed_dim": DIM,
            "init_logit_bias": -10,
            "custom_text": True,
            "vision_cfg": {"image_size": IMAGE_SIZE_PX, "layers": 2, "width": 32, "patch_size": 8, "head_width": 16},
            "text_cfg": {
                "context_length": CONTEXT_LENGTH,
                "vocab_size": vocabulary,
                "hf_tokenizer_name": "in this folder",
                "tokenizer_kwargs": {"clean": "canonicalize"},
                "width": 16,
                "heads": 2,
                "layers": 2,
                "no_causal_mask": True,
                "pool_type": "last",
            },
        },
        "preprocess_cfg": {
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }
    towers = {name: value for name, value in config["model_cfg"].items() if name != "custom_text"}
    save_file(_made_up(CustomTextCLIP(**towers).state_dict(), seed), folder / "open_clip_model.safetensors")
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        member = config
        for parent in parents:
            member = member[parent]
        if value is None:
            del member[last]
        else:
            member[last] = value
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    return folder


def _made_up(state: dict[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """Weights from numpy's generator, whose stream is the same in every version, unlike torch's initialisation."""
    rng = np.random.default_rng(seed)
    made: dict[str, torch.Tensor] = {}
    for name, value in sorted(state.items()):
        constant = not value.numel() or bool((value == value.flatten()[0]).all())
        fan_in = value.shape[-1] if value.ndim > 1 else value.numel()
        numbers = rng.standard_normal(tuple(value.shape)).astype(np.float32) / max(1.0, fan_in**0.5)
        made[name] = value.clone() if constant else torch.from_numpy(numbers)
    return made


def _write_tokenizer(folder: Path) -> int:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", EOS_ID)])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "<eos>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    return int(tokenizer.get_vocab_size())
