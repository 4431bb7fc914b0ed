"""``python -m tests.fuzzing.seeds``: writes the first inputs of the corpus, of every format and mode."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator

from PIL import Image

from indexer.catalog import FeedFormat
from tests.fuzzing.corpus import CORPUS, name_of
from tests.pictures import drawn_picture, encoded
from tests.unit.catalog.feeds import MUG, yml
from tests.unit.catalog.feeds import encoded as encoded_feed

_SIZE_PX = (12, 9)
_ORIENTATION = 0x0112


def pictures() -> Iterator[bytes]:
    """Small pictures of every format that is read, in the modes that it has."""
    picture = drawn_picture(1, size=_SIZE_PX)
    other = drawn_picture(2, size=_SIZE_PX)
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    exif.get_ifd(0x8825)[1] = "N"
    for mode in ("RGB", "L", "CMYK"):
        yield encoded(picture.convert(mode), "JPEG", quality=30)
    yield encoded(picture, "JPEG", progressive=True, exif=exif, quality=30)
    for mode in ("RGB", "RGBA", "P", "L", "LA", "1", "I;16"):
        source = picture.convert("I") if mode == "I;16" else picture
        yield encoded(source.convert(mode), "PNG")
    yield encoded(picture, "PNG", save_all=True, append_images=[other], exif=exif)
    yield encoded(picture.convert("P"), "PNG", transparency=0)
    for mode in ("RGB", "RGBA"):
        yield encoded(picture.convert(mode), "WEBP")
        yield encoded(picture.convert(mode), "WEBP", lossless=True, exif=exif)
    yield encoded(picture, "WEBP", save_all=True, append_images=[other])
    yield encoded(picture, "GIF")
    yield encoded(picture, "GIF", save_all=True, append_images=[other], transparency=0)
    for mode in ("RGB", "L", "P", "1"):
        yield encoded(picture.convert(mode), "BMP")
    for compression in ("raw", "tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        yield encoded(picture, "TIFF", compression=compression)
    for mode in ("L", "CMYK", "1", "F", "RGBA"):
        yield encoded(picture.convert(mode), "TIFF")
    yield encoded(picture, "AVIF", quality=20)
    out = io.BytesIO()
    try:
        import pillow_heif
    except ImportError:
        return
    pillow_heif.from_pillow(picture).save(out, quality=20)
    yield out.getvalue()


def feeds() -> Iterator[bytes]:
    """A feed of two products in every format but Parquet, plain and packed, and what feeds were known to hide."""
    rows = [{**MUG, "id": f"m{number}", "price": "12.90 EUR"} for number in range(2)]
    for feed_format in FeedFormat:
        if feed_format is not FeedFormat.PARQUET:
            content = encoded_feed(feed_format, rows)
            yield content
            yield gzip.compress(content, mtime=0)
    yield encoded_feed(FeedFormat.CSV, rows).decode().encode("utf-16")
    yield "id;title;image_link\n1;Кружка;a.jpg\n".encode("windows-1251")
    yield yml('<offer id="1"><name>Red&nbsp;mug</name><picture>a.jpg</picture></offer>').encode()
    yield b'<!DOCTYPE rss [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><rss><channel><item>&c;</item></channel></rss>'
    yield b'<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss>&x;</rss>'
    yield b'<?xml version="1.0" encoding="windows-1251"?><rss><channel></channel></rss>'
    yield b'{"id": "1", "title": "\\ud800", "image_link": "../../etc/passwd", "price": 1e999}\n[1]\nnull\n{"id": {}}\n'


def main() -> None:
    """Adds what is missing."""
    for target, seeds in (("pictures", pictures()), ("feeds", feeds())):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for data in seeds:
            (folder / name_of(data)).write_bytes(data)


if __name__ == "__main__":
    main()
