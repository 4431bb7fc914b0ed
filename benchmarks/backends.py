"""Every way to compute embeddings on this machine against open_clip's own float32 forward pass, on ready pixels:
``python -m benchmarks.backends [--model ViT-B-16-SigLIP2 | demo] [--rounds 3] [--json FILE]``.

A model other than ``demo`` has random weights of its real size: what it costs is right, how far number formats agree on
it means nothing, so the agreement that is printed counts for ``demo`` alone. Converted towers are kept in ``.bench/``;
``--prepare`` makes them and measures nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch

from benchmarks.checkpoints import B16_224, model_folder, model_named
from benchmarks.rounds import Contestant, Rounds, elapsed_ms, per_second
from benchmarks.rows import Claim, Row, add_json_flag, report
from indexer.embedding.build import Builder
from indexer.embedding.choice import DEMO_MODEL, LOCAL_DIR, ModelChoice
from indexer.embedding.load import open_model
from indexer.embedding.numerics import Numerics
from indexer.embedding.openvino_backend import INT8_RECIPES
from indexer.embedding.port import Pixels
from indexer.precision.tune import ways_here

_BATCH = 32
_SINGLES = 5
_TEXT = "a photo of a black teapot with white dots"
_OPEN_CLIP = "open_clip fp32"
_CALIBRATION = 32
_MODELS = Path(".bench/models")


def main() -> None:
    """Measures and prints the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=B16_224, help="open_clip name, made up with random weights, or demo")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--longest-s", type=float, default=200.0, help="no round is begun that would end later")
    parser.add_argument("--prepare", action="store_true", help="convert and quantise only")
    add_json_flag(parser)
    arguments = parser.parse_args()
    choice = ModelChoice(model=model_named(arguments.model), device="cpu", models_dir=str(_MODELS.resolve()))
    with open_model(choice) as opened:
        side = opened.builder.space.image_size_px
        pixels = np.random.default_rng(0).integers(0, 256, (_BATCH, side, side, 3), dtype=np.uint8)
        ways = ways_here("cpu")
        for way in ways:
            _prepare(opened.builder, way, pixels)
        if arguments.prepare:
            return
        rows = measured(opened.builder, ways, pixels, arguments)
    report(rows, arguments.json, f"{arguments.model}, {side} px, batches of {_BATCH}")


def measured(builder: Builder, ways: Sequence[Numerics], pixels: Pixels, arguments: argparse.Namespace) -> list[Row]:
    """All ways in turn, round after round."""
    repeats = 8 if arguments.model == DEMO_MODEL else 1
    batches, singles, texts = _open_clip(builder, model_folder(arguments.model), pixels, repeats)
    for way in ways:
        embedder = builder.build(way)
        batches[str(way)] = _batches(lambda e=embedder: e.embed_images(pixels), repeats)  # type: ignore[misc]
        singles[str(way)] = _alone(lambda e=embedder: e.embed_images(pixels[:1]))  # type: ignore[misc]
        texts[str(way)] = _alone(lambda e=embedder: e.embed_texts([_TEXT]))  # type: ignore[misc]
    for work in (*batches.values(), *singles.values(), *texts.values()):
        work()  # threads, kernels and memory are there afterwards
    per_kind = [Rounds(contestants) for contestants in (batches, singles, texts)]
    for rounds in per_kind:
        rounds.run(arguments.rounds, longest_s=arguments.longest_s / len(per_kind))
    rows = []
    for ours in map(str, ways):
        name = f"{arguments.model}: {ours}"
        kinds = (
            (", batches of 32", "images/s", "higher"),
            (", one image", "ms", "lower"),
            (", one text", "ms", "lower"),
        )
        for rounds, (what, unit, better) in zip(per_kind, kinds, strict=True):
            claim = Claim(name + what, unit, alternative_name=f"{_OPEN_CLIP} forward", better=better)  # type: ignore[arg-type]
            rows.append(rounds.row(claim, ours, _OPEN_CLIP))
    return rows


def _prepare(builder: Builder, way: Numerics, pixels: Pixels) -> None:
    """Converts and quantises what is not kept yet."""
    if way.images == "int8" and builder.stored("images", "int8") is None:
        builder.quantise(pixels[:_CALIBRATION], INT8_RECIPES[0])
    if way.backend == "openvino":
        builder.stored("images", way.images)
        builder.stored("texts", "float32")


def _open_clip(
    builder: Builder, checkpoint: Path, pixels: Pixels, repeats: int
) -> tuple[dict[str, Contestant], dict[str, Contestant], dict[str, Contestant]]:
    """As its README has it: float32, tensors of floats, no gradient; made before ours change how torch runs."""
    loaded = builder.model
    model: Any = open_clip.create_model(f"{LOCAL_DIR}{checkpoint}", precision="fp32", require_pretrained=True).eval()
    values = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    values = (values - torch.tensor(loaded.preprocess.mean).view(3, 1, 1)) / torch.tensor(loaded.preprocess.std).view(
        3, 1, 1
    )
    ids = torch.from_numpy(loaded.tokenize([_TEXT]))

    def run(encode: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor) -> None:
        with torch.no_grad():
            features = encode(rows)
            features /= features.norm(dim=-1, keepdim=True)

    images, text = model.encode_image, model.encode_text
    return (
        {_OPEN_CLIP: _batches(lambda: run(images, values.contiguous()), repeats)},
        {_OPEN_CLIP: _alone(lambda: run(images, values[:1].contiguous()))},
        {_OPEN_CLIP: _alone(lambda: run(text, ids))},
    )


def _batches(work: Callable[[], object], repeats: int) -> Contestant:
    def measure() -> float:
        return per_second(_BATCH * repeats, lambda: [work() for _ in range(repeats)])

    return measure


def _alone(work: Callable[[], object]) -> Contestant:
    def measure() -> float:
        return float(np.median([elapsed_ms(work) for _ in range(_SINGLES)]))

    return measure


if __name__ == "__main__":
    main()
