"""The image tower against what the device can multiply, and decoding against the tower:
``python -m benchmarks.gpu [--model ViT-B-16-SigLIP2] [--device cuda] [--batch 256] [--json FILE]``.

The limit is measured, not read from a data sheet: the rate of one large bf16 matrix product on the same device in the
same run. The arithmetic of a picture is counted from the model (two operations for each multiplication and addition).
With ``--device cpu`` the same is measured on the processor, in float32.
"""

from __future__ import annotations

import argparse
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.checkpoints import B16_224, model_named
from benchmarks.rounds import Contestant, Rounds, per_second
from benchmarks.rows import Claim, Row, add_json_flag, report
from benchmarks.shop_photos import write_catalog
from indexer.embedding.build import Builder
from indexer.embedding.choice import ModelChoice
from indexer.embedding.load import open_model
from indexer.embedding.numerics import DeviceName, NumberFormat, Numerics
from indexer.embedding.towers import TowersEmbedder
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits
from indexer.processors import available_cores, processor_name

_TERA = 1e12
_MATRIX: dict[DeviceName, int] = {"cuda": 8192, "cpu": 2048}
_SHARE_OF_MATRIX_RATE = 0.45
"""The aim with ViT-B/16 at 224 px on a large GPU."""
_BATCHES = 8
_PHOTOS = 256


def main() -> None:
    """Measures and prints the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=B16_224, help="open_clip name, made up with random weights, or demo")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    add_json_flag(parser)
    arguments = parser.parse_args()
    device: DeviceName = arguments.device
    if device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no GPU here; --device cpu measures the processor")
    choice = ModelChoice(model=model_named(arguments.model), device=device, batch_size=arguments.batch)
    with open_model(choice) as opened:
        rows = measured(opened.builder, device, arguments)
    name = torch.cuda.get_device_name() if device == "cuda" else processor_name()
    report(rows, arguments.json, f"{arguments.model}, batches of {arguments.batch}, {name}")


def measured(builder: Builder, device: DeviceName, arguments: argparse.Namespace) -> list[Row]:
    """All of it in turn, round after round."""
    flop = flop_of_one_picture(builder)
    number_format: NumberFormat = "bf16" if device == "cuda" else "float32"
    embedder = builder.build(Numerics("torch", number_format, number_format, device), last=True)
    with TemporaryDirectory() as catalog:
        files = [file.read_bytes() for file in write_catalog(Path(catalog), _PHOTOS).files]
    contestants = {
        "tower": _tower(embedder, flop, arguments.batch),
        "matrix": _matrix(device),
        "decoding": _decoding(embedder, flop, files),
    }
    for work in contestants.values():
        work()
    rounds = Rounds(contestants).run(arguments.rounds)
    pictures = {name: _TERA / flop * statistics.median(rounds.figures[name] or [0]) for name in contestants}
    tower = Claim(
        f"{arguments.model}: image tower, {number_format} on {device}",
        "TFLOP/s",
        f"one large {number_format} matrix product",
        target=_SHARE_OF_MATRIX_RATE if device == "cuda" else None,
        note=f"{flop / 1e9:.1f} GFLOP a picture; {pictures['tower']:.0f} images/s from "
        "pixels in the host's memory to normalised vectors there",
    )
    decoding = Claim(
        f"{arguments.model}: decoding on {available_cores()} cores, as arithmetic that it feeds",
        "TFLOP/s",
        "the tower",
        target=1.0 if device == "cuda" else None,
        note=f"{pictures['decoding']:.0f} images/s, JPEG files of 1000 px",
    )
    return [rounds.row(tower, "tower", "matrix"), rounds.row(decoding, "decoding", "tower")]


def flop_of_one_picture(builder: Builder) -> float:
    """Floating point operations of one forward pass of the image tower."""
    module: Any = builder.model.module
    side = builder.space.image_size_px
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.encode_image(torch.zeros(1, 3, side, side))
    return float(counter.get_total_flops())


def _tower(embedder: TowersEmbedder, flop: float, batch: int) -> Contestant:
    side = embedder.space.image_size_px
    pixels = np.random.default_rng(0).integers(0, 256, (batch * _BATCHES, side, side, 3), dtype=np.uint8)
    return lambda: per_second(len(pixels), lambda: embedder.embed_images(pixels)) * flop / _TERA


def _matrix(device: DeviceName) -> Contestant:
    side = _MATRIX[device]
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    one, other = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))

    def multiply() -> None:
        for _ in range(_BATCHES):
            torch.mm(one, other)
        if device == "cuda":
            torch.cuda.synchronize()

    return lambda: per_second(_BATCHES, multiply) * 2 * side**3 / _TERA


def _decoding(embedder: TowersEmbedder, flop: float, files: list[bytes]) -> Contestant:
    side, limits = embedder.space.image_size_px, ImageLimits()

    def prepare(data: bytes) -> object:
        return embedder.prepare_image(decode_image(data, limits, min_side_px=side).image)

    def all_files() -> None:
        with ThreadPoolExecutor(available_cores()) as threads:
            list(threads.map(prepare, files))

    return lambda: per_second(len(files), all_files) * flop / _TERA


if __name__ == "__main__":
    main()
