"""From a choice to a running embedder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from indexer.embedding.build import Builder, Running, versions_of
from indexer.embedding.choice import AUTO_MODEL, DEFAULT_CPU_MODEL, DEFAULT_GPU_MODEL, ModelChoice
from indexer.embedding.numerics import BackendName, DeviceName, NumberFormat, Numerics
from indexer.embedding.openclip import load_open_clip
from indexer.embedding.port import PROBE_TEXT, Embedder, probe_pixels
from indexer.embedding.tower_files import TowerStore
from indexer.errors import ConfigurationError, ModelMismatch
from indexer.precision.gate import Gate
from indexer.precision.records import SpaceRecords, Tuned
from indexer.precision.samples import drawn_sample
from indexer.processors import available_cores, processor_name
from indexer.spaces import EmbeddingSpace

_log = logging.getLogger(__name__)
_BATCH_SIZES: Mapping[DeviceName, int] = {"cpu": 32, "cuda": 256}
"""A processor gains nothing from more; a large GPU is only busy with more, and the memory of 256 is below 4 GB."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A model loaded, and nothing built of it yet.

    Attributes:
        builder: of its embedders.
        records: what was measured of its space.
        gate: opens embedders whose vectors agree.
        device: chosen.
    """

    builder: Builder
    records: SpaceRecords
    gate: Gate
    device: DeviceName


def load_embedder(choice: ModelChoice) -> Embedder:
    """Loads the chosen model on the chosen device and runs it once on each side, so that the first query is no slower.

    Raises:
        EmbedderError: see ``load_open_clip``.
        PrecisionRefused: the precision was asked for by name, and its vectors do not agree with float32's.
        ConfigurationError: a GPU is asked for and there is none, or the batch size is no power of two.
        StoreUnavailable: what was converted or measured cannot be written.
    """
    with open_model(choice) as opened:
        order = wanted(choice, opened.device, opened.records.tuned())
        embedder = opened.gate.open_first(order)
    warm_up(embedder)
    return embedder


@contextmanager
def open_model(choice: ModelChoice) -> Iterator[Opened]:
    """Loads the chosen model; embedders are built of it inside the block and outlive it.

    Raises:
        EmbedderError: see ``load_open_clip``.
        ConfigurationError: see ``load_embedder``.
    """
    if choice.batch_size < 0 or choice.batch_size & (choice.batch_size - 1):
        raise ConfigurationError(f"embed_batch_size is {choice.batch_size}.", "It must be a power of two.")
    device = _device(choice)
    threads = choice.threads or available_cores()
    if device == "cpu":
        # torch counts the machine's cores; a container or taskset may have given this process fewer
        torch.set_num_threads(threads)
    if choice.model == AUTO_MODEL:
        choice = replace(choice, model=DEFAULT_GPU_MODEL if device == "cuda" else DEFAULT_CPU_MODEL)
    model = load_open_clip(choice)
    with _models_dir(choice) as models_dir:
        folder = models_dir / model.space.space_id
        running = Running(threads, choice.batch_size or _BATCH_SIZES[device])
        builder = Builder(model, running, folder, partial(_converted_patches, choice, model.space))
        records = SpaceRecords(folder)
        gate = Gate(builder, records, lambda: drawn_sample(model.preprocess.apply, model.space.image_size_px))
        yield Opened(builder, records, gate, device)


def wanted(choice: ModelChoice, device: DeviceName, tuned: Tuned | None) -> Sequence[Numerics]:
    """Ways to compute, the best first: one that was asked for by name, else all that may be taken.

    Args:
        choice: names a backend, a precision, both or none.
        device: chosen.
        tuned: what ``tune`` came to for this model, if it did.
    """
    order = [item for item in _order_of(tuned) if item.device == device]
    if choice.precision == "auto" and choice.backend == "auto":
        if order:
            return order
        reference = Numerics(device=device)
        return [Numerics("torch", "bf16", "bf16", device), reference] if device == "cuda" else [reference]
    if choice.precision == "auto":
        of_backend = [item for item in order if item.backend == choice.backend]
        if of_backend:
            return of_backend
        on_gpu = device == "cuda" and choice.backend == "torch"
        precision: NumberFormat = "bf16" if on_gpu else "float32"
        return [Numerics(_backend(choice), precision, precision, device)]
    for item in order:
        if item.images == choice.precision and choice.backend in {"auto", item.backend}:
            return [item]
    # the text tower has no int8 form
    texts: NumberFormat = "float32" if choice.precision == "int8" else choice.precision
    return [Numerics(_backend(choice), choice.precision, texts, device)]


def warm_up(embedder: Embedder) -> None:
    """One picture and one text through the model.

    Raises:
        ModelFailed: it does not answer.
    """
    embedder.embed_images(probe_pixels(embedder)[None])
    embedder.embed_texts([PROBE_TEXT])


def _order_of(tuned: Tuned | None) -> Sequence[Numerics]:
    if tuned is None:
        return ()
    if tuned.processor != processor_name():
        _log.warning(
            "%s was tuned on another processor (%s), which says nothing of this one. Run: python -m indexer tune",
            tuned.model,
            tuned.processor,
        )
        return ()
    return tuned.order


def _backend(choice: ModelChoice) -> BackendName:
    if choice.backend == "auto":
        return "openvino" if choice.precision == "int8" else "torch"
    return choice.backend


def _device(choice: ModelChoice) -> DeviceName:
    if choice.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if choice.device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("device is cuda, but torch finds no GPU here.", "Set device to cpu or auto.")
    return choice.device


@contextmanager
def _converted_patches(choice: ModelChoice, space: EmbeddingSpace) -> Iterator[Path]:
    """Openvino's tower of patches. The first time the model is loaded once more: an embedder keeps no modules."""
    from indexer.embedding import openvino_backend

    with _models_dir(choice) as models_dir:
        towers = TowerStore(models_dir / space.space_id, space, versions_of("openvino"))
        found = towers.find("patches", "float32")
        if found is None:
            model = load_open_clip(choice)
            if model.space != space:
                raise ModelMismatch(f"The files of {space.model} are others than at the start.", "Start anew.")
            found = towers.store(
                "patches", "float32", lambda path: openvino_backend.save_converted(model, "patches", path)
            )
        yield found.path


@contextmanager
def _models_dir(choice: ModelChoice) -> Iterator[Path]:
    if choice.models_dir:
        yield Path(choice.models_dir)
        return
    with TemporaryDirectory(prefix="vitrine-models-") as folder:
        yield Path(folder)
