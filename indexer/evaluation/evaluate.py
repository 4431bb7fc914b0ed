"""Runs labelled queries through the same decode, model and store as a shopper's, and scores the answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from indexer.embedding.port import Embedder, Pixels
from indexer.errors import ConfigurationError, VitrineError
from indexer.evaluation.metrics import METRICS, SEARCH_DEPTH, Estimate, estimate
from indexer.evaluation.queries import LabelledQuery
from indexer.images.decoder import Decoder
from indexer.points import Vectors
from indexer.store.port import CollectionReader
from indexer.store.queries import SearchQuery

_CHUNK = 64
_ALL = "all"


@dataclass(frozen=True, slots=True)
class GroupScores:
    """Scores of the queries that share a field's value; ``name`` is ``all`` for every query together."""

    name: str
    queries: int
    metrics: dict[str, Estimate]


def evaluate(
    queries: Sequence[LabelledQuery],
    embedder: Embedder,
    reader: CollectionReader,
    decoder: Decoder,
    *,
    group_by: str = "",
    done: Callable[[int], None] = lambda _: None,
) -> list[GroupScores]:
    """Scores queries, all together and by group.

    Args:
        queries: at least one.
        embedder: of the reader's space.
        reader: what is searched.
        decoder: of the queries' photos.
        group_by: field whose values make groups, empty for none.
        done: told how many queries are through.

    Raises:
        ConfigurationError: a query's photo cannot be used; names its line.
    """
    scores: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    for count, (query, vector) in enumerate(_embedded(queries, embedder, decoder), 1):
        answer = reader.search(SearchQuery(vector, limit=SEARCH_DEPTH))
        ranked = [hit.product_id for hit in answer.hits]
        result = {name: metric(ranked, query.relevant) for name, metric in METRICS.items()}
        scores[_ALL].append(result)
        if group_by:
            scores[str(query.fields.get(group_by, "(none)"))].append(result)
        done(count)
    return [
        GroupScores(
            name, len(results), {metric: estimate([result[metric] for result in results]) for metric in METRICS}
        )
        for name, results in sorted(scores.items(), key=lambda item: (item[0] != _ALL, item[0]))
    ]


def _embedded(
    queries: Sequence[LabelledQuery], embedder: Embedder, decoder: Decoder
) -> Iterator[tuple[LabelledQuery, Vectors]]:
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(queries), _CHUNK):
            chunk = queries[start : start + _CHUNK]
            photos = [query for query in chunk if query.image is not None]
            texts = [query for query in chunk if query.image is None]
            if photos:
                pixels = np.stack(list(pool.map(lambda query: _pixels(query, embedder, decoder), photos)))
                yield from zip(photos, embedder.embed_images(pixels), strict=True)
            if texts:
                yield from zip(texts, embedder.embed_texts([query.text or "" for query in texts]), strict=True)


def _pixels(query: LabelledQuery, embedder: Embedder, decoder: Decoder) -> Pixels:
    path = query.image
    try:
        data = path.read_bytes() if path else b""
        return decoder.square(data, embedder.square).pixels
    except (OSError, VitrineError) as error:
        raise ConfigurationError(f"The photo {path} of query line {query.line} cannot be used: {error}") from error
