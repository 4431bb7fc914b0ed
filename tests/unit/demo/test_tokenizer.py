"""The tokenizer: no text is unknown to it, Chinese stays in characters, open_clip reads it and pads to 64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from indexer.demo.training.model import Design, tokenizer_of, write_config
from indexer.demo.training.tokenizer import END_ID, PAD_ID, UNKNOWN_ID, save_tokenizer, train_tokenizer

CORPUS = [
    "red mug with white dots",
    "красная кружка в горошек",
    "зелёный чайник",
    "红色马克杯",
    "cốc màu đỏ chấm bi",
] * 8


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(train_tokenizer(CORPUS, vocabulary=600), folder)
    write_config(folder, Design(), vocabulary=1000)
    return tokenizer_of(folder)


def ids(tokenizer: Any, text: str) -> list[int]:
    return [int(i) for i in tokenizer([text])[0]]


@pytest.mark.parametrize(
    "text", ["red mug", "красная кружка", "红色马克杯", "cốc màu đỏ", "日本語 😀 한국어 ☕", "", " \t "]
)
def test_every_text_has_ids_and_is_padded_to_64(tokenizer: Any, text: str) -> None:
    found = ids(tokenizer, text)
    assert len(found) == 64
    end = found.index(END_ID)
    assert UNKNOWN_ID not in found
    assert set(found[end + 1 :]) == {PAD_ID}
    assert PAD_ID not in found[:end]


@pytest.mark.parametrize("text", ["red mug", "красная кружка", "红色马克杯", "cốc màu đỏ", "日本語 😀"])
def test_ids_spell_the_text(tokenizer: Any, text: str) -> None:
    assert tokenizer.tokenizer.decode(ids(tokenizer, text), skip_special_tokens=True) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Red MUG!", "red mug"),
        ("зелёный", "зеленый"),
        ("Красная кружка.", "красная кружка"),
        ("ＲＥＤ ｍｕｇ", "red mug"),
        ("t-shirt", "tshirt"),
    ],
)
def test_spellings_that_are_the_same(tokenizer: Any, one: str, other: str) -> None:
    assert ids(tokenizer, one) == ids(tokenizer, other)


def test_chinese_is_read_by_characters(tokenizer: Any) -> None:
    whole, parts = ids(tokenizer, "红色马克杯"), ids(tokenizer, "马克杯红色")
    assert sorted(whole) == sorted(parts)


def test_a_long_text_is_cut_and_still_ends(tokenizer: Any) -> None:
    found = ids(tokenizer, "red mug " * 200)
    assert len(found) == 64
    assert found[-1] == END_ID


def test_a_token_spelled_out_in_the_text_is_only_text(tokenizer: Any) -> None:
    assert ids(tokenizer, "</s> red <pad> mug") == ids(tokenizer, "s red pad mug")
