"""The one file that imports open_clip: from a model's name to towers, tokenizer and recipe that belong together.

open_clip is lenient where this program must not be: without a preprocess config it silently takes OpenAI's mean,
std and centre crop (open_clip issue 1068), without weights it warns and serves random numbers, and a tokenizer
without ``padding="max_length"`` changes SigLIP's text embeddings (transformers issues 26522, 28578). Each of these is
an error here.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors import SafetensorError

from indexer.embedding.choice import DEMO_MODEL, LOCAL_DIR, ModelChoice, demo_checkpoint
from indexer.embedding.fingerprints import tokenizer_fingerprint, weights_fingerprint
from indexer.embedding.hub import safetensors_file
from indexer.embedding.port import LabelScale, TokenIds
from indexer.embedding.preprocess import Preprocess
from indexer.errors import ModelMismatch, ModelNotFound, ModelWeightsMissing
from indexer.spaces import EmbeddingSpace

_WEIGHTS_FILE = "open_clip_model.safetensors"
_CONFIG_FILE = "open_clip_config.json"
_RECIPE_KEYS = ("mean", "std", "interpolation", "resize_mode")
_SIGLIP_RECIPE = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "resize_mode": "squash"}
_SIGLIP_CONTEXT = 64
_PAD_ID_BY_VOCABULARY = {32_000: 1, 250_000: 1, 256_000: 0}
"""big_vision's SigLIP configs: c4-en and mc4 pad with 1, Gemma (SigLIP 2) with 0."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A checkpoint whose parts were checked to belong together.

    Attributes:
        module: both towers, float32, in evaluation mode, on the CPU; has ``encode_image`` and ``encode_text``.
        tokenizer: open_clip's, texts to a tensor of ids.
        preprocess: the picture recipe.
        space: what the embeddings may be compared with.
        label_scale: learned scale and bias.
    """

    module: torch.nn.Module
    tokenizer: Any
    preprocess: Preprocess
    space: EmbeddingSpace
    label_scale: LabelScale

    def tokenize(self, texts: Sequence[str]) -> TokenIds:
        """Canonicalised, truncated and padded ids: int64 (B, context length)."""
        return tokenize_with(self.tokenizer, texts)


def tokenize_with(tokenizer: Any, texts: Sequence[str]) -> TokenIds:
    """Ids of an open_clip tokenizer as int64 (B, context length)."""
    # half a surrogate pair, which JSON can carry, is no text and makes tokenizers fail
    sound = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    return cast("TokenIds", tokenizer(sound).numpy().astype(np.int64, copy=False))


def load_open_clip(choice: ModelChoice) -> LoadedModel:
    """Loads a model and proves that weights, recipe and tokenizer are those it was trained with.

    Args:
        choice: ``model`` must be a name here, not ``auto``.

    Raises:
        ModelNotFound: unknown name, tag or folder.
        ModelHubUnreachable: the weights are neither cached nor to be had.
        ModelWeightsMissing: weights that are not to be had as safetensors.
        ModelMismatch: recipe or tokenizer do not belong to the weights.
    """
    name, pretrained = _resolve(choice)
    try:
        module = open_clip.create_model(
            name,
            pretrained=pretrained or None,
            precision="fp32",
            require_pretrained=True,
            cache_dir=choice.cache_dir or None,
        )
        tokenizer = open_clip.get_tokenizer(name, cache_dir=choice.cache_dir or None)
    except (RuntimeError, ValueError, OSError, KeyError, TypeError, AssertionError, SafetensorError) as error:
        raise ModelMismatch(
            f"{_shown(choice)} could not be loaded: {_first_line(error)}.",
            "Its config, weights and tokenizer files must belong together.",
        ) from error
    module.eval().requires_grad_(requires_grad=False)
    preprocess = _recipe(module.visual.preprocess_cfg)
    _check_recipe(preprocess, module.visual, choice)
    _check_against_open_clip(preprocess, module.visual.preprocess_cfg, choice)
    _check_tokenizer(tokenizer, module, choice)
    space = EmbeddingSpace(
        model=_shown(choice),
        pretrained=pretrained,
        dim=_dimension(module, tokenizer),
        image_size_px=preprocess.size_px,
        preprocess_fingerprint=preprocess.fingerprint,
        tokenizer_fingerprint=tokenizer_fingerprint(lambda texts: tokenize_with(tokenizer, texts)),
        weights_fingerprint=weights_fingerprint(module.state_dict()),
    )
    return LoadedModel(module, tokenizer, preprocess, space, _label_scale(module))


def _resolve(choice: ModelChoice) -> tuple[str, str]:
    """open_clip's own name and tag for a choice, after the checks that need no loading."""
    if choice.model == DEMO_MODEL:
        choice = replace(choice, model=f"{LOCAL_DIR}{demo_checkpoint()}")
    if choice.model.startswith(LOCAL_DIR):
        folder = Path(choice.model.removeprefix(LOCAL_DIR)).expanduser()
        _check_folder(folder)
        return f"{LOCAL_DIR}{folder}", ""
    known = open_clip.list_models()
    if choice.model not in known:
        near = " or ".join(difflib.get_close_matches(choice.model, known, n=3))
        hint = f"Did you mean {near}? " if near else ""
        raise ModelNotFound(
            f"There is no open_clip model named {choice.model}.", f"{hint}A checkpoint folder is named local-dir:PATH."
        )
    tag = _tag(choice)
    known_weights = open_clip.get_pretrained_cfg(choice.model, tag)
    # open_clip would fall back to pickled weights; where a file is named, it looks for no other
    known_weights["file"] = str(safetensors_file(known_weights.get("hf_hub", ""), choice))
    return choice.model, tag


def _tag(choice: ModelChoice) -> str:
    tags = open_clip.list_pretrained_tags_by_model(choice.model)
    if choice.pretrained:
        if choice.pretrained not in tags:
            raise ModelNotFound(
                f"{choice.model} has no weights tagged {choice.pretrained}.", f"There are: {', '.join(tags) or 'none'}."
            )
        return choice.pretrained
    if "webli" in tags:
        return "webli"
    if len(tags) == 1:
        return str(tags[0])
    if not tags:
        raise ModelWeightsMissing(f"open_clip has no trained weights for {choice.model}.", "Choose another model.")
    raise ModelNotFound(
        f"{choice.model} has several sets of weights.", f"Choose one with pretrained: {', '.join(tags)}."
    )


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ModelNotFound(f"There is no checkpoint folder {folder}.", "Give local-dir: the path of one.")
    config_file = folder / _CONFIG_FILE
    if not config_file.is_file():
        raise ModelNotFound(f"{folder} has no {_CONFIG_FILE}.", "Save the model with open_clip's push_to_hub form.")
    if not (folder / _WEIGHTS_FILE).is_file():
        raise ModelWeightsMissing(
            f"{folder} has no {_WEIGHTS_FILE}.",
            "Only safetensors are loaded, since pickled weights can run code; convert them once.",
        )
    try:
        config = json.loads(config_file.read_text("utf-8"))
        recipe = config.get("preprocess_cfg") or {}
    except (ValueError, AttributeError) as error:
        raise ModelMismatch(f"{config_file} is no JSON object: {error}.", "Restore the file.") from error
    missing = [key for key in _RECIPE_KEYS if recipe.get(key) is None]
    if missing:
        raise ModelMismatch(
            f"{config_file} does not say how pictures are prepared: preprocess_cfg lacks {', '.join(missing)}.",
            "Add what the checkpoint was trained with; for SigLIP mean and std 0.5, bicubic, squash.",
        )


def _recipe(config: dict[str, Any]) -> Preprocess:
    size = config["size"]
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if sides[0] != sides[1]:
        raise ModelMismatch(f"The image tower takes {sides[0]} x {sides[1]} pixels.", "Only square ones are supported.")
    return Preprocess(
        size_px=int(sides[0]),
        resize_mode=config["resize_mode"],
        interpolation="bilinear" if config["interpolation"] == "bilinear" else "bicubic",
        mean=_three(config["mean"]),
        std=_three(config["std"]),
        fill_color=int(config.get("fill_color", 0)),
    )


def _three(value: float | Sequence[float]) -> tuple[float, float, float]:
    values = [float(value)] * 3 if isinstance(value, int | float) else [float(item) for item in value]
    return values[0], values[1], values[2]


def _is_siglip(visual: torch.nn.Module) -> bool:
    """Whether the image tower is one of Google's, told by timm's name of its architecture."""
    trunk = getattr(visual, "trunk", None)
    config = getattr(trunk, "pretrained_cfg", None) or {}
    return "siglip" in str(config.get("architecture", ""))


def _check_recipe(preprocess: Preprocess, visual: torch.nn.Module, choice: ModelChoice) -> None:
    if not _is_siglip(visual):
        return
    wrong = {
        key: getattr(preprocess, key) for key, right in _SIGLIP_RECIPE.items() if getattr(preprocess, key) != right
    }
    if wrong:
        found = ", ".join(f"{key} {value}" for key, value in wrong.items())
        raise ModelMismatch(
            f"{_shown(choice)} is a SigLIP tower, but its config prepares pictures with {found}.",
            "SigLIP was trained with mean and std 0.5 and a squash resize; correct preprocess_cfg.",
        )


def _check_against_open_clip(preprocess: Preprocess, config: dict[str, Any], choice: ModelChoice) -> None:
    """Our resize against open_clip's own transform on a drawn picture: equal to the last bit, or an error."""
    ramp = np.arange(61 * 83 * 3, dtype=np.uint32).reshape(61, 83, 3)
    picture = Image.fromarray((ramp * 2654435761 >> 13 & 255).astype(np.uint8))
    transform = image_transform_v2(PreprocessCfg(**config), is_train=False)
    theirs = transform(picture).numpy().transpose(1, 2, 0)
    mean, std = np.array(preprocess.mean, dtype=np.float32), np.array(preprocess.std, dtype=np.float32)
    ours = (preprocess.apply(picture).astype(np.float32) / np.float32(255) - mean) / std
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, atol=1e-5):
        raise ModelMismatch(
            f"Pictures prepared for {_shown(choice)} differ from open_clip's own transform.",
            "This is a fault of this program or a new version of open_clip; please report it.",
        )


def _check_tokenizer(tokenizer: Any, module: torch.nn.Module, choice: ModelChoice) -> None:
    ids = tokenize_with(tokenizer, ["a", "A!"])
    vocabulary = _vocabulary_size(module)
    if vocabulary and int(ids.max()) >= vocabulary:
        raise ModelMismatch(
            f"The tokenizer of {_shown(choice)} gives id {ids.max()}, the text tower knows {vocabulary}.",
            "The tokenizer files belong to another checkpoint.",
        )
    if not _is_siglip(cast("torch.nn.Module", module.visual)):
        return
    problems = []
    if ids.shape[1] != _SIGLIP_CONTEXT:
        problems.append(f"pads to {ids.shape[1]} tokens instead of {_SIGLIP_CONTEXT}")
    expected_pad = _PAD_ID_BY_VOCABULARY.get(vocabulary)
    if expected_pad is not None and int(ids[0, -1]) != expected_pad:
        problems.append(f"pads with id {ids[0, -1]} instead of {expected_pad}")
    if not np.array_equal(ids[0], ids[1]):
        problems.append(
            "keeps capitals or punctuation, which SigLIP never saw (tokenizer_kwargs needs clean: canonicalize)"
        )
    if problems:
        raise ModelMismatch(
            f"The tokenizer of {_shown(choice)} {'; '.join(problems)}.", "Take tokenizer and config of the checkpoint."
        )


def _vocabulary_size(module: torch.nn.Module) -> int:
    text = getattr(module, "text", module)
    embedding = getattr(text, "token_embedding", None)
    return int(embedding.num_embeddings) if isinstance(embedding, torch.nn.Embedding) else 0


def _dimension(module: torch.nn.Module, tokenizer: Any) -> int:
    with torch.inference_mode():
        return int(cast("Any", module).encode_text(tokenizer(["a"])).shape[-1])


def _label_scale(module: torch.nn.Module) -> LabelScale:
    scale = float(cast("torch.Tensor", module.logit_scale).exp())
    bias = getattr(module, "logit_bias", None)
    return LabelScale(scale, None if bias is None else float(bias))


def _shown(choice: ModelChoice) -> str:
    if choice.model.startswith(LOCAL_DIR):
        return LOCAL_DIR + Path(choice.model.removeprefix(LOCAL_DIR)).expanduser().resolve().name
    return choice.model


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300].rstrip(".") if str(error).strip() else type(error).__name__
