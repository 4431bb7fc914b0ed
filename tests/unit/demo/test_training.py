"""Training data and losses: what is marked as belonging together, and the loss against values worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from indexer.demo.captions import Claims
from indexer.demo.rendering.scene import Look
from indexer.demo.training import changes
from indexer.demo.training.batches import CLOTHING, DRAWN, GROCERY, _Shown, claim_codes, mix
from indexer.demo.training.corpus import CLOTHES_NAMES
from indexer.demo.training.drawings import look_codes
from indexer.demo.training.loop import Schedule
from indexer.demo.training.objectives import sigmoid_loss
from indexer.demo.training.sources import cutout, read_groceries

LOOKS = (
    Look("mug", "red", "dotted", "white", 1),
    Look("mug", "red", "dotted", "black", 2),
    Look("t-shirt", "blue", "plain", "white", 3),
)
T_SHIRT_CLASS = sorted(CLOTHES_NAMES).index("T-Shirt")


def shown() -> _Shown:
    """Two views of look 0, one of looks 1 and 2, two photos of product 5, one T-shirt worn by someone."""
    source = np.array([DRAWN, DRAWN, DRAWN, DRAWN, GROCERY, GROCERY, CLOTHING])
    ident = np.array([0, 0, 1, 2, 5, 5, T_SHIRT_CLASS])
    return _Shown(source, ident, look_codes(LOOKS))


def test_captions_are_marked_true_where_every_claim_holds() -> None:
    red_mug = shown().agreement_with_claims(Claims("mug", "red"))
    assert red_mug.tolist() == [1, 1, 1, -1, -1, -1, -1]
    white_dots = shown().agreement_with_claims(Claims("mug", "red", "dotted", "white"))
    assert white_dots.tolist() == [1, 1, -1, -1, -1, -1, -1]


def test_related_clothes_do_not_matter() -> None:
    assert shown().agreement_with_claims(Claims("t-shirt")).tolist() == [-1, -1, -1, 1, -1, -1, 0]
    marks = shown().agreement_with_clothing(T_SHIRT_CLASS, frozenset({"t-shirt"}))
    assert marks.tolist() == [-1, -1, -1, 0, -1, -1, 1]


def test_sameness_of_pictures() -> None:
    marks = shown().sameness()
    assert (marks == marks.T).all()
    assert marks.diagonal().tolist() == [0] * 7
    assert marks[0, 1] == 1  # two views
    assert marks[0, 2] == 0  # alike but for the accent: hard to tell, not taught
    assert marks[0, 3] == -1
    assert marks[4, 5] == 1  # one grocery product
    assert marks[0, 4] == -1


def test_the_accent_of_a_plain_product_is_not_taught() -> None:
    attributes = shown().attributes()
    assert attributes[3, 3] == -1
    assert attributes[0, 3] >= 0
    assert (attributes[4:] == -1).all()


def test_claims_are_numbered_as_looks_are() -> None:
    assert claim_codes(Claims("mug", "red", "dotted", "white")) == tuple(look_codes(LOOKS)[0])
    assert claim_codes(Claims("mug"))[1:] == (-1, -1, -1)


def test_sigmoid_loss_by_hand() -> None:
    logits = torch.tensor([[2.0, -1.0, 5.0]])
    marks = torch.tensor([[1.0, -1.0, 0.0]])
    expected = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))
    assert float(sigmoid_loss(logits, marks)) == pytest.approx(expected, rel=1e-6)


def test_framing_without_change_shows_the_picture_itself() -> None:
    pictures = torch.rand(2, 3, 16, 16)
    still = changes.Framing(area=(1, 1), stretch=1, turn_deg=0, flip=0)
    maps = changes.frames(still, 2, np.random.default_rng(0))
    assert torch.allclose(changes.seen_through(pictures, maps, 16), pictures, atol=1e-5)


def test_toning_without_range_changes_nothing() -> None:
    pictures = torch.rand(2, 3, 8, 8)
    still = changes.Toning(0, 0, 0, 0, 0)
    assert torch.allclose(changes.toned(pictures, still, np.random.default_rng(0)), pictures, atol=1e-5)


def test_changes_stay_in_range() -> None:
    rng = np.random.default_rng(1)
    pictures = torch.rand(12, 3, 24, 24)
    pictures = changes.seen_through(pictures, changes.frames(changes.SHOP_PHOTO, 12, rng), 20)
    pictures = changes.blurred_some(changes.toned(pictures, changes.STRONG, rng), 1.0, rng)
    pictures = changes.covered_some(changes.spoilt_some(pictures, 0.9, rng), 0.9, rng)
    assert pictures.shape == (12, 3, 20, 20)
    assert float(pictures.min()) >= 0
    assert float(pictures.max()) <= 1


def test_mixed_pictures_know_their_shares() -> None:
    pictures = torch.arange(40).view(40, 1, 1, 1).expand(40, 3, 10, 10).float().clone()
    labels = np.arange(40)
    second, share = mix(pictures, labels, np.random.default_rng(2))
    means = pictures.mean(dim=(1, 2, 3)).numpy()
    assert means == pytest.approx(share * labels + (1 - share) * second, abs=1e-3)
    assert 2 < (share < 1).sum() < 25


def test_a_cutout_keeps_white_inside() -> None:
    pixels = np.full((40, 40, 3), 255, np.uint8)
    pixels[10:30, 10:30] = (20, 120, 40)
    pixels[18:22, 18:22] = 255
    mask = cutout(pixels)
    assert mask[0, 0] == 0
    assert mask[20, 20] == 255
    assert mask.mean() / 255 == pytest.approx(0.25, abs=0.01)


def test_only_the_training_split_is_read(tmp_path: Path) -> None:
    """val photos are never opened: the files are not even there."""
    Image.new("RGB", (20, 20), "red").save(tmp_path / "c.png")
    feed = {"id": "a", "title": "Apple", "description": "An apple.", "description_sv": None, "category": "Apple"}
    (tmp_path / "feed.jsonl").write_text(json.dumps({**feed, "image": "c.png"}) + "\n", "utf-8")
    queries = [{"image": f"missing{i}.png", "split": "val", "relevant": ["a"]} for i in range(9)]
    queries += [{"image": f"t{i}.png", "split": "train", "relevant": ["a"]} for i in range(30)]
    for query in queries[9:]:
        Image.new("RGB", (20, 20), "green").save(tmp_path / str(query["image"]))
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)), "utf-8")
    everything, fit, dev = (read_groceries(tmp_path, part) for part in ("all", "fit", "dev"))
    assert len(everything.photos) == 30 == len(fit.photos) + len(dev.photos)
    assert 0 < len(dev.photos) < 15


def test_the_schedule_warms_up_grows_pictures_and_ends() -> None:
    schedule = Schedule(steps=100, sizes=((0.5, 96), (0.5, 128)), rate=1.0, warm_up=0.1)
    assert [schedule.size_px(step) for step in (0, 49, 50, 99, 100)] == [96, 96, 128, 128, 128]
    assert schedule.rate_at(0) == pytest.approx(0.1)
    assert schedule.rate_at(10) == pytest.approx(1.0)
    assert schedule.rate_at(99) < 0.01
