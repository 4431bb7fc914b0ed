"""Real photos used in training: groceries and clothes, read from the shared data folder into small arrays.

The folder is described in ``MODEL_CARD.md``. Only the ``train`` split of the groceries is read here, never ``val``.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Pixels = NDArray[np.uint8]
Ids = NDArray[np.int64]

PHOTO_PX = 192
"""Side at which photos are kept for training; every use of one is a part of it, resampled."""

DEV_PERCENT = 15

Part = Literal["fit", "dev", "all"]


@dataclass(frozen=True)
class Groceries:
    """Shop photos and catalogue pictures of the grocery products.

    Attributes:
        product_ids, titles, categories: per product, in feed order; a product's number is its place here.
        descriptions: per product, texts in the languages there are.
        catalogue: uint8 (P, S, S, 3), one catalogue picture per product.
        cutouts: uint8 (P, S, S), how much of each catalogue pixel is product rather than white paper, 0-255.
        photos: uint8 (N, S, S, 3), shop photos.
        labels: int64 (N,), product number of each photo.
    """

    product_ids: tuple[str, ...]
    titles: tuple[str, ...]
    categories: tuple[str, ...]
    descriptions: tuple[tuple[str, ...], ...]
    catalogue: Pixels
    cutouts: Pixels
    photos: Pixels
    labels: Ids


@dataclass(frozen=True)
class Clothes:
    """Photos of clothes by ordinary people: uint8 (N, S, S, 3), class names, and int64 (N,) class numbers."""

    photos: Pixels
    classes: tuple[str, ...]
    labels: Ids


def read_groceries(folder: Path, part: Part = "all") -> Groceries:
    """Groceries for training.

    Args:
        folder: holds ``feed.jsonl``, ``queries.jsonl`` and the pictures.
        part: of the ``train`` photos: ``fit`` leaves out about 15 % kept for choosing between models (``dev``).
    """
    feed = [json.loads(line) for line in (folder / "feed.jsonl").read_text(encoding="utf-8").splitlines()]
    number = {row["id"]: i for i, row in enumerate(feed)}
    lines = (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    queries = [query for query in map(json.loads, lines) if query["split"] == "train"]
    chosen = [query for query in queries if part == "all" or _is_dev(query["image"]) == (part == "dev")]
    catalogue = np.stack([read_picture(folder / row["image"]) for row in feed])
    return Groceries(
        product_ids=tuple(row["id"] for row in feed),
        titles=tuple(row["title"] for row in feed),
        categories=tuple(row["category"] for row in feed),
        descriptions=tuple(tuple(text for text in (row["description"], row["description_sv"]) if text) for row in feed),
        catalogue=catalogue,
        cutouts=np.stack([cutout(picture) for picture in catalogue]),
        photos=np.stack([read_picture(folder / query["image"]) for query in chosen]),
        labels=np.array([number[query["relevant"][0]] for query in chosen], dtype=np.int64),
    )


def read_clothes(folder: Path) -> Clothes:
    """All photos of clothes with their classes."""
    with (folder / "feed.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_class: dict[str, int] = defaultdict(int)
    for row in rows:
        by_class[row["category"]] += 1
    classes = tuple(sorted(by_class))
    return Clothes(
        photos=np.stack([read_picture(folder / row["image"]) for row in rows]),
        classes=classes,
        labels=np.array([classes.index(row["category"]) for row in rows], dtype=np.int64),
    )


def read_picture(path: Path, size_px: int = PHOTO_PX) -> Pixels:
    """A picture squashed to a square, uint8 (S, S, 3), transparency on white."""
    with Image.open(path) as opened:
        picture = opened.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        flat = Image.alpha_composite(paper, picture).convert("RGB")
    return np.asarray(flat.resize((size_px, size_px), Image.Resampling.BICUBIC))


def cutout(picture: Pixels) -> Pixels:
    """Which pixels of a picture on white paper are not the paper: uint8 (S, S), 0 or 255.

    The paper is what a flood from the corners reaches over nearly white pixels; white parts inside stay.
    """
    image = Image.fromarray(picture)
    key = (255, 0, 254)
    for corner in ((0, 0), (image.width - 1, 0), (0, image.height - 1), (image.width - 1, image.height - 1)):
        ImageDraw.floodfill(image, corner, key, thresh=14)
    paper = (np.asarray(image) == np.array(key, dtype=np.uint8)).all(axis=-1)
    return np.where(paper, 0, 255).astype(np.uint8)


def _is_dev(name: str) -> bool:
    return crc32(Path(name).name.encode()) % 100 < DEV_PERCENT
