"""The demo model as it is stored: what its card promises, on a catalog that it has never seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from indexer.demo.catalog import Plan, write_catalog
from indexer.demo.measure import CHECKPOINT, Hits, Reader, google_shelf, grocery_figures, sample_catalog_figures
from indexer.demo.measure_variants import Variants
from indexer.demo.photographs import CHANGES
from indexer.demo.training.tokenizer import CONTEXT_LENGTH, END_ID, PAD_ID
from indexer.demo.words import LANGUAGES
from indexer.search.collapse import copy_threshold

UNSEEN = Plan(products=100, image_size_px=224, seed=4242, text_queries_per_language=60, photo_queries_per_change=24)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.stored(CHECKPOINT)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalog(tmp_path_factory.mktemp("unseen") / "catalog", UNSEEN).parent


@pytest.fixture(scope="module")
def figures(reader: Reader, shop: Path) -> dict[str, Hits]:
    return sample_catalog_figures(reader, shop)


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_unseen_in_training_find_a_right_product(figures: dict[str, Hits], language: str) -> None:
    assert figures[f"text {language}"]["hit@1"] >= 0.9


@pytest.mark.parametrize("change", CHANGES)
def test_changed_photos_find_their_product(figures: dict[str, Hits], change: str) -> None:
    assert figures[f"photo {change}"]["hit@1"] >= 0.9


@pytest.mark.parametrize("text", ["red mug", "красная кружка", "红色马克杯", "cốc màu đỏ"])
def test_the_first_thing_people_type(reader: Reader, shop: Path, text: str) -> None:
    """A red mug was never drawn in training, in any pattern."""
    pictures = sorted((shop / "images").glob("*-1.jpg"))
    best = pictures[int(np.argmax(reader.pictures(pictures) @ reader.texts([text])[0]))]
    feed = (shop / "feed.xml").read_text("utf-8")
    title = feed.split(f"<g:id>{best.name.removesuffix('-1.jpg')}</g:id>")[1].split("</g:title>")[0]
    assert "Red mug" in title


def test_a_picture_and_a_colour_find_the_variant(reader: Reader, shop: Path) -> None:
    """In words of four languages; the kind stays."""
    cases = Variants(reader, shop)
    composed, plain = cases.figures(), cases.figures("sum")
    for phrase in ("en in", "en but", "ru", "zh", "vi"):
        rates = composed[f"shop's picture, {phrase}"]
        assert rates["cases"] >= 20
        assert rates["both"] >= 0.8, phrase
        assert rates["both"] > plain[f"shop's picture, {phrase}"]["both"] - 0.02
    photos = [rates["both"] for name, rates in composed.items() if name.startswith("shopper")]
    assert sum(photos) / len(photos) >= 0.75


def test_copies_of_a_picture_are_told_from_other_products(reader: Reader, shop: Path) -> None:
    shelf = google_shelf(shop)
    pictures, owners = reader.pictures(shelf.files), np.array(shelf.owners)
    others = np.where(owners[:, None] == owners[None, :], -1.0, pictures @ pictures.T).max(axis=1)
    threshold = copy_threshold(others.tolist())
    assert np.mean(others >= threshold) <= 0.01
    for change, least in ((saved_again, 1.0), (halved, 0.98), (cropped_slightly, 0.95)):
        files = []
        for file in shelf.files[:60]:
            with Image.open(file) as picture:
                files.append(shop / f"copy-{change.__name__}-{file.name}")
                change(picture.convert("RGB")).save(files[-1], quality=60)
        cosines = np.sum(reader.pictures(files) * pictures[:60], axis=1)
        assert np.mean(cosines >= threshold) >= least, (change.__name__, threshold, np.sort(cosines)[:5])


def saved_again(picture: Image.Image) -> Image.Image:
    return picture


def halved(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2))


def cropped_slightly(picture: Image.Image) -> Image.Image:
    off = picture.width // 33
    return picture.crop((off, off, picture.width - off, picture.height - off))


def test_the_checkpoint_is_small_and_complete() -> None:
    files = {path.name: path.stat().st_size for path in CHECKPOINT.iterdir()}
    assert sum(files.values()) <= 20_000_000
    assert set(files) == {
        "MODEL_CARD.md",
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_the_configuration_says_how_pictures_are_prepared() -> None:
    config = json.loads((CHECKPOINT / "open_clip_config.json").read_text("utf-8"))
    assert config["preprocess_cfg"] == {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "resize_mode": "squash",
    }
    assert config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] == {"clean": "canonicalize"}
    assert config["model_cfg"]["text_cfg"]["context_length"] == CONTEXT_LENGTH == 64


def test_weights_are_float32_once_loaded(reader: Reader) -> None:
    assert {parameter.dtype for parameter in reader.model.parameters()} == {torch.float32}
    assert float(reader.model.logit_scale.detach().exp()) > 5
    assert float(reader.model.logit_bias.detach()) < 0


def test_texts_are_padded_to_64(reader: Reader) -> None:
    tokens = reader.tokens(["red mug"])[0]
    end = tokens.tolist().index(END_ID)
    assert len(tokens) == 64
    assert set(tokens[end + 1 :].tolist()) == {PAD_ID}


def test_embeddings_are_finite_and_of_length_one(reader: Reader, shop: Path) -> None:
    vectors = [
        reader.texts(["red mug", "", "zzz 日本 😀", "очень " * 300]),
        reader.pictures(sorted((shop / "images").glob("*.jpg"))[:4]),
    ]
    for matrix in vectors:
        assert matrix.dtype == np.float32
        assert np.isfinite(matrix).all()
        assert np.linalg.norm(matrix, axis=1) == pytest.approx(np.ones(len(matrix)), abs=1e-4)


def test_shop_photos_of_groceries_find_their_product(reader: Reader, shared_data: Path) -> None:
    photo = grocery_figures(reader, shared_data / "grocery", "val")["val photo"]
    assert photo["hit@1"] >= 0.50
    assert photo["hit@10"] >= 0.90
