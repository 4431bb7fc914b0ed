"""``python -m indexer.demo.measure``: figures of a checkpoint, as stored, on sample catalogs and shared data.

Every figure ranks products by the best cosine of any of their pictures. hit@k is the share of queries with a relevant
product among the first k.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from PIL import Image

from indexer.demo.catalog import QUERIES, Plan, write_catalog
from indexer.demo.feed import GOOGLE
from indexer.demo.training.model import stored_model

CHECKPOINT = Path(__file__).parent / "checkpoint"
TEST_SEED = 977
"""Seed of the catalog that figures are stated for: used nowhere in training."""

Vectors = NDArray[np.float32]
Hits = dict[str, float]


@dataclass(frozen=True)
class Shelf:
    """Products and their pictures: ids of the products in order, and for each picture its file and product number."""

    product_ids: tuple[str, ...]
    files: tuple[Path, ...]
    owners: tuple[int, ...]


class Reader:
    """Turns pictures and texts into unit vectors.

    Args:
        model: an open_clip dual encoder, evaluating.
        preprocess: a PIL picture to float32 (3, S, S).
        tokenizer: texts to int64 (B, 64).
    """

    def __init__(self, model: Any, preprocess: Callable[[Image.Image], Any], tokenizer: Any) -> None:
        self.model = model
        self._preprocess = preprocess
        self._tokenizer = tokenizer

    @classmethod
    def stored(cls, folder: Path) -> Reader:
        """Of a checkpoint folder, loaded by open_clip alone."""
        return cls(*stored_model(folder))

    def pictures(self, files: Sequence[Path]) -> Vectors:
        """Float32 (B, D), rows of length 1."""
        vectors = []
        for start in range(0, len(files), 32):
            batch = torch.stack([self._picture(file) for file in files[start : start + 32]])
            with torch.inference_mode():
                vectors.append(functional.normalize(self.model.encode_image(batch), dim=-1).numpy())
        return np.concatenate(vectors)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Float32 (B, D), rows of length 1."""
        with torch.inference_mode():
            tokens = self.tokens(texts)
            vectors = [functional.normalize(self.model.encode_text(part), dim=-1) for part in torch.split(tokens, 64)]
        return np.asarray(torch.cat(vectors).numpy(), dtype=np.float32)

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """Int64 (B, 64), padded."""
        tokens: torch.Tensor = self._tokenizer(list(texts))
        return tokens

    def _picture(self, file: Path) -> Any:
        with Image.open(file) as opened:
            return self._preprocess(opened.convert("RGB"))


def product_scores(queries: Vectors, pictures: Vectors, owners: Sequence[int], products: int) -> Vectors:
    """Best cosine per product: float32 (Q, P)."""
    cosines = queries @ pictures.T
    scores = np.full((len(queries), products), -2.0, dtype=np.float32)
    for column, owner in enumerate(owners):
        np.maximum(scores[:, owner], cosines[:, column], out=scores[:, owner])
    return scores


def hits(scores: Vectors, relevant: Sequence[Iterable[int]], at: Sequence[int] = (1, 5, 10)) -> Hits:
    """Share of queries with a relevant product among the first k, for each k."""
    order = np.argsort(-scores, axis=1, kind="stable")
    first = [
        min(int(np.flatnonzero(row == product)[0]) for product in ids) for row, ids in zip(order, relevant, strict=True)
    ]
    return {f"hit@{k}": round(float(np.mean(np.array(first) < k)), 4) for k in at}


def google_shelf(folder: Path) -> Shelf:
    """Products and local pictures of a Google Merchant feed."""
    from xml.etree import ElementTree as ET  # a tool for files of our own # nosec B405

    ids, files, owners = [], [], []
    for item in ET.parse(folder / "feed.xml").iter("item"):  # noqa: S314 - our own file or the shared data # nosec B314
        named = {f"{{{GOOGLE}}}id", f"{{{GOOGLE}}}image_link", f"{{{GOOGLE}}}additional_image_link"}
        values = [(field.tag.rsplit("}", 1)[1], field.text or "") for field in item if field.tag in named]
        ids.append(next(text for tag, text in values if tag == "id"))
        for tag, text in values:
            if tag != "id":
                files.append(folder / text)
                owners.append(len(ids) - 1)
    return Shelf(tuple(ids), tuple(files), tuple(owners))


def sample_catalog_figures(reader: Reader, folder: Path) -> dict[str, Hits]:
    """Figures on a sample catalog: per language of text and per change of photo."""
    shelf = google_shelf(folder)
    number = {product_id: i for i, product_id in enumerate(shelf.product_ids)}
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in (folder / QUERIES).read_text(encoding="utf-8").splitlines():
        query = json.loads(line)
        groups["text " + query["language"] if "text" in query else "photo " + query["change"]].append(query)
    pictures = reader.pictures(shelf.files)
    figures = {}
    for name, queries in groups.items():
        if "text" in queries[0]:
            vectors = reader.texts([query["text"] for query in queries])
        else:
            vectors = reader.pictures([folder / query["image"] for query in queries])
        scores = product_scores(vectors, pictures, shelf.owners, len(shelf.product_ids))
        relevant = [[number[product_id] for product_id in query["relevant"]] for query in queries]
        figures[name] = hits(scores, relevant)
    return figures


def grocery_figures(reader: Reader, folder: Path, split: str = "val") -> dict[str, Hits]:
    """Shop photos of a split against one catalogue picture per product; titles and descriptions against the same."""
    feed = [json.loads(line) for line in (folder / "feed.jsonl").read_text(encoding="utf-8").splitlines()]
    number = {row["id"]: i for i, row in enumerate(feed)}
    lines = (folder / QUERIES).read_text(encoding="utf-8").splitlines()
    queries = [query for query in map(json.loads, lines) if query["split"] == split]
    catalogue = reader.pictures([folder / row["image"] for row in feed])
    owners = range(len(feed))

    def against(vectors: Vectors, relevant: list[list[int]]) -> Hits:
        return hits(product_scores(vectors, catalogue, owners, len(feed)), relevant)

    photos = reader.pictures([folder / query["image"] for query in queries])
    own = [[i] for i in owners]
    return {
        f"{split} photo": against(photos, [[number[i] for i in query["relevant"]] for query in queries]),
        "title": against(reader.texts([row["title"] for row in feed]), own),
        "description": against(reader.texts([row["description"] for row in feed]), own),
    }


def luma_figures(reader: Reader, folder: Path) -> dict[str, Hits]:
    """Other views of products of a shop never trained on, against all its pictures."""
    shelf = google_shelf(folder)
    number = {product_id: i for i, product_id in enumerate(shelf.product_ids)}
    queries = [json.loads(line) for line in (folder / QUERIES).read_text(encoding="utf-8").splitlines()]
    queries = [query for query in queries if "image" in query]
    pictures = reader.pictures(shelf.files)
    vectors = reader.pictures([folder / query["image"] for query in queries])
    scores = product_scores(vectors, pictures, shelf.owners, len(shelf.product_ids))
    return {"photo": hits(scores, [[number[i] for i in query["relevant"]] for query in queries])}


def images_per_second(reader: Reader, size_px: int, *, count: int = 256) -> float:
    """Forward passes of the image tower alone, float32, batches of 32, all threads that torch has."""
    batch = torch.randn(32, 3, size_px, size_px)
    model = reader.model
    with torch.inference_mode():
        model.encode_image(batch)
        started_s = time.perf_counter()
        for _ in range(count // 32):
            model.encode_image(batch)
    return count / (time.perf_counter() - started_s)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m indexer.demo.measure", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--data", type=Path, help="shared data folder, for grocery and luma")
    parser.add_argument("--catalog", type=Path, help="where the test catalog is kept; a temporary folder if not given")
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    parser.add_argument("--split", default="", help="grocery split to measure; none if not given")
    options = parser.parse_args(arguments)
    reader = Reader.stored(options.checkpoint)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.catalog or Path(scratch) / "catalog"
        write_catalog(folder, Plan(seed=options.seed, text_queries_per_language=200, photo_queries_per_change=100))
        figures["sample catalog"] = sample_catalog_figures(reader, folder)
    if options.data and options.split:
        figures["grocery"] = grocery_figures(reader, options.data / "grocery", options.split)
    if options.data:
        figures["luma"] = luma_figures(reader, options.data / "luma")
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
