"""Indexing end to end, in one run against the model's own forward pass, open_clip's README loop and transformers'
pipeline: ``python -m benchmarks.indexing [--model ViT-B-32-SigLIP2-256] [--precisions float32 bf16 int8]``.

All of them see the same JPEG files. *Raw* is the backend on pixels that are ready, which is what no index run can
beat; an index run goes from files on disk to published, durable points, ledger included. The loop is open_clip's
README: PIL, its transform, float32, batches of 32, one after the other.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from benchmarks.checkpoints import B32_256, CACHE, model_folder, model_named
from benchmarks.other_loops import open_clip_loop, transformers_pipeline
from benchmarks.rounds import Contestant, Rounds, per_second
from benchmarks.rows import Claim, Row, add_json_flag, report
from benchmarks.shop_photos import ShopCatalog, write_catalog
from indexer import bootstrap
from indexer.embedding.choice import DEMO_MODEL, ModelChoice
from indexer.embedding.load import open_model
from indexer.embedding.numerics import BackendName, NumberFormat, Numerics
from indexer.embedding.port import Embedder, Pixels
from indexer.errors import PrecisionRefused
from indexer.events.overlay import EventOverlay
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits
from indexer.images.source import LocalImages
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.run import IndexOptions, index_feed
from indexer.precision.samples import CALIBRATED, MEASURED, QUERY_TEXTS, Sample
from indexer.settings import load_settings

_PRECISIONS = ("float32", "bf16", "int8")
_TARGET_OF_LOOP = {"bf16": 3.5, "int8": 6.0}
_TARGET_OF_RAW = 0.9
_LOOP = "open_clip's README loop"
_PIPELINE = "transformers' pipeline"
_FEWEST, _MOST = 64, 768


@dataclass(frozen=True, slots=True)
class Setup:
    """What all contestants share."""

    catalog: ShopCatalog
    model: str
    scratch: Path
    seconds: float


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=B32_256, help="open_clip name of a SigLIP model (random weights), or demo")
    parser.add_argument("--precisions", nargs="+", default=_PRECISIONS, choices=_PRECISIONS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0, help="of one measurement, about")
    parser.add_argument("--longest-s", type=float, default=150.0, help="no further round is begun after this")
    add_json_flag(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        setup = Setup(write_catalog(folder / "catalog", _MOST), arguments.model, folder, arguments.seconds)
        rows = measured(setup, arguments.precisions, arguments.rounds, arguments.longest_s)
    report(rows, arguments.json, f"{arguments.model}; {setup.catalog.pictures}")


def measured(setup: Setup, precisions: list[str], rounds: int, longest_s: float) -> list[Row]:
    """The rows of all precisions."""
    notes: dict[str, str] = {}
    contestants: dict[str, Contestant] = {}
    with ExitStack() as stack:
        for precision in precisions:
            try:
                opened = opened_embedder(setup, precision)
                parts = stack.enter_context(index_parts(opened.embedder, setup))
            except Exception as error:  # noqa: BLE001 - a precision that this machine has not must not cost the others
                contestants[f"index {precision}"] = contestants[f"raw {precision}"] = failing(error)
                continue
            count = pictures_for(opened.embedder, setup)
            notes[precision] = f"{opened.embedder.description}; {count} products a run{opened.note}"
            contestants |= of_precision(precision, parts, setup, count)
        folder = model_folder(setup.model)
        contestants[_LOOP] = open_clip_loop(folder, setup.catalog.files, setup.seconds)
        if setup.model != DEMO_MODEL:
            contestants[_PIPELINE] = transformers_pipeline(folder, setup.catalog.files, setup.seconds)
        taken = Rounds(contestants).run(rounds, longest_s=longest_s)
    return [row for precision in precisions for row in rows_of(precision, taken, setup, notes.get(precision, ""))]


def failing(error: Exception) -> Contestant:
    """Stands for one that could not be set up."""

    def fail() -> float:
        raise error

    return fail


@dataclass(frozen=True, slots=True)
class OpenedEmbedder:
    """An embedder, and what must be told of it."""

    embedder: Embedder
    note: str = ""


def opened_embedder(setup: Setup, precision: str) -> OpenedEmbedder:
    """float32 is torch's, the others are OpenVINO's, which is faster on CPUs; converted towers are kept in ``.bench``.

    int8 is made from pictures of the catalog, as ``tune`` makes it. What ``tune`` would refuse because its vectors do
    not agree is measured all the same where the weights are random, as agreement then says nothing.
    """
    models_dir = CACHE.resolve().parent / "models"
    choice = ModelChoice(model=model_named(setup.model), device="cpu", models_dir=str(models_dir))
    backend: BackendName = "torch" if precision == "float32" else "openvino"
    texts = "float32" if precision == "int8" else precision
    numerics = Numerics(backend, cast("NumberFormat", precision), cast("NumberFormat", texts))
    with open_model(choice) as opened:
        if precision == "int8" and opened.builder.stored("images", "int8") is None:
            pixels = ready_pixels(opened.builder.build(Numerics()), setup.catalog, MEASURED + CALIBRATED, MEASURED)
            sample = Sample(
                pixels[:MEASURED], pixels[MEASURED:], QUERY_TEXTS, "the benchmark's pictures", is_catalog=True
            )
            opened.gate.make_int8(sample)
        try:
            return OpenedEmbedder(opened.gate.open(numerics))
        except PrecisionRefused as error:
            if setup.model == DEMO_MODEL:
                raise
            note = f"; with random weights tune refuses it, which is set aside here ({error.reason})"
            return OpenedEmbedder(opened.builder.build(numerics, last=True), note)


@contextmanager
def index_parts(embedder: Embedder, setup: Setup) -> Iterator[IndexParts]:
    """What an index run is made of; store and ledger are replaced by each run's own."""
    with tempfile.TemporaryDirectory(dir=setup.scratch) as name, ExitStack() as stack:
        settings = load_settings({"data_dir": name}, environment={}).settings
        store = stack.enter_context(closing(bootstrap.open_store(settings)))
        ledger = stack.enter_context(closing(bootstrap.open_ledger(settings)))
        events = stack.enter_context(closing(bootstrap.open_event_log(settings)))
        limits, threads = settings.image_limits(), settings.image_thread_count()
        decoder = stack.enter_context(bootstrap.open_decoder(settings))
        pipeline = stack.enter_context(
            IndexPipeline(
                embedder, LocalImages(limits), decoder, image_threads=threads, events=lambda _: EventOverlay(events)
            )
        )
        yield IndexParts(embedder, store, ledger, pipeline, settings.catalog)


def of_precision(precision: str, parts: IndexParts, setup: Setup, count: int) -> dict[str, Contestant]:
    """The raw backend and an index run on so many pictures."""
    pixels = ready_pixels(parts.embedder, setup.catalog, count)
    return {
        f"raw {precision}": lambda: per_second(count, lambda: parts.embedder.embed_images(pixels)),
        f"index {precision}": lambda: index_rate(parts, setup, count),
    }


def ready_pixels(embedder: Embedder, catalog: ShopCatalog, count: int, different: int = 64) -> Pixels:
    """What the model gets of the catalog's first pictures, over and over: uint8 (count, S, S, 3)."""
    side = embedder.space.image_size_px
    limits = ImageLimits()
    prepared = [
        embedder.prepare_image(decode_image(file.read_bytes(), limits, min_side_px=side).image)
        for file in catalog.files[:different]
    ]
    return np.stack([prepared[number % len(prepared)] for number in range(count)])


def pictures_for(embedder: Embedder, setup: Setup) -> int:
    """As many as keep the bare model busy for about ``setup.seconds``, in whole batches."""
    pixels = ready_pixels(embedder, setup.catalog, _FEWEST)
    embedder.embed_images(pixels)
    rate = per_second(len(pixels), lambda: embedder.embed_images(pixels))
    return int(min(max(rate * setup.seconds, _FEWEST), setup.catalog.products)) // 64 * 64


def index_rate(parts: IndexParts, setup: Setup, count: int) -> float:
    """Pictures a second of an index run into an empty store with an empty ledger."""
    with tempfile.TemporaryDirectory(dir=setup.scratch) as name, ExitStack() as stack:
        settings = load_settings({"data_dir": name}, environment={}).settings
        store = stack.enter_context(closing(bootstrap.open_store(settings)))
        ledger = stack.enter_context(closing(bootstrap.open_ledger(settings)))
        dispatcher = InlineDispatcher(replace(parts, store=store, ledger=ledger))
        run: Callable[[], object] = lambda: index_feed(setup.catalog.feed, IndexOptions(limit=count), dispatcher)  # noqa: E731
        rate = per_second(count, run)
        record = ledger.runs(1)[0]
        assert record.counts.embedded == count, record
        return rate


def rows_of(precision: str, taken: Rounds, setup: Setup, note: str) -> list[Row]:
    """The rows of one precision."""
    is_real = setup.model != DEMO_MODEL
    name = f"index run, {setup.model} {precision}"
    about = "random weights" if is_real else "a model so small that decoding counts"
    note = f"{note}; {about}; {setup.catalog.pictures}; transformers: image-feature-extraction, same architecture"
    claims = {
        f"raw {precision}": Claim(
            name, "images/s", "the bare model on ready pixels", target=_TARGET_OF_RAW if is_real else None, note=note
        ),
        _LOOP: Claim(name, "images/s", f"{_LOOP} (float32)", target=_TARGET_OF_LOOP.get(precision), note=note),
        _PIPELINE: Claim(name, "images/s", f"{_PIPELINE} (float32)", note=note),
    }
    if not is_real:
        claims[_LOOP] = replace(claims[_LOOP], target=None)
        del claims[_PIPELINE]
    claims = {other: replace(claim, charted=is_real) for other, claim in claims.items()}
    return [taken.row(claim, f"index {precision}", other) for other, claim in claims.items()]


if __name__ == "__main__":
    main()
