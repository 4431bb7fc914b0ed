"""One ranking of what looks like the query and what is called like it.

Reciprocal rank fusion (Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank
Learning Methods, SIGIR 2009): a product's score is the sum of weight / (60 + rank) over the rankings that it is in.
Ranks are added and not scores, as cosines and BM25 have nothing in common. Three things come with it here:

- Products with equal BM25 scores share a rank: thirty "Red mug" are equally called like the query, and what they look
  like is to tell them apart.
- A product counts by its words as far as it has what tells the query's products from others. Each word of the query
  weighs log(1 + 256 / n), where n is how many of the 256 found by words have it: a model name weighs 5, a colour that
  every third product has 1; twice that with a number in it. The share of this weight that a product has counts squared,
  and not at all below ``least_share``: of "red mug" the word red alone says less than the pictures do. A word that none
  has (of another language than the titles, say) weighs 2.5.
- A product that the query names exactly, by an identifier, comes before all others.

Weights: ``docs/relevance.md`` has the measurements that they were chosen by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from indexer.lexical.text import WordMatch
from indexer.store.ranking import RankedPoint

LEXICAL_CANDIDATES = 256
"""Products that are ranked by words."""
_UNKNOWN_WORD = 2.5
"""Weight of a word that no candidate has; one that 23 of 256 have weighs the same."""


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """How much each ranking counts.

    Attributes:
        dense: of the ranking by cosine.
        lexical: of the ranking by words, for a product that has all of the query's.
        least_share: of the weight of the query's words, 0 to 1, below which a product's words do not count.
        rank_constant: the 60 of the formula: the larger, the less the first ranks stand out.
    """

    dense: float = 1.0
    lexical: float = 2.0
    least_share: float = 0.7
    rank_constant: int = 60


@dataclass(frozen=True, slots=True)
class LexicalHit:
    """A product that was found by its words.

    Attributes:
        point: its main picture, with the BM25 score.
        match: which words of the query it has.
    """

    point: RankedPoint
    match: WordMatch


@dataclass(frozen=True, slots=True)
class FusedHit:
    """A product in the ranking of all.

    Attributes:
        point: its best picture by cosine, with that score; where it is not among these, its main picture, with the BM25
            score or 0.
        score: to rank by; means nothing else.
        dense_rank: 1 for the first by cosine; None where it is not among these.
        lexical_rank: 1 for the first by words, the same for equals; None where its words do not count.
        is_identified: whether the query names it exactly.
        words: of the query that it has.
    """

    point: RankedPoint
    score: float
    dense_rank: int | None = None
    lexical_rank: int | None = None
    is_identified: bool = False
    words: tuple[str, ...] = ()


def fused(
    dense: Sequence[RankedPoint],
    lexical: Sequence[LexicalHit],
    identified: Sequence[RankedPoint],
    weights: FusionWeights,
) -> tuple[FusedHit, ...]:
    """All products of three rankings, best first: the identified in their order, then by score, equals by product id.

    Args:
        dense: each product once, with its best picture, best first.
        lexical: each product once, best first.
        identified: each product once, best first.
        weights: of the rankings.
    """
    by_cosine = {point.product_id: (rank, point) for rank, point in enumerate(dense, 1)}
    by_words = {hit.hit.point.product_id: hit for hit in _counted(lexical, weights.least_share)}
    named = {point.product_id: point for point in identified}
    hits = [
        _hit(by_cosine.get(product_id), by_words.get(product_id), named.get(product_id), weights)
        for product_id in {**by_cosine, **by_words, **named}
    ]
    first = {product_id: at for at, product_id in enumerate(named)}
    return tuple(sorted(hits, key=lambda hit: _order(hit, first)))


@dataclass(frozen=True, slots=True)
class _Counted:
    """A product whose words count: its rank, and how much of what tells it from others it has, 0 to 1."""

    hit: LexicalHit
    rank: int
    share: float


def _counted(lexical: Sequence[LexicalHit], least_share: float) -> list[_Counted]:
    weights = _word_weights(lexical)
    found: list[_Counted] = []
    ranks: dict[float, int] = {}
    for rank, hit in enumerate(lexical, 1):
        # equal scores have the rank of the first of them
        equal = ranks.setdefault(round(hit.point.score, _EQUAL_DIGITS), rank)
        had = sum(share * weight for share, weight in zip(hit.match.shares, weights, strict=True))
        share = had / sum(weights) if had else 0.0
        if share > 0 and share >= least_share:
            found.append(_Counted(hit, equal, share))
    return found


def _word_weights(lexical: Sequence[LexicalHit]) -> list[float]:
    """Of each word of the query, by how many of the products found by words have as much of it as any."""
    if not lexical:
        return []
    columns = zip(*(hit.match.shares for hit in lexical), strict=True)
    return [emphasis * _rarity(shares) for shares, emphasis in zip(columns, lexical[0].match.emphases, strict=True)]


def _rarity(shares: Sequence[float]) -> float:
    most = max(shares)
    return math.log1p(LEXICAL_CANDIDATES / sum(share == most for share in shares)) if most else _UNKNOWN_WORD


_EQUAL_DIGITS = 4
"""Engines add the same terms in another order."""


def _hit(
    dense: tuple[int, RankedPoint] | None,
    lexical: _Counted | None,
    identified: RankedPoint | None,
    weights: FusionWeights,
) -> FusedHit:
    score = 0.0
    words: tuple[str, ...] = ()
    points = [] if identified is None else [identified]
    if lexical is not None:
        score += weights.lexical * lexical.share**2 / (weights.rank_constant + lexical.rank)
        words = lexical.hit.match.words
        points.insert(0, lexical.hit.point)
    if dense is not None:
        score += weights.dense / (weights.rank_constant + dense[0])
        points.insert(0, dense[1])
    return FusedHit(
        points[0],
        score,
        None if dense is None else dense[0],
        None if lexical is None else lexical.rank,
        identified is not None,
        words,
    )


def _order(hit: FusedHit, first: dict[str, int]) -> tuple[int, float, str]:
    return first.get(hit.point.product_id, len(first)), -hit.score, hit.point.product_id
