"""The model's files, without loading it; and, if asked for, the model itself against the space of the catalog."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from indexer.doctor.findings import Finding, Notes
from indexer.embedding.choice import (
    AUTO_MODEL,
    DEFAULT_CPU_MODEL,
    DEFAULT_GPU_MODEL,
    DEMO_MODEL,
    LOCAL_DIR,
    demo_checkpoint,
)
from indexer.settings import Settings
from indexer.spaces import EmbeddingSpace

_CONFIG = "open_clip_config.json"
_WEIGHTS = "open_clip_model.safetensors"
_HEADER_LENGTH_BYTES = 8
_HUB_OWNER = "timm"
"""Where the hub keeps open_clip's SigLIP models."""


def check_model(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: whether the files of the model are there and whole."""
    notes = Notes("model")
    name = chosen_model(settings)
    if name.startswith(LOCAL_DIR) or name == DEMO_MODEL:
        folder = demo_checkpoint() if name == DEMO_MODEL else Path(name.removeprefix(LOCAL_DIR)).expanduser()
        _checkpoint(folder, notes)
    else:
        _named(name, settings, notes)
    if not notes.made:
        notes.ok(f"The files of {name} are there and whole.")
    return notes.made


def chosen_model(settings: Settings) -> str:
    """The model that ``auto`` stands for here, or the one that is named."""
    if settings.model != AUTO_MODEL:
        return settings.model
    has_gpu = settings.device != "cpu" and Path("/dev/nvidiactl").exists()
    return DEFAULT_GPU_MODEL if has_gpu else DEFAULT_CPU_MODEL


def recorded_name(model: str) -> str:
    """A model's name as a collection's space has it: of a folder, its own name."""
    if model.startswith(LOCAL_DIR):
        return LOCAL_DIR + Path(model.removeprefix(LOCAL_DIR)).expanduser().resolve().name
    return model


def load_space(settings: Settings) -> EmbeddingSpace:
    """Loads the model and tells its space; takes seconds, and keeps nothing on disk.

    Raises:
        EmbedderError: it cannot be loaded.
        ConfigurationError: this machine cannot run it so.
    """
    # torch and open_clip take seconds to import
    from indexer.embedding.load import open_model

    with open_model(replace(settings.model_choice(), models_dir="")) as opened:
        return opened.builder.space


def _checkpoint(folder: Path, notes: Notes) -> None:
    remedy = "Put the checkpoint there (config, weights, tokenizer), or name another folder in model."
    if not folder.is_dir():
        notes.error("model_missing", f"There is no checkpoint folder {folder}.", remedy)
        return
    try:
        json.loads((folder / _CONFIG).read_text("utf-8"))
    except (OSError, ValueError) as error:
        notes.error("model_config_unreadable", f"{folder / _CONFIG} cannot be read: {error}.", remedy)
    weights = folder / _WEIGHTS
    if not weights.is_file():
        notes.error("model_weights_missing", f"{weights} is not there; only safetensors are loaded.", remedy)
    elif problem := _wrong_with(weights):
        notes.error("model_weights_damaged", f"{weights} {problem}.", remedy)


def _wrong_with(weights: Path) -> str:
    """What is wrong with a safetensors file by its header; its tensors must end where the file ends."""
    size = weights.stat().st_size
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(_HEADER_LENGTH_BYTES), "little")
        if length > size:
            return "is no safetensors file, or breaks off"
        try:
            header = json.loads(file.read(length))
            end = max(item["data_offsets"][1] for name, item in header.items() if name != "__metadata__")
        except (ValueError, KeyError, TypeError, AttributeError):
            return "is no safetensors file"
    missing = _HEADER_LENGTH_BYTES + length + end - size
    return f"breaks off: {missing:,} bytes are missing" if missing > 0 else ""


def _named(name: str, settings: Settings, notes: Notes) -> None:
    from huggingface_hub import try_to_load_from_cache

    cache_dir = settings.model_cache_dir or None
    found = try_to_load_from_cache(f"{_HUB_OWNER}/{name}", _WEIGHTS, cache_dir=cache_dir)
    if not isinstance(found, str):
        notes.warning(
            "model_not_cached",
            f"The weights of {name} are not in the local cache of the model hub.",
            "They are fetched at the first start, which needs the hub; or name a folder: --model local-dir:PATH.",
        )
    elif problem := _wrong_with(Path(found)):
        notes.error("model_weights_damaged", f"{found} {problem}.", "Delete it, so that it is fetched again.")
