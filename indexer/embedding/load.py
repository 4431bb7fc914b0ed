"""From a choice to a running embedder."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from PIL import Image

from indexer.embedding.choice import AUTO_MODEL, DEFAULT_CPU_MODEL, DEFAULT_GPU_MODEL, ModelChoice
from indexer.embedding.openclip import load_open_clip
from indexer.embedding.port import Embedder
from indexer.embedding.torch_backend import TorchEmbedder
from indexer.errors import ConfigurationError
from indexer.processors import available_cores


def load_embedder(choice: ModelChoice) -> Embedder:
    """Loads the chosen model on the chosen device and runs it once on each side, so that the first query is no slower.

    Raises:
        EmbedderError: see ``load_open_clip``.
        ConfigurationError: a GPU is asked for and there is none, or the batch size is no power of two.
    """
    if choice.batch_size < 1 or choice.batch_size & (choice.batch_size - 1):
        raise ConfigurationError(f"embed_batch_size is {choice.batch_size}.", "It must be a power of two.")
    device = _device(choice)
    if device == "cpu":
        # torch counts the machine's cores; a container or taskset may have given this process fewer
        torch.set_num_threads(choice.threads or available_cores())
    if choice.model == AUTO_MODEL:
        choice = replace(choice, model=DEFAULT_GPU_MODEL if device == "cuda" else DEFAULT_CPU_MODEL)
    precision = choice.precision if choice.precision != "auto" else ("bf16" if device == "cuda" else "float32")
    embedder = TorchEmbedder(load_open_clip(choice), device=device, precision=precision, batch_size=choice.batch_size)
    warm_up(embedder)
    return embedder


def warm_up(embedder: Embedder) -> None:
    """One picture and one text through the model.

    Raises:
        ModelFailed: it does not answer.
    """
    grey = Image.new("RGB", (64, 64), (127, 127, 127))
    embedder.embed_images(embedder.prepare_image(grey)[None])
    embedder.embed_texts(["a photo"])


def _device(choice: ModelChoice) -> Literal["cpu", "cuda"]:
    if choice.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if choice.device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("device is cuda, but torch finds no GPU here.", "Set device to cpu or auto.")
    return choice.device
