"""Hostile pictures through every route that takes one, many at once, with shoppers' photos in between."""

from __future__ import annotations

import gc
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.hostile_http import ROUTES, attack, memory_mb
from indexer.embedding.port import Embedder
from tests.fuzzing.corpus import inputs
from tests.hostile_shop import MAX_BYTES, HostileShop, hostile_shop
from tests.pictures import declared_png, drawn_picture, encoded

CLIENTS = 8
MAX_PIXELS = 2_000_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tiny_embedder: Embedder) -> Iterator[HostileShop]:
    folder = tmp_path_factory.mktemp("shop")
    with hostile_shop(folder, tiny_embedder, image_max_pixels=MAX_PIXELS, query_queue=64) as opened:
        yield opened


@pytest.fixture(scope="module")
def hostile() -> dict[str, bytes]:
    """Made here, so that a clone has them: bombs, cut and changed files of each format, and what fuzzing found."""
    whole = {kind: encoded(drawn_picture(5), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")}
    made = {f"half of a {kind}": data[: len(data) // 2] for kind, data in whole.items()}
    made |= {f"{kind} behind rubbish": b"\0" * 9 + data for kind, data in whole.items()}
    made |= {f"{kind} with its middle turned": _turned(data) for kind, data in whole.items()}
    made["no bytes"] = b""
    made["too many bytes"] = b"\xff\xd8\xff" + bytes(MAX_BYTES + 1)
    made["beyond any body"] = bytes(2 * MAX_BYTES)
    made["a declared giant"] = declared_png(60_000, 60_000)
    made["a giant of one colour"] = encoded(Image.new("1", (4_000, 4_000)), "PNG")
    made["thousands of scans"] = encoded(drawn_picture(6), progressive=True) + b"\xff\xda\x00\x08\x01\x01" * 300
    made["a text chunk that unpacks to much"] = _text_bomb()
    made["a long animation"] = _animation(200)
    made["a script"] = b"%!PS-Adobe\n(/etc/passwd) run"
    made["an SVG"] = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    found = inputs("pictures")
    return made | {path.name: path.read_bytes() for path in found[:: max(1, len(found) // 40)]}


def _turned(data: bytes) -> bytes:
    third = len(data) // 3
    return data[:third] + bytes(byte ^ 0x55 for byte in data[third : 2 * third]) + data[2 * third :]


def _text_bomb() -> bytes:
    whole = encoded(drawn_picture(7), "PNG")
    body = b"zTXtComment\0\0" + zlib.compress(bytes(60_000_000), 9)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return whole[:33] + chunk + whole[33:]


def _animation(frames: int) -> bytes:
    others = [Image.new("P", (64, 64), number % 256) for number in range(1, frames)]
    return encoded(Image.new("P", (64, 64)), "GIF", save_all=True, append_images=others)


def test_hostile_pictures_harm_nobody_else_and_leave_nothing(shop: HostileShop, hostile: dict[str, bytes]) -> None:
    photos = {f"p{number}": shop.catalog.picture(number).read_bytes() for number in range(6)}
    url = str(shop.client.base_url)
    routes = list(ROUTES)
    used_mb = []
    for number in range(3):
        # each picture to every route at first, then to one after another
        chosen = routes if number == 0 else routes[number :: len(routes)]
        done = attack(url, hostile, photos, clients=CLIENTS, routes=chosen)
        assert not done.wrong
        assert done.statuses.total() == len(hostile) * len(chosen)
        assert done.healthy > 10
        assert {status for _, status in done.statuses} <= {200, 413, 415, 422}
        gc.collect()
        used_mb.append(memory_mb(os.getpid()))
    assert {"image_empty", "image_too_large", "image_not_an_image", "image_damaged"} <= done.codes.keys()
    assert used_mb[-1] - used_mb[0] < 60, used_mb
    assert shop.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", ["a declared giant", "a giant of one colour", "beyond any body", "a script"])
def test_what_is_too_much_is_refused_on_each_way_in(
    shop: HostileShop, hostile: dict[str, bytes], route: str, name: str
) -> None:
    assert ROUTES[route](shop.client, hostile[name]).status_code == (415 if name == "a script" else 413)


def test_the_real_corpus_makes_no_server_error_and_harms_no_photo(shop: HostileShop, shared_data: Path) -> None:
    files = [path for path in sorted((shared_data / "hostile").rglob("*")) if path.is_file()]
    hostile = {path.name: path.read_bytes() for path in files[::4]}
    photos = {f"p{number}": shop.catalog.picture(number).read_bytes() for number in range(6)}
    done = attack(str(shop.client.base_url), hostile, photos, clients=CLIENTS, routes=["search/image"])
    assert not done.wrong
    assert {status for _, status in done.statuses} <= {200, 413, 415, 422}
