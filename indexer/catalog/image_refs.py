"""Image references: an http(s) URL, or a path relative to the feed's folder that does not lead out of it.

Only the text is judged here. Whether a path is a symbolic link that leads out, and whether a host may be fetched from,
is decided where the image is opened.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from typing import Final

from indexer.catalog.problems import FieldProblem
from indexer.catalog.text import refuse_controls_and_breaks

MAX_REF_CHARS: Final = 4096
MAX_IMAGES: Final = 64
"""Images of one product that are taken; Google allows 11, Yandex 30."""

# What nearly every reference of a real feed looks like: the quick way past the rules below, which are for the others.
_PLAIN_URL: Final = re.compile(r"https?://[A-Za-z0-9.-]{1,253}/[!-\[\]-~]{0,2000}")
_HTTP: Final = re.compile(r"https?://[^/?#\s\\]+(?:[/?#][^\s\\]*)?", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# Where a text holds URLs, it is split only where a URL follows: URLs themselves hold commas and semicolons.
_BEFORE_URL: Final = re.compile(r"[\s,;|](?=[A-Za-z][A-Za-z0-9+.-]{0,15}://)")
_SEPARATOR: Final = re.compile(r"[,;|\n]")


def split_refs(text: str) -> list[str]:
    """References out of one cell of a table: Google separates them by commas, other shops by ``;``, ``|`` or lines."""
    if "://" in text:
        parts = text.split(",")
        if text.count("://") == len(parts) and all(part.startswith("http") for part in parts):
            return parts
        return [part.rstrip(" ,;|") for part in _BEFORE_URL.split(text)]
    return _SEPARATOR.split(text)


def check_ref(ref: str) -> str:
    """The reference in the form it is kept: stripped; a space in a URL as %20; a path without ``.`` and ``..`` steps.

    Raises:
        FieldProblem: empty, too long, control characters, a backslash, an absolute path, a path that leaves the feed's
            folder, or a scheme other than http and https.
    """
    ref = ref.strip()
    if not ref.isprintable():
        refuse_controls_and_breaks(ref)
    if len(ref) > MAX_REF_CHARS:
        raise FieldProblem(f"is longer than {MAX_REF_CHARS} characters")
    if ref[:4].lower() == "http" and _HTTP.fullmatch(url := ref.replace(" ", "%20")) is not None:
        return url
    shown = repr(ref[:80])
    if "\\" in ref:
        raise FieldProblem(f"{shown} holds a backslash; separate folders by /")
    if _SCHEME.match(ref) is not None:
        raise FieldProblem(f"{shown} is neither an http(s) URL nor a path relative to the feed")
    if ref.startswith("/"):
        raise FieldProblem(f"{shown} is an absolute path; only paths relative to the feed's folder are read")
    path = posixpath.normpath(ref)
    if path == ".." or path.startswith("../"):
        raise FieldProblem(f"{shown} leads out of the feed's folder")
    if path == "." or ref.endswith("/"):
        raise FieldProblem(f"{shown} names no file")
    if path != path.strip():  # "x/../ .." would lead out once somebody strips it again
        raise FieldProblem(f"{shown} begins with a space")
    return path


def check_all(main: str, more: Sequence[str], left_out: list[str]) -> tuple[str, ...]:
    """All references of a product, the main one first, each once.

    An additional reference that is bad costs that image, not the product.

    Args:
        main: the main reference; empty if the first additional one takes its place.
        more: the additional references; empty ones are passed over.
        left_out: gets a sentence for each additional reference that cannot be used.

    Raises:
        FieldProblem: there is none, or the main one is bad.
    """
    if len(more) < MAX_IMAGES and _PLAIN_URL.fullmatch(main) and all(map(_PLAIN_URL.fullmatch, more)):
        return tuple(dict.fromkeys([main, *more]))  # what nearly every product comes to
    others = [ref for ref in more if ref and not ref.isspace()]
    if not main or main.isspace():
        if not others:
            raise FieldProblem("is missing: a product needs at least one picture")
        main = others.pop(0)
    if len(others) >= MAX_IMAGES:
        left_out.append(f"additional_image_link: only the first {MAX_IMAGES} of {len(others) + 1} images are taken")
        del others[MAX_IMAGES - 1 :]
    refs = dict.fromkeys([check_ref(main)])
    for ref in others:
        try:
            refs[check_ref(ref)] = None
        except FieldProblem as problem:
            left_out.append(f"additional_image_link: {problem}; that image is left out")
    return tuple(refs)
