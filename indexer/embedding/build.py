"""From a loaded model to an embedder with given numerics, whatever agreed before."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.embedding.cuda_backend import CudaEmbedder
from indexer.embedding.numerics import ConvertedTower, NumberFormat, Numerics, Tower
from indexer.embedding.openclip import LoadedModel
from indexer.embedding.port import Pixels
from indexer.embedding.torch_backend import TorchEmbedder
from indexer.embedding.tower_files import StoredTower, TowerStore
from indexer.embedding.towers import TowersEmbedder
from indexer.errors import ConfigurationError, PrecisionRefused
from indexer.spaces import EmbeddingSpace

if TYPE_CHECKING:
    from indexer.embedding.openvino_backend import ConvertedPatches, Int8Recipe


@dataclass(frozen=True, slots=True)
class Running:
    """How embedders run on this machine.

    Attributes:
        threads: cores that the model may use.
        batch_size: pictures or texts in one forward pass.
    """

    threads: int
    batch_size: int = 32


class Builder:
    """Builds embedders of one model; converted towers are kept in its space's folder.

    Args:
        model: loaded; its module stays as it is.
        running: how embedders run.
        folder: of the model's space.
        patches: gives openvino's tower of patches when the builder, and with it the loaded model, is long gone; None
            keeps both for it.
    """

    def __init__(
        self, model: LoadedModel, running: Running, folder: Path, patches: ConvertedPatches | None = None
    ) -> None:
        self._model = model
        self._running = running
        self._patches = patches or self._stored_patches
        self._towers = TowerStore(folder, model.space, versions_of("openvino"))
        self._found: dict[tuple[ConvertedTower, NumberFormat], StoredTower] = {}

    @property
    def space(self) -> EmbeddingSpace:
        """Of the model."""
        return self._model.space

    @property
    def batch_size(self) -> int:
        """Pictures or texts in one forward pass."""
        return self._running.batch_size

    @property
    def model(self) -> LoadedModel:
        """As it was loaded."""
        return self._model

    def build(self, numerics: Numerics, *, last: bool = False) -> TowersEmbedder:
        """An embedder.

        Args:
            numerics: what it computes with.
            last: whether the builder builds no other after this one, so that the model need not be copied.

        Raises:
            ConfigurationError: this machine cannot compute so.
            PrecisionRefused: an int8 tower that was not made yet.
            ModelMismatch: the model cannot be converted.
        """
        if numerics.backend == "openvino":
            return self._openvino(numerics)
        precision = numerics.images
        if precision == "int8" or numerics.texts != precision:
            raise ConfigurationError(f"torch cannot compute {numerics}.", "Set backend to openvino, or to auto.")
        model = self._model
        if not last and not (numerics.is_reference and numerics.device == "cpu"):
            model = replace(model, module=copy.deepcopy(model.module))
        if numerics.device == "cuda":
            return CudaEmbedder(model, precision=precision, batch_size=self._running.batch_size)
        return TorchEmbedder(
            model, precision=precision, batch_size=self._running.batch_size, threads=self._running.threads
        )

    def stored(self, tower: ConvertedTower, number_format: NumberFormat) -> StoredTower | None:
        """A converted tower, made if it is not there; None for an int8 one, which needs a sample to be made.

        Raises:
            ModelMismatch: openvino cannot convert it.
            StoreUnavailable: it cannot be written.
        """
        from indexer.embedding import openvino_backend

        # bf16 is a way to run the float32 graph
        kept: NumberFormat = "int8" if number_format == "int8" else "float32"
        # hashing the files takes a second a gigabyte, so it is done once
        found = self._found.get((tower, kept)) or self._towers.find(tower, kept)
        if found is None and kept != "int8":
            model = self._model
            found = self._towers.store(tower, kept, lambda path: openvino_backend.save_converted(model, tower, path))
        if found is not None:
            self._found[tower, kept] = found
        return found

    def quantise(self, pixels: Pixels, recipe: Int8Recipe) -> StoredTower:
        """Makes the int8 image tower, in place of one that there may be.

        Args:
            pixels: sample, uint8 (B, S, S, 3).
            recipe: which layers.

        Raises:
            ModelMismatch: it cannot be quantised.
            StoreUnavailable: it cannot be written.
        """
        from indexer.embedding import openvino_backend

        source = self.stored("images", "float32")
        assert source is not None  # noqa: S101 - only int8 ones may be missing
        path = source.path
        made = self._towers.store(
            "images", "int8", lambda target: openvino_backend.save_quantised(path, target, pixels, recipe), recipe.name
        )
        self._found["images", "int8"] = made
        return made

    def fingerprint(self, numerics: Numerics, tower: Tower) -> str:
        """Of what decides the numbers of a tower, the processor aside; empty for a tower that was not made yet."""
        if numerics.backend == "openvino":
            stored = self.stored(tower, numerics.format_of(tower))
            return f"openvino {versions_of('openvino')['openvino']} {stored.fingerprint}" if stored else ""
        return f"torch {versions_of('torch')['torch']}"

    @contextmanager
    def _stored_patches(self) -> Iterator[Path]:
        stored = self.stored("patches", "float32")
        assert stored is not None  # noqa: S101 - only int8 ones may be missing
        yield stored.path

    def _openvino(self, numerics: Numerics) -> TowersEmbedder:
        from indexer.embedding.openvino_backend import OpenVinoEmbedder, TowerFiles, check_installed

        check_installed()
        if numerics.device != "cpu":
            raise ConfigurationError("The backend openvino runs on the CPU.", "Set device to cpu, or backend to torch.")
        if numerics.texts == "int8":
            raise ConfigurationError("The text tower has no int8 form.", "Set precision to auto.")
        images, texts = self.stored("images", numerics.images), self.stored("texts", numerics.texts)
        if images is None or texts is None:
            raise PrecisionRefused(
                f"{self.space.model} has no int8 form here; it is made from a sample of the catalog's pictures.",
                "Run: python -m indexer tune FEED.",
            )
        return OpenVinoEmbedder(
            self._model,
            TowerFiles(images.path, texts.path, self._patches),
            numerics,
            threads=self._running.threads,
            batch_size=self._running.batch_size,
        )


def versions_of(*packages: str) -> Mapping[str, str]:
    """Installed versions; empty for what is not installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found
