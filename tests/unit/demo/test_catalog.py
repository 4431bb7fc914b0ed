"""The sample catalog: complete or not there, well-formed, the same for the same arguments."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from indexer.demo.__main__ import main
from indexer.demo.assortment import CAPACITY, assortment
from indexer.demo.catalog import MANIFEST, Plan, is_complete, write_catalog, write_sample_catalog
from indexer.demo.feed import GOOGLE
from indexer.demo.photographs import CHANGES
from indexer.demo.words import LANGUAGES
from indexer.errors import ConfigurationError

PLAN = Plan(products=36, image_size_px=64, seed=3, text_queries_per_language=6, photo_queries_per_change=3)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "catalog"
    write_catalog(folder, PLAN, workers=1)
    return folder


def items(folder: Path) -> list[ET.Element]:
    return list(ET.parse(folder / "feed.xml").iter("item"))  # noqa: S314 - a file we wrote


def field(item: ET.Element, name: str) -> str:
    return item.findtext(f"{{{GOOGLE}}}{name}") or ""


def test_the_feed_is_a_merchant_feed(catalog: Path) -> None:
    found = items(catalog)
    assert len(found) == 36
    ids = [field(item, "id") for item in found]
    assert len(set(ids)) == 36
    for item in found:
        amount, currency = field(item, "price").split()
        assert currency == "EUR"
        assert float(amount) > 0
        assert field(item, "availability") in {"in_stock", "out_of_stock"}
        assert " > " in field(item, "product_type")
        assert field(item, "link").startswith("https://")
        for name in ("title", "description", "brand", "color", "pattern"):
            assert field(item, name)


def test_every_picture_is_there(catalog: Path) -> None:
    counts = set()
    for item in items(catalog):
        extra = [element.text or "" for element in item.findall(f"{{{GOOGLE}}}additional_image_link")]
        pictures = [field(item, "image_link"), *extra]
        counts.add(len(pictures))
        for picture in pictures:
            with Image.open(catalog / picture) as opened:
                assert opened.size == (64, 64)
                assert opened.format == "JPEG"
    assert counts == {1, 2}


def test_queries_name_products_of_the_feed(catalog: Path) -> None:
    ids = {field(item, "id") for item in items(catalog)}
    lines = [json.loads(line) for line in (catalog / "queries.jsonl").read_text("utf-8").splitlines()]
    texts, photos = [q for q in lines if "text" in q], [q for q in lines if "image" in q]
    assert {q["language"] for q in texts} == set(LANGUAGES)
    assert {q["change"] for q in photos} == set(CHANGES)
    assert len(texts) == 24
    assert len(photos) == 15
    for query in lines:
        assert query["relevant"]
        assert set(query["relevant"]) <= ids
    assert all((catalog / query["image"]).is_file() for query in photos)


def test_colour_variants_share_a_group_and_a_price(catalog: Path) -> None:
    groups: dict[str, list[ET.Element]] = {}
    for item in items(catalog):
        if field(item, "item_group_id"):
            groups.setdefault(field(item, "item_group_id"), []).append(item)
    for members in groups.values():
        assert len(members) > 1
        assert len({field(item, "color") for item in members}) == len(members)
        assert len({(field(item, "price"), field(item, "brand"), field(item, "pattern")) for item in members}) == 1


def test_writing_it_again_does_nothing(catalog: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in catalog.rglob("*")}
    asked: list[int] = []
    write_catalog(catalog, PLAN, progress=lambda done, _: asked.append(done), workers=1)
    assert {path: path.stat().st_mtime_ns for path in catalog.rglob("*")} == before
    assert asked == []


def test_a_picture_gone_missing_is_noticed(catalog: Path, tmp_path: Path) -> None:
    manifest = json.loads((catalog / MANIFEST).read_text("utf-8"))
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    assert is_complete(catalog, PLAN)
    assert not is_complete(copy, PLAN)
    assert not is_complete(tmp_path / "none", PLAN)


def test_the_same_arguments_give_the_same_files(tmp_path: Path) -> None:
    plan = Plan(products=4, image_size_px=48, seed=3, text_queries_per_language=2, photo_queries_per_change=1)
    first, second = tmp_path / "first", tmp_path / "second"
    steps: list[tuple[int, int]] = []
    write_catalog(first, plan, workers=1)
    write_catalog(second, plan, progress=lambda done, total: steps.append((done, total)), workers=1)
    for path in first.rglob("*"):
        if path.is_file():
            assert (second / path.relative_to(first)).read_bytes() == path.read_bytes()
    assert steps[-1][0] == steps[-1][1] == len(steps)


def test_other_arguments_replace_it(tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    for products in (2, 3):
        plan = Plan(products=products, image_size_px=48, text_queries_per_language=1, photo_queries_per_change=0)
        write_catalog(folder, plan, workers=1)
        assert len(items(folder)) == products
    assert [path.name for path in tmp_path.iterdir()] == ["catalog"]


def test_it_does_not_write_over_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", "utf-8")
    with pytest.raises(ConfigurationError, match="not a sample catalog"):
        write_sample_catalog(tmp_path, products=2)
    assert (tmp_path / "thesis.txt").read_text("utf-8") == "years of work"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_catalog(tmp_path / "catalog", Plan(products=2, image_size_px=48), progress=stop, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_products_differ_to_the_eye() -> None:
    articles = assortment(CAPACITY, seed=1)
    looks = {(a.look.product_type, a.look.colour, a.look.pattern) for a in articles}
    assert len(looks) == len(articles) == CAPACITY
    assert len({a.product_id for a in articles}) == CAPACITY


@pytest.mark.parametrize("products", [0, -1, CAPACITY + 1])
def test_an_impossible_size_is_refused(products: int) -> None:
    with pytest.raises(ValueError, match="1 to"):
        assortment(products, seed=1)


def test_there_is_a_red_mug() -> None:
    looks = [a.look for a in assortment(300, seed=20)]
    assert any(look.product_type == "mug" and look.colour == "red" and look.pattern == "plain" for look in looks)


def test_the_command_line_draws_in_parallel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "catalog"
    assert main(["catalog", str(folder), "--products", "4", "--image-size-px", "32"]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "feed.xml")
    assert len(items(folder)) == 4


def test_the_command_line_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", str(tmp_path / "x"), "--products", "0"]) == 2
    assert "1 to" in capsys.readouterr().err
