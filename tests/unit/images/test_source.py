"""Local pictures: inside the feed's folder, or not at all."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from indexer.errors import ImageError, ImageFetchFailed, ImageNotFound, ImageRefForbidden, ImageTooLarge
from indexer.images.limits import ImageLimits
from indexer.images.source import FetchedImage, ImagesByReference, LocalImages

LIMITS = ImageLimits(max_bytes=1000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "feed"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.jpg").write_bytes(b"picture")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    return folder


def fetch(ref: str, root: Path) -> FetchedImage:
    return LocalImages(LIMITS).fetch(ref, str(root))


def test_bytes_and_hash(root: Path) -> None:
    assert fetch("images/a.jpg", root) == FetchedImage(b"picture", hashlib.sha256(b"picture").hexdigest())


def test_a_missing_file_is_told_by_its_reference(root: Path) -> None:
    with pytest.raises(ImageNotFound, match=r"images/b\.jpg"):
        fetch("images/b.jpg", root)


@pytest.mark.parametrize(
    "ref", ["../secret.jpg", "images/../../secret.jpg", "/etc/passwd", "a\x00b", "x" * 5000], ids=range(5)
)
def test_paths_that_lead_outside_are_refused(root: Path, ref: str) -> None:
    with pytest.raises((ImageRefForbidden, ImageFetchFailed)) as caught:
        fetch(ref, root)
    assert isinstance(caught.value, ImageError)


def test_a_link_that_leads_outside_is_refused(root: Path) -> None:
    (root / "link.jpg").symlink_to(root.parent / "secret.jpg")
    (root / "folder").symlink_to(root.parent)
    for ref in ("link.jpg", "folder/secret.jpg"):
        with pytest.raises(ImageRefForbidden, match="outside"):
            fetch(ref, root)


def test_a_link_inside_is_followed(root: Path) -> None:
    (root / "link.jpg").symlink_to("images/a.jpg")
    assert fetch("link.jpg", root).data == b"picture"


def test_a_loop_of_links_ends(root: Path) -> None:
    (root / "loop.jpg").symlink_to("loop.jpg")
    with pytest.raises(ImageError):
        fetch("loop.jpg", root)


def test_folders_and_pipes_are_no_pictures(root: Path) -> None:
    os.mkfifo(root / "pipe.jpg")
    for ref in ("images", "pipe.jpg"):
        with pytest.raises(ImageRefForbidden, match="no ordinary file"):
            fetch(ref, root)


def test_a_file_over_the_limit_is_not_read(root: Path) -> None:
    (root / "big.jpg").write_bytes(b"x" * 1001)
    with pytest.raises(ImageTooLarge, match="1001"):
        fetch("big.jpg", root)


def test_the_reference_chooses_the_source(root: Path) -> None:
    class Remote:
        def fetch(self, image_ref: str, image_root: str) -> FetchedImage:
            return FetchedImage(image_ref.encode(), image_root)

        def fetch_changed(self, image_ref: str, image_root: str, validator: str) -> FetchedImage | None:  # noqa: ARG002
            return None

        def begin(self, image_ref: str, image_root: str, validator: str) -> Future[FetchedImage | None]:
            begun: Future[FetchedImage | None] = Future()
            begun.set_result(self.fetch(image_ref + validator, image_root))
            return begun

    source = ImagesByReference(LocalImages(LIMITS), Remote())
    assert source.fetch("images/a.jpg", str(root)).data == b"picture"
    assert source.fetch("https://host/a.jpg", str(root)).data == b"https://host/a.jpg"
    assert source.fetch_changed("https://host/a.jpg", str(root), "validator") is None
    begun = source.begin("https://host/a.jpg", str(root), "?v")
    assert begun is not None
    assert getattr(begun.result(), "data", None) == b"https://host/a.jpg?v"
    assert source.begin("images/a.jpg", str(root), "") is None
    local = source.fetch_changed("images/a.jpg", str(root), "validator")
    assert local is not None
    assert (local.data, local.validator) == (b"picture", "")


def test_a_folder_that_is_a_link_may_lead_elsewhere_later(root: Path) -> None:
    """Releases are often switched by a link; what was read through it before must not stay."""
    source, link = LocalImages(LIMITS), root.parent / "current"
    link.symlink_to(root)
    assert source.fetch("images/a.jpg", str(link)).data == b"picture"
    other = root.parent / "release-2"
    (other / "images").mkdir(parents=True)
    (other / "images" / "a.jpg").write_bytes(b"newer")
    link.unlink()
    link.symlink_to(other)
    deadline_s = time.monotonic() + 10
    while source.fetch("images/a.jpg", str(link)).data != b"newer":
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    with pytest.raises(ImageRefForbidden, match="outside"):
        source.fetch("../feed/images/a.jpg", str(link))
