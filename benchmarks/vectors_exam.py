"""Queries and what they should find, made once for a catalog and kept in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.vectors_data import MadeUpCatalog
from benchmarks.vectors_selections import SELECTIONS
from benchmarks.vectors_truth import Truth, exact
from indexer.atomic_file import replacing
from indexer.points import Vectors

QUERIES = 500
"""Of each kind."""


@dataclass(frozen=True, slots=True)
class Exam:
    """Queries and what they should find, in a file for the process.

    Attributes:
        queries: by kind, float32 (Q, D).
        truths: by kind and name of a selection.
    """

    queries: Mapping[str, Vectors]
    truths: Mapping[tuple[str, str], Truth]

    def save(self, path: Path) -> None:
        """Writes ``path``."""
        arrays: dict[str, Any] = {f"queries/{kind}": vectors for kind, vectors in self.queries.items()}
        for (kind, selection), truth in self.truths.items():
            name = f"{kind}/{selection}"
            arrays |= {f"scores/{name}": truth.scores, f"products/{name}": truth.products}
            arrays[f"pictures/{name}"] = np.asarray(truth.pictures)
        with replacing(path) as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> Exam:
        """Reads ``path``."""
        with np.load(path) as arrays:
            queries = {name.split("/")[1]: arrays[name] for name in arrays if name.startswith("queries/")}
            truths = {}
            for name in arrays:
                if name.startswith("scores/"):
                    _, kind, selection = name.split("/")
                    rest = f"{kind}/{selection}"
                    truths[kind, selection] = Truth(
                        arrays[name], arrays[f"products/{rest}"], int(arrays[f"pictures/{rest}"])
                    )
        return cls(queries, truths)


def make(catalog: MadeUpCatalog, path: Path) -> Exam:
    """The exam of a catalog, from its file if there is one."""
    if path.exists():
        return Exam.load(path)
    queries = {"photo": catalog.photo_queries(QUERIES), "text": catalog.text_queries(QUERIES)}
    together = np.concatenate(list(queries.values()))
    truths = {}
    for name, truth in zip(
        SELECTIONS, exact(catalog, together, [item.mask for item in SELECTIONS.values()]), strict=True
    ):
        for index, kind in enumerate(queries):
            part = slice(index * QUERIES, (index + 1) * QUERIES)
            truths[kind, name] = Truth(truth.scores[part], truth.products[part], truth.pictures)
    exam = Exam(queries, truths)
    exam.save(path)
    return exam
