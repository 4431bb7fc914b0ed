"""``python -m indexer.demo.train --data SHARED --out DIR``: train the demo model from scratch on a CPU."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from PIL import Image
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from indexer.demo.catalog import Plan, write_catalog
from indexer.demo.measure import Reader, sample_catalog_figures
from indexer.demo.training.batches import Material
from indexer.demo.training.corpus import tokenizer_corpus
from indexer.demo.training.drawings import drawings
from indexer.demo.training.loop import Place, Schedule, Share, Trainer
from indexer.demo.training.model import Design, new_model, store_weights, tokenizer_of, write_config
from indexer.demo.training.sources import Groceries, Pixels, read_clothes, read_groceries
from indexer.demo.training.tokenizer import save_tokenizer, train_tokenizer
from indexer.processors import available_cores

PROBE = Plan(products=200, image_size_px=192, seed=6, text_queries_per_language=60, photo_queries_per_change=40)
"""A sample catalog to look at while training: not the one that figures are stated for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and store a model; a run that was stopped goes on from its last saved state."""
    options = _options(arguments)
    out: Path = options.out
    (out / "state").mkdir(parents=True, exist_ok=True)
    if not (out / "tokenizer.json").is_file():
        groceries = read_groceries(options.data / "grocery")
        save_tokenizer(train_tokenizer(tokenizer_corpus(groceries, options.seed)), out)
    _write_config(out, Design(tower=options.tower, image_size_px=options.size_px))
    drawings(options.cache, options.looks, options.seed)
    with tempfile.TemporaryDirectory() as meeting:
        spawn(_work, (options, meeting), nprocs=options.processes)  # type: ignore[no-untyped-call]
    return 0


def _work(rank: int, options: argparse.Namespace, meeting: str) -> None:
    """One of the training processes."""
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    share = Share(rank, options.processes)
    if share.count > 1:
        distributed.init_process_group("gloo", f"file://{meeting}/store", rank=rank, world_size=share.count)
    out: Path = options.out
    material = Material(
        drawings=drawings(options.cache, options.looks, options.seed),
        groceries=read_groceries(options.data / "grocery", "fit" if options.keep_dev else "all"),
        clothes=read_clothes(options.data / "clothing"),
    )
    model, probe = new_model(out), new_model(out).to(memory_format=torch.channels_last)
    schedule = Schedule(steps=options.steps, rate=options.rate, sizes=_sizes(options.sizes), seed=options.seed)
    trainer = Trainer(model, material, tokenizer_of(out), schedule, Place(out / "state" / "state.pt", share))
    dev = read_groceries(options.data / "grocery", "dev")
    shop = write_catalog(options.cache / "probe", PROBE).parent if share.leads else Path()

    def check(average: dict[str, Tensor], size_px: int) -> dict[str, float]:
        probe.load_state_dict(average)
        probe.eval()
        reader = Reader(probe, partial(squashed, size_px=size_px), tokenizer_of(out))
        sample = sample_catalog_figures(reader, shop)
        return {**dev_figures(probe, dev, size_px), **{name: found["hit@1"] for name, found in sample.items()}}

    trainer.run(check, check_every=options.check_every)
    if share.leads:
        size_bytes = store_weights(trainer.average, out)
        sys.stderr.write(f"stored {size_bytes} bytes after {trainer.seconds / 60:.0f} min of training in {out}\n")
    if share.count > 1:
        distributed.destroy_process_group()


def squashed(picture: Image.Image, size_px: int) -> Tensor:
    """The checkpoint's preprocessing at another size: float32 (3, S, S), mean and std 0.5."""
    pixels = np.asarray(picture.resize((size_px, size_px), Image.Resampling.BICUBIC), dtype=np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)


def dev_figures(model: Any, dev: Groceries, size_px: int) -> dict[str, float]:
    """Share of dev photos whose product's catalogue picture is nearest, and among the ten nearest."""
    with torch.inference_mode():
        catalogue = _embedded(model, dev.catalogue, size_px)
        photos = _embedded(model, dev.photos, size_px)
    order = (photos @ catalogue.T).argsort(dim=1, descending=True).numpy()
    rank = np.argmax(order == dev.labels[:, None], axis=1)
    return {"dev hit@1": float((rank < 1).mean()), "dev hit@10": float((rank < 10).mean())}


def _embedded(model: Any, pictures: Pixels, size_px: int) -> Tensor:
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    small = functional.interpolate(tensor, size=size_px, mode="bicubic", antialias=True, align_corners=False)
    scaled = (small.clamp(0, 255) / 127.5 - 1).contiguous(memory_format=torch.channels_last)
    return torch.cat([functional.normalize(model.encode_image(part), dim=-1) for part in torch.split(scaled, 64)])


def _write_config(out: Path, design: Design) -> None:
    """Write the configuration twice: open_clip reads it to find the tokenizer, which says how large it is."""
    write_config(out, design, vocabulary=1)
    write_config(out, design, vocabulary=len(tokenizer_of(out).tokenizer))


def _sizes(text: str) -> tuple[tuple[float, int], ...]:
    """ "0.5:96,0.5:128" as ((0.5, 96), (0.5, 128))."""
    pairs = (part.split(":") for part in text.split(","))
    return tuple((float(share), int(size_px)) for share, size_px in pairs)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m indexer.demo.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with grocery/ and clothing/")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder; the training state goes to state/")
    parser.add_argument("--cache", type=Path, default=Path(".training/drawings"), help="drawn products are kept here")
    parser.add_argument("--tower", default="resnet10t", help="timm model for pictures")
    parser.add_argument("--size-px", type=int, default=128, help="picture side that the model is used with")
    parser.add_argument("--sizes", default="0.5:80,0.32:96,0.18:128", help="share of steps and picture side, in order")
    parser.add_argument("--steps", type=int, default=3400)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="greatest learning rate")
    parser.add_argument("--looks", type=int, default=7000, help="made-up products drawn for training")
    parser.add_argument("--check-every", type=int, default=500, help="steps between dev figures")
    parser.add_argument("--keep-dev", action="store_true", help="leave the dev photos out of training")
    parser.add_argument("--processes", type=int, default=available_cores(), help="one thread each")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
