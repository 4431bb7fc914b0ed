"""Indexing end to end against the model's own forward pass, in one run: ``python -m benchmarks.indexing``.

Rows: the backend alone on ready tensors; an index run of JPEG files of the size shops use; the loop that open_clip's
README shows (PIL, its transform, batches of 32, one after the other); the same feed again, unchanged; the same feed
with every price changed.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from indexer import bootstrap
from indexer.embedding.choice import DEMO_MODEL
from indexer.embedding.port import Embedder
from indexer.embedding.torch_backend import TorchEmbedder
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.run import IndexOptions, index_feed
from indexer.settings import load_settings
from tests.pictures import catalog_row, drawn_picture, write_feed

_SIZE = (1000, 800)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=600)
    parser.add_argument("--model", default=DEMO_MODEL)
    parser.add_argument("--precision", default="float32")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder, arguments.products)
        flags = {"data_dir": folder / "data", "model": arguments.model, "precision": arguments.precision}
        with bootstrap.indexing(load_settings(flags, environment={}).settings) as parts:
            report(folder, arguments.products, parts)


def draw(folder: Path, products: int) -> None:
    """A catalog of JPEG files of 1000 x 800 pixels with some texture, about 150 kB each."""
    (folder / "images").mkdir()
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 6, (_SIZE[1], _SIZE[0], 1))
    for number in range(products):
        picture = np.asarray(drawn_picture(number, size=_SIZE), dtype=np.float64)
        out = io.BytesIO()
        Image.fromarray((picture + noise).clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=88)
        (folder / "images" / f"p{number}-0.jpg").write_bytes(out.getvalue())
    write_prices(folder, products, 0)


def write_prices(folder: Path, products: int, more: int) -> None:
    """The feed, each price higher by ``more``."""
    rows = [
        catalog_row(number, [f"images/p{number}-0.jpg"]) | {"price": f"{number + 1 + more}.00 EUR"}
        for number in range(products)
    ]
    write_feed(folder / "feed.jsonl", rows)


def report(folder: Path, products: int, parts: IndexParts) -> None:
    """Measures and prints the rows."""
    embedder = parts.embedder
    raw = rate(lambda: raw_forward(embedder, products), products)
    first = rate(lambda: run(folder, parts), products)
    loop = rate(lambda: readme_loop(folder, products, embedder), products)
    again = rate(lambda: run(folder, parts), products)
    write_prices(folder, products, 1)
    prices = rate(lambda: run(folder, parts), products)
    print(
        f"{products} products, one JPEG of {_SIZE[0]} x {_SIZE[1]} each; {embedder.space.model}, {embedder.description}"
    )
    print(f"{'':44} {'a second':>9} {'of raw':>7} {'of loop':>8}")
    for name, value in (
        ("raw: forward pass on ready tensors", raw),
        ("index run, files to durable points", first),
        ("open_clip's README loop (fp32, 32)", loop),
        ("same feed again, nothing changed", again),
        ("same pictures, every price changed", prices),
    ):
        print(f"{name:44} {value:9.1f} {value / raw:7.2f} {value / loop:8.2f}")


def rate(work: Callable[[], None], count: int) -> float:
    """Items a second."""
    start_s = time.perf_counter()
    work()
    return count / (time.perf_counter() - start_s)


def run(folder: Path, parts: IndexParts) -> None:
    """An index run."""
    index_feed(folder / "feed.jsonl", IndexOptions(), InlineDispatcher(parts))


def raw_forward(embedder: Embedder, count: int) -> None:
    """The backend on pictures that are ready."""
    side = embedder.space.image_size_px
    embedder.embed_images(np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8))


def readme_loop(folder: Path, count: int, embedder: Embedder) -> None:
    """PIL, the checkpoint's transform, float32, batches of 32, one after the other."""
    assert isinstance(embedder, TorchEmbedder)
    recipe = embedder._model.preprocess  # noqa: SLF001
    module = embedder._module  # noqa: SLF001
    mean, std = torch.tensor(recipe.mean).view(3, 1, 1), torch.tensor(recipe.std).view(3, 1, 1)
    dtype = next(module.parameters()).dtype
    for start in range(0, count, 32):
        batch = []
        for number in range(start, min(count, start + 32)):
            image = Image.open(folder / "images" / f"p{number}-0.jpg").convert("RGB")
            values = torch.from_numpy(recipe.apply(image).copy()).permute(2, 0, 1).float() / 255
            batch.append((values - mean) / std)
        with torch.no_grad():
            features = module.encode_image(torch.stack(batch).to(dtype))
            features / features.norm(dim=-1, keepdim=True)


if __name__ == "__main__":
    main()
