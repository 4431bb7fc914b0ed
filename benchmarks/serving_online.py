"""Searches over HTTP against the model's own forward pass, in one run.

A real server process answers keep-alive clients of this process over the loopback interface; the model alone is
measured in this process, in turn with the server, while the other one is idle. The clients' processor time is the
server's loss where both share the cores, so its share is told beside each rate. Photos are JPEG files of the size shops
use, each sent only once (a number behind the end of the file makes it another file with the same pixels), so that no
cache answers, but for the rows that are about the cache.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.checkpoints import model_named
from benchmarks.http_load import UNLIMITED, Load, ask, request
from benchmarks.rounds import elapsed_ms, per_second
from benchmarks.rows import Claim, Row
from benchmarks.shop_photos import ShopCatalog, write_catalog
from indexer import bootstrap
from indexer.embedding.openclip import tokenize_with
from indexer.embedding.port import Embedder
from indexer.embedding.towers import TowersEmbedder
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits
from indexer.indexing.inline import InlineDispatcher
from indexer.indexing.run import IndexOptions, index_feed
from indexer.settings import load_settings
from tests.processes import running_api

CLIENTS = 32
_PRODUCTS = 96
_IMAGE, _TEXT = "/v1/search/image?limit=20", "/v1/search/text"


@dataclass(slots=True)
class Figures:
    """One model's figures, a value for each round; times in ms, rates a second."""

    decode_ms: list[float] = field(default_factory=list)
    forward_ms: list[float] = field(default_factory=list)
    text_ms: list[float] = field(default_factory=list)
    raw_images: list[float] = field(default_factory=list)
    raw_texts: list[float] = field(default_factory=list)
    tokenize_ms: list[float] = field(default_factory=list)
    photo: list[Load] = field(default_factory=list)
    text: list[Load] = field(default_factory=list)
    photos: list[Load] = field(default_factory=list)
    texts: list[Load] = field(default_factory=list)
    text_beside_photos: list[Load] = field(default_factory=list)
    photos_beside_text: list[Load] = field(default_factory=list)
    repeated_photo: list[Load] = field(default_factory=list)
    repeated_text: list[Load] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured with one model."""

    embedder: Embedder
    tokenize: Callable[[list[str]], object]
    catalog: ShopCatalog
    url: str
    seconds: float

    def alone(self, figures: Figures) -> None:
        """The model without the server."""
        embedder, limits = self.embedder, ImageLimits()
        side, batch = embedder.space.image_size_px, CLIENTS
        files = [file.read_bytes() for file in self.catalog.files[:batch]]
        pictures = [decode_image(data, limits, min_side_px=side).image for data in files]
        pixels = np.stack([embedder.prepare_image(picture) for picture in pictures])
        texts = [f"a red mug, number {number}" for number in range(batch)]
        tokenize = self.tokenize

        def decode(number: int) -> None:
            embedder.prepare_image(decode_image(files[number % batch], limits, min_side_px=side).image)

        figures.decode_ms.append(_median_ms(decode, self.seconds / 8))
        figures.forward_ms.append(_median_ms(lambda _: embedder.embed_images(pixels[:1]), self.seconds / 4))
        figures.text_ms.append(_median_ms(lambda _: embedder.embed_texts(texts[:1]), self.seconds / 4))
        figures.tokenize_ms.append(_median_ms(lambda _: tokenize(texts[:1]), self.seconds / 8))
        figures.raw_images.append(_rate(batch, lambda: embedder.embed_images(pixels), self.seconds / 2))
        figures.raw_texts.append(_rate(batch, lambda: embedder.embed_texts(texts), self.seconds / 2))

    def served(self, figures: Figures, photos: Iterator[bytes], texts: Iterator[bytes]) -> None:
        """The same work, asked for over HTTP."""
        seconds = self.seconds
        figures.photo.append(ask(self.url, photos, clients=1, duration_s=seconds))
        figures.text.append(ask(self.url, texts, clients=1, duration_s=seconds))
        figures.photos.append(ask(self.url, photos, clients=CLIENTS, duration_s=2 * seconds))
        figures.texts.append(ask(self.url, texts, clients=CLIENTS, duration_s=2 * seconds))
        self._texts_beside(figures, photos, texts)
        same_photo, same_text = next(photos), next(texts)
        for same, kept in ((same_photo, figures.repeated_photo), (same_text, figures.repeated_text)):
            ask(self.url, _again(same), clients=1, duration_s=0.01)
            kept.append(ask(self.url, _again(same), clients=1, duration_s=seconds / 4, keep=True))

    def _texts_beside(self, figures: Figures, photos: Iterator[bytes], texts: Iterator[bytes]) -> None:
        """One client that asks by text while many ask by photo."""
        with ThreadPoolExecutor(1) as threads:
            many = threads.submit(ask, self.url, photos, clients=CLIENTS, duration_s=self.seconds)
            figures.text_beside_photos.append(ask(self.url, texts, clients=1, duration_s=self.seconds))
            figures.photos_beside_text.append(many.result())


@dataclass(frozen=True, slots=True)
class Served:
    """What a server is started with.

    Attributes:
        model: open_clip name (random weights), demo or local-dir:PATH.
        backend, precision: of the server and of the model alone, as in the settings.
        flags: further ones.
    """

    model: str
    backend: str = "auto"
    precision: str = "auto"
    flags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For a row; the backend is told where it is not the one that is there without ``tune``."""
        return self.model if self.backend == "auto" else f"{self.model}, {self.backend} {self.precision}"


def measure_online(served: Served, rounds: int, seconds: float) -> list[Row]:
    """The rows of one model."""
    how = {"model": model_named(served.model), "backend": served.backend, "precision": served.precision}
    given = [part for name, value in how.items() for part in (f"--{name}", value)]
    figures = Figures()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalog = write_catalog(folder / "catalog", _PRODUCTS)
        settings = load_settings({"data_dir": folder / "data", **how}, environment={}).settings
        with bootstrap.indexing(settings) as parts:
            index_feed(catalog.feed, IndexOptions(), InlineDispatcher(parts))
            embedder = parts.embedder
        assert isinstance(embedder, TowersEmbedder)
        tokenize = partial(tokenize_with, embedder._tokenizer)  # noqa: SLF001
        photos, texts = _photos(catalog), _texts()
        with running_api(folder / "data", *given, *served.flags, *UNLIMITED) as api:
            bench = Bench(embedder, tokenize, catalog, api.url, seconds)
            warm = replace(bench, seconds=1.0)
            warm.served(Figures(), photos, texts)
            for _ in range(rounds):
                bench.alone(figures)
                bench.served(figures, photos, texts)
    return _rows(served.name, figures)


def _photos(catalog: ShopCatalog) -> Iterator[bytes]:
    files = [file.read_bytes() for file in catalog.files]
    for number in count():
        yield request(_IMAGE, files[number % len(files)] + b"%d" % number, "image/jpeg")


def _texts() -> Iterator[bytes]:
    for number in count():
        yield request(_TEXT, json.dumps({"text": f"a red mug, number {number}"}).encode(), "application/json")


def _again(same: bytes) -> Iterator[bytes]:
    while True:
        yield same


def _median_ms(work: Callable[[int], object], seconds: float) -> float:
    taken: list[float] = []
    work(0)
    while sum(taken) < seconds * 1000 or len(taken) < 5:
        taken.append(elapsed_ms(lambda: work(len(taken))))
    return statistics.median(taken)


def _rate(items: int, work: Callable[[], object], seconds: float) -> float:
    rates: list[float] = []
    work()
    while sum(items / rate for rate in rates) < seconds or len(rates) < 2:
        rates.append(per_second(items, work))
    return statistics.median(rates)


def _rows(model: str, figures: Figures) -> list[Row]:
    alone_ms = [decode + forward for decode, forward in zip(figures.decode_ms, figures.forward_ms, strict=True)]
    one_photo = Claim(
        f"{model}: search by one photo, p50",
        "ms",
        "decoding + one forward pass",
        better="lower",
        target=1.15 * statistics.median(alone_ms) + 5,
        target_of="ours",
        note=f"p99 {_p99(figures.photo):.1f} ms; decoding alone {statistics.median(figures.decode_ms):.1f} ms; the "
        "target is 1.15 times the alternative and 5 ms",
        charted=True,
    )
    one_text = Claim(
        f"{model}: search by one text, p50",
        "ms",
        "tokenizing + one forward pass",
        better="lower",
        note=f"p99 {_p99(figures.text):.1f} ms; tokenizing alone {statistics.median(figures.tokenize_ms):.2f} ms",
    )
    return [
        Row.of_repeats(one_photo, [load.percentile_ms(50) for load in figures.photo], alone_ms),
        Row.of_repeats(one_text, [load.percentile_ms(50) for load in figures.text], figures.text_ms),
        _rate_row(model, "photos", figures.photos, figures.raw_images),
        _rate_row(model, "texts", figures.texts, figures.raw_texts),
        _p99_row(model, "photo", figures.photos),
        _p99_row(model, "text", figures.texts),
        _beside_row(model, figures),
        _cached_row(model, "photo", figures.repeated_photo),
        _cached_row(model, "text", figures.repeated_text),
    ]


def _beside_row(model: str, figures: Figures) -> Row:
    claim = Claim(
        f"{model}: search by one text while {CLIENTS} clients search by photo, p50",
        "ms",
        f"the p50 of these {CLIENTS}",
        better="lower",
        note=f"p99 {_p99(figures.text_beside_photos):.0f} ms",
    )
    photos_ms = [load.percentile_ms(50) for load in figures.photos_beside_text]
    return Row.of_repeats(claim, [load.percentile_ms(50) for load in figures.text_beside_photos], photos_ms)


def _p99_row(model: str, what: str, served: list[Load]) -> Row:
    claim = Claim(f"{model}: search by {what}, {CLIENTS} clients, p99", "ms", better="lower")
    return Row.of_repeats(claim, [load.percentile_ms(99) for load in served])


def _rate_row(model: str, what: str, served: list[Load], raw: list[float]) -> Row:
    share = sum(load.client_s for load in served) / sum(load.wall_s for load in served)
    failed = sum(load.failed for load in served)
    claim = Claim(
        f"{model}: searches by {what} of {CLIENTS} clients",
        "searches/s",
        f"forward passes of {CLIENTS}",
        target=0.9,
        note=f"{failed} failed; the clients took {share:.2f} cores, which the server could not have",
        charted=True,
    )
    return Row.of_repeats(claim, [load.rate for load in served], raw)


def _cached_row(model: str, what: str, served: list[Load]) -> Row:
    """What a repeated query takes besides the search of the store, which its answer tells."""
    besides: list[float] = []
    for load in served:
        timings = [json.loads(body)["timings_ms"] for body in load.bodies]
        assert {item["embedding_source"] for item in timings} == {"cache"}
        besides.append(
            statistics.median(ms - item["search"] for ms, item in zip(load.latencies_ms, timings, strict=True))
        )
    whole_ms = statistics.median(load.percentile_ms(50) for load in served)
    claim = Claim(
        f"{model}: a repeated {what}, besides the search of the store, p50",
        "ms",
        better="lower",
        target=5.0,
        target_of="ours",
        note=f"with the search p50 {whole_ms:.2f} ms, p99 {_p99(served):.2f} ms",
    )
    return Row.of_repeats(claim, besides)


def _p99(loads: list[Load]) -> float:
    return statistics.median(load.percentile_ms(99) for load in loads)
