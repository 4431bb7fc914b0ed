"""Searches of a made-up collection in a process that does nothing else, so that its memory is the search's own.

The parent asks with ``search``; the process is this module itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import qdrant_edge as edge

from benchmarks.vectors_exam import Exam
from benchmarks.vectors_memory import Resident, resident
from benchmarks.vectors_selections import SELECTIONS
from indexer.points import Vectors
from indexer.store.edge_shard import EdgeShard
from indexer.store.ranking import rank_products
from indexer.store.tuning import IndexTuning, Quantization

LIMIT = 10
"""Products of an answer."""
THREADS = 2


@dataclass(frozen=True, slots=True)
class Request:
    """One row of the table.

    Attributes:
        queries: ``photo`` or ``text``.
        selection: name in ``SELECTIONS``.
        ef, oversampling: see ``IndexTuning``.
        count: queries to ask, from the first.
        exact: whether every vector is compared.
    """

    queries: str = "photo"
    selection: str = "all"
    ef: int = 128
    oversampling: float = 2.0
    count: int = 400
    quantization: Quantization = "int8"
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a request.

    Attributes:
        recall: recall@10 of products, mean over the queries.
        p50_ms, p95_ms: of one query after the other, payloads of the ten included.
        qps: queries a second by ``THREADS`` threads.
    """

    request: Request
    recall: float
    p50_ms: float
    p95_ms: float
    qps: float


@dataclass(frozen=True, slots=True)
class Session:
    """A process's answers and what it held; ``opened`` and ``searched`` are growths since the modules were loaded."""

    answers: tuple[Answered, ...]
    open_ms: float
    first_ms: float
    base: Resident
    opened: Resident
    searched: Resident


def search(shard: Path, exam: Path, requests: Sequence[Request], *, cold: bool = False) -> Session:
    """Asks in a fresh process.

    Args:
        shard: folder of the shard.
        exam: file that ``Exam.save`` wrote.
        requests: asked one after the other.
        cold: whether the shard's files are dropped from the page cache first, and nothing is asked to warm up.
    """
    asked = json.dumps({"cold": cold, "requests": [asdict(request) for request in requests]})
    command = [sys.executable, "-m", "benchmarks.vectors_search", str(shard), str(exam)]
    done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=True)
    value = json.loads(done.stdout)
    answers = tuple(Answered(**(item | {"request": Request(**item["request"])})) for item in value["answers"])
    base, opened, searched = (Resident(**value[name]) for name in ("base", "opened", "searched"))
    return Session(answers, value["open_ms"], value["first_ms"], base, opened, searched)


def _main() -> None:
    folder, exam = Path(sys.argv[1]), Exam.load(Path(sys.argv[2]))
    asked = json.load(sys.stdin)
    requests = [Request(**item) for item in asked["requests"]]
    if asked["cold"]:
        _drop_from_cache(folder)
    base = resident()
    started_s = time.perf_counter()
    shard = edge.EdgeShard.load(str(folder))
    open_s = time.perf_counter() - started_s
    opened = resident().grown(base)
    first = _Searcher(folder, shard, requests[0])
    started_s = time.perf_counter()
    first.search(exam.queries[requests[0].queries][-1])
    first_s = time.perf_counter() - started_s
    answers = [
        _answer(_Searcher(folder, shard, request), exam, request, warm=not asked["cold"]) for request in requests
    ]
    session = Session(tuple(answers), open_s * 1000, first_s * 1000, base, opened, resident().grown(base))
    json.dump(asdict(session), sys.stdout)


class _Searcher:
    """The way of ``EdgeReader.search``, with a filter besides."""

    def __init__(self, folder: Path, shard: edge.EdgeShard, request: Request) -> None:
        tuning = IndexTuning(hnsw_ef=request.ef, oversampling=request.oversampling, quantization=request.quantization)
        self._shard = EdgeShard(folder, shard, tuning)
        self._where = SELECTIONS[request.selection].where
        self._exact = request.exact

    def search(self, vector: Vectors) -> list[int]:
        """Numbers of the products found."""
        ranked = rank_products(lambda count: self._shard.nearest(vector, count, self._where, exact=self._exact), LIMIT)
        points = self._shard.points([group.best.id for group in ranked])
        return [int(points[group.best.id].payload.product_id.removeprefix("sku-")) for group in ranked]


def _answer(searcher: _Searcher, exam: Exam, request: Request, *, warm: bool) -> Answered:
    queries = exam.queries[request.queries][: request.count]
    truth = exam.truths[request.queries, request.selection]
    if warm:  # what the queries touch is in the page cache then, as it is where searches go on all day
        for vector in queries:
            searcher.search(vector)
    latencies_ms, recalls = [], []
    for index, vector in enumerate(queries):
        started_s = time.perf_counter()
        found = searcher.search(vector)
        latencies_ms.append((time.perf_counter() - started_s) * 1000)
        recalls.append(truth.recall(index, found, LIMIT))
    p50, p95 = np.percentile(latencies_ms, [50, 95])
    qps = _queries_per_second(searcher, queries)
    return Answered(request, float(np.mean(recalls)), float(p50), float(p95), qps)


def _queries_per_second(searcher: _Searcher, queries: Vectors) -> float:
    parts = [queries[index::THREADS] for index in range(THREADS)]
    threads = [threading.Thread(target=lambda part=part: [searcher.search(item) for item in part]) for part in parts]
    started_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(queries) / (time.perf_counter() - started_s)


def _drop_from_cache(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)


if __name__ == "__main__":
    _main()
