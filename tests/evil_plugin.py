"""Puts the reader of ``tests.evil_pictures`` in Pillow's place; for decoder processes, which import it by name."""

from __future__ import annotations

from PIL import Image

from tests.evil_pictures import EvilBmp

Image.register_open("BMP", EvilBmp, lambda prefix: prefix.startswith(b"BM"))
