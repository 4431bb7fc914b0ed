"""What decoding costs, and what libjpeg's scaled decoding saves and changes:
``python -m benchmarks.decoding [--photos FOLDER] [--model MODEL]``.

Photos are scaled to the size that shops use (longer side 1000 px) and saved as JPEG first, so that the figures can be
compared between folders.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.shop_photos import SIDE_PX, jpeg, scaled
from indexer.embedding.choice import DEMO_MODEL, ModelChoice
from indexer.embedding.load import load_embedder
from indexer.embedding.port import Embedder
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits
from tests.pictures import drawn_picture

_LIMITS = ImageLimits()


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="Folder of photos; without it some are drawn.")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--model", default=DEMO_MODEL)
    arguments = parser.parse_args()
    photos = shop_photos(arguments.photos, arguments.count)
    report_photos(photos, load_embedder(ModelChoice(model=arguments.model, device="cpu")))


def shop_photos(folder: Path | None, count: int) -> list[bytes]:
    """JPEG files of the size that shops use."""
    if folder is None:
        pictures = [drawn_picture(seed, size=(SIDE_PX, 800)) for seed in range(count)]
    else:
        files = sorted(folder.rglob("*.jpg"))[:count]
        pictures = [scaled(Image.open(file).convert("RGB")) for file in files]
    return [jpeg(picture) for picture in pictures]


def report_photos(photos: list[bytes], embedder: Embedder) -> None:
    """Milliseconds at full size and at a fraction, and how far the embeddings are apart."""
    side = embedder.space.image_size_px
    whole, whole_ms = timed(photos, embedder, None)
    print(f"{len(photos)} JPEG files, longer side {SIDE_PX} px, model input {side} px, one thread")
    print(f"{'decoded at':>14} {'ms each':>8} {'cosine to full size: median':>28} {'worst':>8}")
    print(f"{'full size':>14} {whole_ms:8.2f} {1:28.4f} {1:8.4f}")
    for least in (4 * side, 2 * side, side):
        vectors, each_ms = timed(photos, embedder, least)
        cosines = (vectors * whole).sum(axis=1)
        print(f"{f'>= {least} px':>14} {each_ms:8.2f} {np.median(cosines):28.4f} {cosines.min():8.4f}")


def timed(
    photos: list[bytes], embedder: Embedder, min_side_px: int | None
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], float]:
    """Embeddings, and the median milliseconds of decoding and preparing one photo."""
    times, pixels = [], []
    for data in photos:
        start_s = time.perf_counter()
        pixels.append(embedder.prepare_image(decode_image(data, _LIMITS, min_side_px=min_side_px).image))
        times.append(time.perf_counter() - start_s)
    return embedder.embed_images(np.stack(pixels)), float(np.median(times)) * 1000


if __name__ == "__main__":
    main()
