"""Which picture formats are read, told by their first bytes and never by a name."""

from __future__ import annotations

from functools import cache

from PIL import Image

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})

_READABLE = "JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP"


def sniff_format(data: bytes) -> str | None:
    """Pillow's name of the format that the first bytes announce; None if it is none of those that are read.

    Signatures: JPEG (ITU T.81 SOI + marker), PNG (ISO 15948), GIF (87a, 89a), WebP (RIFF container), BMP, TIFF 6.0 and
    BigTIFF in both byte orders, AVIF and HEIF (ISO 14496-12 ``ftyp`` major or compatible brand).
    """
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _sniff_ftyp(data)
    return None


_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)


def _sniff_ftyp(data: bytes) -> str | None:
    box_bytes = int.from_bytes(data[:4], "big")
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, min(box_bytes, len(data), 128), 4)}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & _HEIF_BRANDS else None


@cache
def heif_available() -> bool:
    """Whether HEIC pictures can be read; registers pillow-heif's opener with Pillow on the first call."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def readable_formats() -> str:
    """The formats that are read, as a message names them; HEIC is one of them where pillow-heif is installed."""
    return f"{_READABLE}, HEIC" if heif_available() else _READABLE


@cache
def initialise_pillow() -> None:
    """Loads Pillow's plugins once, so that the first picture is no slower than the others."""
    Image.init()
