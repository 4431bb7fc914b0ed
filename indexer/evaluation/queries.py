"""Labelled queries from a JSONL file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class LabelledQuery:
    """A query and the products that answer it.

    Attributes:
        line: 1-based, of the file.
        image: path of a photo relative to the file's folder; None for a text query.
        text: None for a photo query.
        relevant: ids of the right products, at least one.
        fields: all else that the line says (split, language, ...), for choosing and grouping.
    """

    line: int
    image: Path | None
    text: str | None
    relevant: frozenset[str]
    fields: Mapping[str, Any]


def read_queries(path: Path, *, where: Mapping[str, str], relevant_field: str = "relevant") -> list[LabelledQuery]:
    """Reads ``{"image": PATH | "text": TEXT, "relevant": [ID, ...], ...}`` lines.

    Args:
        path: the JSONL file.
        where: only lines whose fields have these values.
        relevant_field: which field lists the right products; lines in which it is empty are left out.

    Raises:
        ConfigurationError: the file, a line, or the choice is unusable; names the line.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The queries {path} cannot be read: {error}.", "Name a JSONL file.") from error
    queries = list(_chosen(lines, path, where, relevant_field))
    if not queries:
        chosen = " and ".join(f"{name} = {value}" for name, value in where.items()) or "any line"
        raise ConfigurationError(f"{path} has no query with {chosen} and a field {relevant_field}.", "Check both.")
    return queries


def _chosen(lines: list[str], path: Path, where: Mapping[str, str], relevant_field: str) -> Iterator[LabelledQuery]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise ConfigurationError(f"{path} line {number} is no JSON: {error}.", "Correct the line.") from error
        if not isinstance(value, dict) or isinstance(value.get("text"), str) == isinstance(value.get("image"), str):
            raise ConfigurationError(
                f"{path} line {number} has not exactly one of text and image.", "Correct the line."
            )
        if any(str(value.get(name)) != wanted for name, wanted in where.items()) or not value.get(relevant_field):
            continue
        image = value.get("image")
        yield LabelledQuery(
            line=number,
            image=None if image is None else path.parent / image,
            text=value.get("text"),
            relevant=frozenset(map(str, value[relevant_field])),
            fields={name: item for name, item in value.items() if name not in {"image", "text", relevant_field}},
        )
