"""Fusing the ranking of pictures with that of words."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import NAMESPACE_OID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.lexical.text import WordMatch
from indexer.search.fusion import FusionWeights, LexicalHit, fused
from indexer.store.ranking import RankedPoint

WEIGHTS = FusionWeights(dense=1.0, lexical=1.0, least_share=0.6, rank_constant=60)


def point(product_id: str, score: float = 0.5) -> RankedPoint:
    return RankedPoint(uuid5(NAMESPACE_OID, product_id), product_id, 0, score)


def dense(*ids: str) -> list[RankedPoint]:
    return [point(product_id, 1 - at / 100) for at, product_id in enumerate(ids)]


def lexical(*found: tuple[str, float, float]) -> list[LexicalHit]:
    """Of product, BM25 score and share of the query's only word."""
    return [LexicalHit(point(name, score), WordMatch(("word",), (share,), (1.0,))) for name, score, share in found]


def order(
    pictures: Sequence[RankedPoint],
    words: Sequence[LexicalHit] = (),
    named: Sequence[RankedPoint] = (),
    weights: FusionWeights = WEIGHTS,
) -> list[str]:
    return [hit.point.product_id for hit in fused(pictures, words, named, weights)]


def test_scores_are_those_of_reciprocal_rank_fusion() -> None:
    hits = {
        hit.point.product_id: hit
        for hit in fused(dense("a", "b"), lexical(("b", 9.0, 1.0), ("c", 8.0, 0.7)), [], WEIGHTS)
    }
    assert hits["a"].score == pytest.approx(1 / 61)
    assert hits["b"].score == pytest.approx(1 / 62 + 1 / 61)
    assert hits["c"].score == pytest.approx(0.49 / 62)
    assert (hits["b"].dense_rank, hits["b"].lexical_rank, hits["b"].words) == (2, 1, ("word",))
    assert (hits["a"].dense_rank, hits["a"].lexical_rank, hits["a"].words) == (1, None, ())
    assert (hits["c"].dense_rank, hits["c"].lexical_rank) == (None, 2)


def test_a_product_in_both_rankings_comes_before_the_first_of_one() -> None:
    assert order(dense("a", "b"), lexical(("b", 9.0, 1.0)))[0] == "b"


def test_without_words_that_count_the_order_is_that_of_the_pictures() -> None:
    pictures = dense(*"zyxw")
    assert order(pictures) == list("zyxw")
    assert order(pictures, lexical(("w", 9.0, 0.4), ("q", 8.0, 0.2))) == list("zyxw")


def test_equally_named_products_keep_the_order_of_their_pictures() -> None:
    # thirty red mugs are told apart by what they look like, whatever order the words' ranking has them in
    pictures = dense("m3", "m1", "m2", "x")
    assert order(pictures, lexical(("m1", 5.00001, 1.0), ("m2", 5.0, 1.0), ("m3", 5.0, 1.0)))[:3] == ["m3", "m1", "m2"]


def test_words_count_by_how_few_products_have_them() -> None:
    def having(name: str, score: float, *shares: float) -> LexicalHit:
        return LexicalHit(point(name, score), WordMatch(("word",), shares, (1.0,) * len(shares)))

    # "mug nordlys": many are mugs, one is a Nordlys; a Nordlys that is no mug counts, a mug of another name does not
    words = [having("n", 9.0, 0, 1)] + [having(f"m{at:03d}", 3.0, 1, 0) for at in range(100)]
    hits = {hit.point.product_id: hit for hit in fused([], words, [], FusionWeights(least_share=0.6))}
    assert hits["n"].lexical_rank == 1
    assert set(hits) == {"n"}
    # the same mugs count where nobody knows the other word, as they have all that can be had
    unknown = [having(f"m{at:03d}", 3.0, 1, 0) for at in range(3)]
    assert len(fused([], unknown, [], FusionWeights(least_share=0.6))) == 3


def test_part_of_a_number_does_not_make_the_number_common() -> None:
    # "ke-1043 mug" where titles are of another language: fifty numbers begin with KE, one goes on with 1043
    def having(name: str, score: float, share: float) -> LexicalHit:
        return LexicalHit(point(name, score), WordMatch(("ke-1043",), (share, 0.0), (2.0, 1.0)))

    words = [having("n", 9.0, 1.0)] + [having(f"m{at:03d}", 3.0, 0.5) for at in range(50)]
    assert order(dense("a", "b", "n"), words)[0] == "n"
    assert len(fused([], words, [], WEIGHTS)) == 1


def test_an_identified_product_comes_first_whatever_the_others_score() -> None:
    pictures, words = dense("a", "b"), lexical(("b", 99.0, 1.0))
    hits = fused(pictures, words, [point("z"), point("b")], WEIGHTS)
    assert [hit.point.product_id for hit in hits] == ["z", "b", "a"]
    assert [hit.is_identified for hit in hits] == [True, True, False]


def test_the_best_picture_of_the_dense_ranking_stands_for_a_product() -> None:
    best = RankedPoint(uuid5(NAMESPACE_OID, "a/2"), "a", 2, 0.9)
    (hit,) = fused([best], lexical(("a", 7.0, 1.0)), [point("a")], WEIGHTS)
    assert hit.point is best


IDS = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(IDS, IDS, IDS, st.floats(0, 3), st.floats(0, 1))
def test_every_product_comes_once_and_the_order_does_not_depend_on_anything_else(
    pictures: list[str], words: list[str], named: list[str], weight: float, least: float
) -> None:
    weights = FusionWeights(lexical=weight, least_share=least)
    found = lexical(*((name, float(len(words) - at), 1.0) for at, name in enumerate(words)))
    ranked = order(dense(*pictures), found, [point(name) for name in named], weights=weights)
    assert sorted(ranked) == sorted({*pictures, *words, *named})
    assert ranked[: len(named)] == named
    assert ranked == order(dense(*pictures), found, [point(name) for name in named], weights=weights)
