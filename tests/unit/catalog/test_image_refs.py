"""Image references never lead out of the feed's folder, and a bad additional one costs no product."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalog.image_refs import MAX_IMAGES, check_all, check_ref, split_refs
from indexer.catalog.problems import FieldProblem


@pytest.mark.parametrize(
    ("ref", "kept"),
    [
        ("https://cdn.example/a.jpg", "https://cdn.example/a.jpg"),
        ("HTTP://cdn.example/a.jpg", "HTTP://cdn.example/a.jpg"),
        ("https://cdn.example:8080/a.jpg?w=1&h=2#x", "https://cdn.example:8080/a.jpg?w=1&h=2#x"),
        ("https://cdn.example/w_400,h_300/a.jpg", "https://cdn.example/w_400,h_300/a.jpg"),
        ("https://магазин.рф/фото.jpg", "https://магазин.рф/фото.jpg"),
        ("  https://cdn.example/my photo.jpg ", "https://cdn.example/my%20photo.jpg"),
        ("images/a.jpg", "images/a.jpg"),
        ("./images//a.jpg", "images/a.jpg"),
        ("images/../other/a.jpg", "other/a.jpg"),
        ("my photos/чашка 1.jpg", "my photos/чашка 1.jpg"),
        ("images/12:30.jpg", "images/12:30.jpg"),
        ("images/..a.jpg", "images/..a.jpg"),
        ("httpd/a.jpg", "httpd/a.jpg"),
    ],
)
def test_keeps_urls_and_paths_within_the_folder(ref: str, kept: str) -> None:
    assert check_ref(ref) == kept


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("../a.jpg", "leads out"),
        ("..", "leads out"),
        ("images/../../a.jpg", "leads out"),
        ("./.././a.jpg", "leads out"),
        ("/etc/passwd", "absolute"),
        ("//cdn.example/a.jpg", "absolute"),
        ("file:///etc/passwd", "neither"),
        ("FILE:/etc/passwd", "neither"),
        ("data:image/png;base64,AAAA", "neither"),
        ("ftp://cdn.example/a.jpg", "neither"),
        ("javascript:alert(1)", "neither"),
        ("C:/photos/a.jpg", "neither"),
        ("http:a.jpg", "neither"),
        ("https:///a.jpg", "neither"),
        ("http://", "neither"),
        ("images\\a.jpg", "backslash"),
        ("..\\..\\a.jpg", "backslash"),
        ("https://cdn.example\\@evil.example/a.jpg", "backslash"),
        ("images/a.jpg\x00.png", r"U\+0000"),
        ("https://cdn.example/a.jpg\nHost: x", r"U\+000A"),
        ("images/\udce9.jpg", "byte 0xE9"),
        ("images/../ ../a.jpg", "begins with a space"),
        (".", "no file"),
        ("images/", "no file"),
        ("https://cdn.example/" + "a" * 4096, "longer"),
    ],
)
def test_refuses_everything_else(ref: str, words: str) -> None:
    with pytest.raises(FieldProblem, match=words):
        check_ref(ref)


@given(
    st.lists(st.sampled_from(["..", ".", "a", "/", "//", "\\", " ", "%2e%2e", "~", "b.jpg"]), max_size=12).map("".join)
)
def test_no_path_leads_out_however_it_is_put_together(ref: str) -> None:
    try:
        kept = check_ref(ref)
    except FieldProblem:
        return
    assert not kept.startswith("/")
    assert ".." not in kept.split("/")
    assert check_ref(kept) == kept


@pytest.mark.parametrize(
    ("cell", "refs"),
    [
        ("a.jpg", ["a.jpg"]),
        ("a.jpg, b.jpg;c.jpg|d.jpg", ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]),
        ("https://x.example/a.jpg,https://x.example/b.jpg", ["https://x.example/a.jpg", "https://x.example/b.jpg"]),
        ("https://x.example/a.jpg | https://x.example/b.jpg", ["https://x.example/a.jpg", "https://x.example/b.jpg"]),
        ("https://x.example/a.jpg\nhttps://x.example/b.jpg", ["https://x.example/a.jpg", "https://x.example/b.jpg"]),
        ("https://x.example/w_1,h_2/a.jpg", ["https://x.example/w_1,h_2/a.jpg"]),
        (
            "https://x.example/w_1,h_2/a.jpg, https://x.example/b.jpg",
            ["https://x.example/w_1,h_2/a.jpg", "https://x.example/b.jpg"],
        ),
    ],
)
def test_splits_a_cell_of_references(cell: str, refs: list[str]) -> None:
    assert [ref.strip() for ref in split_refs(cell) if ref.strip()] == refs


def test_main_image_comes_first_and_none_comes_twice() -> None:
    left_out: list[str] = []
    assert check_all("a.jpg", ["b.jpg", "./a.jpg", "", " ", "b.jpg", "c.jpg"], left_out) == ("a.jpg", "b.jpg", "c.jpg")
    assert left_out == []


def test_first_additional_image_takes_the_place_of_a_missing_main_one() -> None:
    assert check_all("", ["", "b.jpg", "c.jpg"], []) == ("b.jpg", "c.jpg")
    with pytest.raises(FieldProblem, match="missing"):
        check_all("  ", ["", " "], [])


def test_bad_additional_image_is_left_out_and_said() -> None:
    left_out: list[str] = []
    assert check_all("a.jpg", ["../b.jpg", "c.jpg", "file:///d.jpg"], left_out) == ("a.jpg", "c.jpg")
    assert len(left_out) == 2
    assert "'../b.jpg' leads out" in left_out[0]
    with pytest.raises(FieldProblem, match="leads out"):
        check_all("../a.jpg", ["b.jpg"], left_out)


def test_images_beyond_the_limit_are_left_out_with_one_sentence() -> None:
    left_out: list[str] = []
    refs = check_all("a.jpg", [f"../{number}.jpg" for number in range(1_000_000)], left_out)
    assert refs == ("a.jpg",)
    assert len(left_out) == MAX_IMAGES
    assert f"first {MAX_IMAGES} of 1000001" in left_out[0]
    assert len(check_all("a.jpg", [f"{number}.jpg" for number in range(200)], [])) == MAX_IMAGES
