"""Vector search at scale: ``python -m benchmarks.vectors --size 50000``; a million with ``BENCH=full``.

Collections of a made-up catalog (``vectors_data``) are built by this program's own writer and searched through its own
shard and its grouping by product, each setting in a process that does nothing else. What they find is held against an
exact search in numpy. Built collections stay in ``--folder`` and are used again; an interrupted build goes on.

The table has a row for each way to keep vectors, kind of query, filter and ``ef``; the rows of ``make bench`` are drawn
from it at the default settings.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.rows import Claim, Row, add_json_flag, report
from benchmarks.vectors_collection import BuildFigures, build, shard_of
from benchmarks.vectors_data import DIM, MadeUpCatalog
from benchmarks.vectors_exam import make
from benchmarks.vectors_local_mode import local_mode_p50_ms
from benchmarks.vectors_search import Answered, Request, Session, search
from benchmarks.vectors_selections import SELECTIONS
from indexer.processors import available_cores
from indexer.store.tuning import IndexTuning, Quantization

_RESULTS = Path(__file__).parent / "results"
_EXAM = "exam.npz"
_EF_SWEEP = (64, 128, 256, 512)
_BUILT: tuple[Quantization, ...] = ("int8", "4bit")
_WAYS: dict[Quantization, Quantization] = {"none": "int8", "int8": "int8", "4bit": "4bit"}
"""Which collection is searched, by how vectors are compared; each has the originals, so float32 needs none."""
_NAMES: dict[Quantization, str] = {"none": "float32", "int8": "int8 + rescore", "4bit": "4-bit + rescore"}
_SIZES_FULL, _SIZE_SMALL = 1_000_000, 50_000


@dataclass(frozen=True, slots=True)
class Results:
    """All that was measured on one size."""

    size: int
    builds: dict[Quantization, BuildFigures]
    sessions: dict[Quantization, Session]
    cold: dict[Quantization, Session]

    def answers(self) -> list[Answered]:
        """Of all processes that could warm up."""
        return [answer for session in self.sessions.values() for answer in session.answers]

    def at_defaults(self, quantization: Quantization, queries: str) -> Answered:
        """The answer to unfiltered queries at default settings."""
        wanted = Request(queries, ef=IndexTuning().hnsw_ef, oversampling=IndexTuning().oversampling)
        wanted = replace(wanted, quantization=quantization)
        return next(item for item in self.answers() if replace(item.request, count=wanted.count) == wanted)


def main() -> None:
    """Prints the table, and writes it below ``benchmarks/results``."""
    full = os.environ.get("BENCH") == "full"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=_SIZES_FULL if full else _SIZE_SMALL, help="pictures")
    parser.add_argument("--folder", type=Path, default=Path(".bench/vectors"), help="where collections are kept")
    parser.add_argument("--queries", type=int, default=200, help="asked for each row of the table, at most 400")
    parser.add_argument("--build-only", action="store_true", help="make the collections, measure another time")
    add_json_flag(parser)
    arguments = parser.parse_args()
    catalog = MadeUpCatalog(arguments.size)
    folder = arguments.folder / str(arguments.size)
    builds = built(catalog, folder)
    if arguments.build_only:
        return
    results = measured(catalog, folder, builds, arguments.queries)
    write(results)
    show(results)
    report(rows(results, local_mode_p50_ms(catalog)), arguments.json, f"{arguments.size} x {DIM}")


def built(catalog: MadeUpCatalog, folder: Path) -> dict[Quantization, BuildFigures]:
    """Makes what is missing of the queries, their truth and the collections."""
    folder.mkdir(parents=True, exist_ok=True)
    make(catalog, folder / _EXAM)
    return {kind: build(folder / kind, catalog, IndexTuning(quantization=kind)) for kind in _BUILT}


def measured(catalog: MadeUpCatalog, folder: Path, builds: dict[Quantization, BuildFigures], queries: int) -> Results:
    """Asks everything."""
    exam = folder / _EXAM
    sessions, cold = {}, {}
    for way, collection in _WAYS.items():
        shard = shard_of(folder / collection, catalog)
        cold[way] = search(shard, exam, [Request(quantization=way, count=min(queries, 50))], cold=True)
        sessions[way] = search(shard, exam, requests(way, queries))
    return Results(catalog.pictures, builds, sessions, cold)


def requests(way: Quantization, count: int) -> list[Request]:
    """What is asked of one way: both kinds of queries over the sweep, then each filter at the default ``ef``."""
    tuning = IndexTuning()
    base = Request(ef=tuning.hnsw_ef, oversampling=tuning.oversampling, count=count, quantization=way)
    sweep = sorted({*_EF_SWEEP, tuning.hnsw_ef})
    asked = [replace(base, queries=kind, ef=ef) for kind in ("photo", "text") for ef in sweep]
    return asked + [replace(base, selection=name) for name in SELECTIONS if name != "all"]


def rows(results: Results, local_mode_ms: float) -> list[Row]:
    """The main figures, as ``make bench`` shows them."""
    size = f"{results.size // 1000} k x {DIM}"
    best = results.at_defaults("int8", "photo")
    text = results.at_defaults("int8", "text")
    plain = results.at_defaults("none", "photo")
    four = results.at_defaults("4bit", "photo")
    held = results.sessions["int8"].searched
    note = f"{size}, default settings, products grouped, payloads read"
    recall = Claim(f"recall@10, photos, int8 + rescore, {size}", "share", "float32", target=0.98, target_of="ours")
    p95 = Claim(f"search p95, int8 + rescore, {size}", "ms", "float32", "lower", 15, "ours", note, charted=True)
    local_name = "qdrant-client's local mode, 20 k at most"
    local = Claim(f"search p50, int8 + rescore, {size}", "ms", local_name, "lower", note=note)
    qps = Claim(f"searches by 2 threads, int8 + rescore, {size}", "queries/s", "float32", note=note)
    memory = Claim(
        f"resident memory that cannot be dropped, int8, {size}", "GB", better="lower", target=1.5, target_of="ours"
    )
    return [
        Row.of(recall, best.recall, plain.recall),
        Row.of(replace(recall, name=f"recall@10, texts, int8 + rescore, {size}"), text.recall),
        Row.of(replace(recall, name=f"recall@10, photos, 4-bit + rescore, {size}"), four.recall, plain.recall),
        Row.of(p95, best.p95_ms, plain.p95_ms),
        Row.of(replace(p95, name=f"search p95, 4-bit + rescore, {size}", charted=False), four.p95_ms, plain.p95_ms),
        Row.of(local, best.p50_ms, local_mode_ms),
        Row.of(qps, best.qps, plain.qps),
        Row.of(memory, (held.anonymous + held.locked) / 1e9),
    ]


def write(results: Results) -> Path:
    """The whole table as JSON."""
    _RESULTS.mkdir(exist_ok=True)
    path = _RESULTS / f"vectors-{results.size}.json"
    machine = {
        "cores": available_cores(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "qdrant-edge-py": version("qdrant-edge-py"),
    }
    path.write_text(json.dumps({"machine": machine} | asdict(results), indent=1) + "\n", "utf-8")
    return path


def show(results: Results) -> None:
    """The whole table."""
    console = Console(width=140)
    for kind, figures in results.builds.items():
        console.print(f"{kind}: {figures}", highlight=False)
    console.print(_sessions(results), _answers(results.answers()))


def _sessions(results: Results) -> Table:
    table = Table("vectors", "open ms", "first ms", "cold open", "cold first", "cold p95", "anonymous MB", "mapped MB")
    for way, session in results.sessions.items():
        cold, held = results.cold[way], session.searched
        figures = (session.open_ms, session.first_ms, cold.open_ms, cold.first_ms, cold.answers[0].p95_ms)
        memory = (held.anonymous / 1e6, held.mapped / 1e6)
        table.add_row(_NAMES[way], *(f"{figure:.1f}" for figure in figures), *(f"{size:.0f}" for size in memory))
    return table


def _answers(answers: Sequence[Answered]) -> Table:
    table = Table("vectors", "queries", "filter", "ef", "recall@10", "p50 ms", "p95 ms", "QPS, 2 threads")
    for item in answers:
        asked = item.request
        figures = (f"{item.recall:.4f}", f"{item.p50_ms:.2f}", f"{item.p95_ms:.2f}", f"{item.qps:.0f}")
        table.add_row(_NAMES[asked.quantization], asked.queries, asked.selection, str(asked.ef), *figures)
    return table


if __name__ == "__main__":
    main()
