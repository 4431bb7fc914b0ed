"""The one file that imports openvino (and nncf): towers converted, quantised, stored and run on a CPU.

The conversion takes the loaded open_clip towers themselves, with the normalisation of the pixels as the first step of
the graph, so that bytes and not floats are handed over. float32 and bf16 run the same graph; int8 is quantised after
training from a sample of pictures (NNCF's preset for transformers).
"""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from indexer.embedding.numerics import ConvertedTower, NumberFormat, Numerics
from indexer.embedding.openclip import LoadedModel
from indexer.embedding.opened_tower import OpenedTower, RawPatches
from indexer.embedding.patch_modules import PatchModule
from indexer.embedding.patches import PatchTower
from indexer.embedding.port import Pixels, TokenIds
from indexer.embedding.towers import RawVectors, TowersEmbedder
from indexer.errors import ConfigurationError, ModelMismatch

_WEIGHTED = frozenset({"Convolution", "GroupConvolution", "MatMul"})
_EXAMPLES = 2
_CONVERSION_FAULTS = (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError)
"""Of tracing and of NNCF's passes, which raise what Python raises."""


@dataclass(frozen=True, slots=True)
class Int8Recipe:
    """Which layers are quantised; the first and the last ones are the ones that vectors are most sensitive to.

    Attributes:
        name: for people.
        first, last: layers with weights left in float32, counted from the pictures and from the vector.
    """

    name: str
    first: int = 0
    last: int = 0


INT8_RECIPES = (Int8Recipe("every layer"), Int8Recipe("all but the first two layers and the last", 2, 1))
"""From the fastest to the most careful; the first whose vectors agree is taken."""


ConvertedPatches = Callable[[], AbstractContextManager[Path]]
"""Gives the graph of the patch tower for the length of a block, made first if there is none."""


@dataclass(frozen=True, slots=True)
class TowerFiles:
    """Where the graphs of the towers lie (``.xml``, with a ``.bin`` of the same stem)."""

    images: Path
    texts: Path
    patches: ConvertedPatches


def check_installed() -> None:
    """Returns if both packages are there.

    Raises:
        ConfigurationError: they are not; names the remedy.
    """
    if find_spec("openvino") is None or find_spec("nncf") is None:
        raise ConfigurationError(
            "The backend openvino is not installed.", "Run: pip install 'vitrine[openvino]', or set backend to torch."
        )


def supported_formats() -> tuple[NumberFormat, ...]:
    """What this processor computes; int8 runs everywhere, bf16 needs instructions for it."""
    capabilities = _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("float32", "bf16", "int8") if "BF16" in capabilities else ("float32", "int8")


class OpenVinoEmbedder(TowersEmbedder):
    """Runs converted towers on the CPU.

    One stream that all cores work on, and batches of any size: on two cores this was as fast as one stream a core, and
    as batches of fixed sizes, within the noise of measuring (``docs/performance.md``); and it answers a single query
    soonest.

    Args:
        model: that was converted; its module is not kept.
        files: its towers.
        numerics: of backend ``openvino``.
        threads: cores it may use.
        batch_size: the largest batch.

    Raises:
        ConfigurationError: the processor cannot compute in that number format.
        ModelMismatch: the files cannot be compiled.
    """

    def __init__(
        self,
        model: LoadedModel,
        files: TowerFiles,
        numerics: Numerics,
        *,
        threads: int,
        batch_size: int = 32,
    ) -> None:
        super().__init__(model, numerics, batch_size)
        self._threads = threads
        self._converted_patches = files.patches
        self._images = _request(files.images, numerics.images, threads)
        self._texts = _request(files.texts, numerics.texts, threads)

    def _run_images(self, pixels: Pixels) -> RawVectors:
        return _inferred(self._images, pixels)[0]

    def _run_texts(self, ids: TokenIds) -> RawVectors:
        return _inferred(self._texts, ids)[0]

    def open_patches(self) -> PatchTower:
        """See ``Embedder``: a further graph, in float32 where the image tower is int8."""
        number_format: NumberFormat = "bf16" if self.numerics.images == "bf16" else "float32"
        with self._converted_patches() as path:
            request = _request(path, number_format, self._threads)
        side_px = int(request.model_inputs[0].partial_shape[1].get_length())

        def run(pixels: Pixels) -> RawPatches:
            vectors, weights = _inferred(request, pixels)
            return vectors, weights

        return OpenedTower(f"openvino {number_format} on cpu", self._recipe, side_px, run, self._image_turns)


def save_converted(model: LoadedModel, tower: ConvertedTower, path: Path) -> None:
    """Converts a tower and writes it as ``path`` (``.xml``) and ``.bin``, weights in float32.

    Raises:
        ModelMismatch: openvino cannot convert it.
        PatchesUnavailable: the tower's kind gives no vectors of patches.
    """
    openvino = _openvino()
    if tower != "texts":
        module: torch.nn.Module = _ImageTower(model)
        side = model.space.image_size_px
        if tower == "patches":
            module = PatchModule(model)
            side = module.side_px
        example = torch.zeros((_EXAMPLES, side, side, 3), dtype=torch.uint8)
    else:
        module = _TextTower(model)
        example = torch.from_numpy(model.tokenize(["a photo", "two words and more"]))
    shape = openvino.PartialShape([-1, *example.shape[1:]])
    try:
        with warnings.catch_warnings(), _logging_kept(), torch.no_grad():
            # tracing warns of its own age, and of Python values that are constants of the architecture
            warnings.simplefilter("ignore")
            graph = openvino.convert_model(module.eval(), example_input=example, input=[shape])
            openvino.save_model(graph, path, compress_to_fp16=False)
    except _CONVERSION_FAULTS as error:
        raise ModelMismatch(
            f"openvino cannot convert the model {model.space.model}: {_first_line(error)}.", "Set backend to torch."
        ) from error


def save_quantised(source: Path, path: Path, pixels: Pixels, recipe: Int8Recipe) -> None:
    """Quantises a converted image tower to int8.

    Args:
        source: the float32 graph.
        path: where the int8 one goes.
        pixels: the sample that value ranges are taken from, uint8 (B, S, S, 3).
        recipe: which layers.

    Raises:
        ModelMismatch: NNCF cannot quantise it.
    """
    openvino, nncf = _openvino(), _nncf()
    graph = openvino.Core().read_model(source)
    layers = [node.get_friendly_name() for node in graph.get_ordered_ops() if _has_weights(node)]
    skipped = layers[: recipe.first] + layers[len(layers) - recipe.last :]
    try:
        # NNCF draws its progress on standard output, where results go
        with warnings.catch_warnings(), _logging_kept(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            quantised = nncf.quantize(
                graph,
                nncf.Dataset([row[None] for row in pixels]),
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(pixels),
                fast_bias_correction=False,
                ignored_scope=nncf.IgnoredScope(names=skipped, validate=False),
            )
            openvino.save_model(quantised, path, compress_to_fp16=False)
    except _CONVERSION_FAULTS as error:
        raise ModelMismatch(f"NNCF cannot quantise the image tower: {_first_line(error)}.") from error


class _ImageTower(torch.nn.Module):
    """Bytes to vectors: the normalisation as one multiply and add, then the tower."""

    def __init__(self, model: LoadedModel) -> None:
        super().__init__()
        self.towers: Any = model.module
        self.scale = torch.from_numpy(model.preprocess.byte_scale)
        self.shift = torch.from_numpy(model.preprocess.byte_shift)

    def forward(self, pixels: torch.Tensor) -> Any:
        values = pixels.permute(0, 3, 1, 2).to(torch.float32)
        return self.towers.encode_image(torch.addcmul(self.shift, values, self.scale))


class _TextTower(torch.nn.Module):
    def __init__(self, model: LoadedModel) -> None:
        super().__init__()
        self.towers: Any = model.module

    def forward(self, ids: torch.Tensor) -> Any:
        return self.towers.encode_text(ids)


def _request(path: Path, number_format: NumberFormat, threads: int) -> Any:
    openvino = _openvino()
    if number_format not in supported_formats():
        raise ConfigurationError(
            f"This processor has no instructions for {number_format}.", "Set precision to float32, or to auto."
        )
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        # what int8 leaves over is computed in float32: it costs nothing measurable here, and keeps numbers close
        "INFERENCE_PRECISION_HINT": "bf16" if number_format == "bf16" else "f32",
        # other threads of this process decode pictures on the same cores; the system knows best who runs where
        "ENABLE_CPU_PINNING": False,
    }
    try:
        return openvino.Core().compile_model(path, "CPU", options).create_infer_request()
    except RuntimeError as error:
        raise ModelMismatch(
            f"{path.name} cannot be compiled: {_first_line(error)}.", f"Delete the folder {path.parent}."
        ) from error


def _inferred(request: Any, rows: NDArray[np.uint8] | NDArray[np.int64]) -> list[NDArray[np.float32]]:
    """All outputs of a graph."""
    request.infer({0: np.ascontiguousarray(rows)}, share_inputs=True)
    return [np.array(output.data, dtype=np.float32) for output in request.output_tensors]


def _has_weights(node: Any) -> bool:
    """Whether an input comes from constants alone: an attention's matrix product has none."""
    return node.get_type_name() in _WEIGHTED and _is_constant(node.input_value(1).get_node())


def _is_constant(node: Any) -> bool:
    walk: Callable[[Any], bool] = _is_constant
    if node.get_type_name() == "Constant":
        return True
    inputs: Sequence[Any] = node.input_values()
    return bool(inputs) and all(walk(value.get_node()) for value in inputs)


@contextmanager
def _logging_kept() -> Iterator[None]:
    """The root logger as it was: conversions set its level, or that of its handlers, to ERROR for the whole program."""
    root = logging.getLogger()
    level, filters, handlers = root.level, list(root.filters), [(item, item.level) for item in root.handlers]
    try:
        yield
    finally:
        root.setLevel(level)
        root.filters[:], root.handlers[:] = filters, [item for item, _ in handlers]
        for item, handler_level in handlers:
            item.setLevel(handler_level)


def _openvino() -> Any:
    # both packages report each conversion to their maker's servers unless their telemetry package is missing; a shop's
    # program tells nobody what it does
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def _nncf() -> Any:
    _openvino()
    import nncf

    # its own set_log_level would silence the handlers of this whole program
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200].rstrip(".") if text else type(error).__name__
