"""An XML parser that is safe to feed with what strangers wrote.

The standard library's expat, set up so that nothing outside the file is ever opened and nothing inside it grows: a
document type declaration is refused, and with it every entity declaration (XXE, billion laughs) and every external DTD.
One exception: ``<!DOCTYPE yml_catalog SYSTEM "shops.dtd">``, the header Yandex Market asked for until 2019 and most YML
feeds still have. It is accepted and its DTD is not looked for.

Names of HTML entities (``&nbsp;``), which that DTD declared, stand for what HTML says; others that are not declared are
damage.
"""

from __future__ import annotations

import html.entities
import re
from pathlib import Path
from typing import Final, NoReturn
from xml.parsers import expat

from indexer.errors import FeedError, FeedUnreadable, FeedUnsafe

MAX_DEPTH: Final = 64
_YML_DTD: Final = re.compile(r"(?:https?://[A-Za-z0-9./-]*/)?shops\.dtd", re.IGNORECASE)
_BUFFER_CHARS: Final = 64 * 1024
_TEXT_REMEDY: Final = "Write & as &amp; and < as &lt; in texts, and name the file's real encoding in its first line."


def new_parser(path: Path) -> expat.XMLParserType:
    """A parser for one document, its document type and entity handlers set; the caller sets those for elements.

    Args:
        path: the feed, for messages.

    Raises:
        FeedUnsafe, FeedUnreadable: from ``Parse``, which raises ``ExpatError`` as well: hand that to ``damage``.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = _BUFFER_CHARS
    # With the DTD of a document taken to exist elsewhere, an undeclared entity is not damage but "skipped", and so gets
    # to the handler below. Nothing is loaded: no handler for external entities is set, and they are never asked for.
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.UseForeignDTD(True)

    def doctype(name: str, system_id: str | None, public_id: str | None, has_internal_subset: int) -> None:
        if has_internal_subset:
            raise _unsafe(path, parser, "declares its own document type")
        if system_id is None and public_id is None:
            return
        if name == "yml_catalog" and public_id is None and _YML_DTD.fullmatch(system_id or ""):
            return
        raise _unsafe(path, parser, "names an external document type definition")

    def entity(*_: object) -> NoReturn:
        raise _unsafe(path, parser, "declares an entity")

    def skipped(name: str, is_parameter_entity: int) -> None:
        character = html.entities.html5.get(f"{name};")
        if is_parameter_entity or character is None:
            raise FeedUnreadable(f"{path} is damaged XML at {_place(parser)}: undefined entity &{name};.", _TEXT_REMEDY)
        if parser.CharacterDataHandler is not None:
            parser.CharacterDataHandler(character)

    def declaration(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and not _is_readable(encoding):
            raise FeedUnreadable(
                f"{path} says it is encoded in {encoding[:40]!r}, which is not read.",
                "Save it as UTF-8.",
            )

    parser.StartDoctypeDeclHandler = doctype
    parser.EntityDeclHandler = entity
    parser.UnparsedEntityDeclHandler = entity
    parser.SkippedEntityHandler = skipped
    parser.XmlDeclHandler = declaration
    return parser


def damage(path: Path, error: expat.ExpatError) -> FeedError:
    """The one sentence for XML that is not well-formed."""
    what = expat.ErrorString(error.code) or "unknown error"
    place = f"line {error.lineno}, column {error.offset + 1}"
    if what in ("no element found", "unclosed token", "unclosed CDATA section"):
        return FeedUnreadable(f"{path} breaks off at {place}: {what}.", "Fetch or write the file again.")
    return FeedUnreadable(f"{path} is damaged XML at {place}: {what}.", _TEXT_REMEDY)


def too_deep(path: Path, parser: expat.XMLParserType) -> FeedError:
    """The error for elements nested deeper than ``MAX_DEPTH``."""
    return _unsafe(path, parser, f"nests elements deeper than {MAX_DEPTH}")


def _unsafe(path: Path, parser: expat.XMLParserType, what: str) -> FeedError:
    return FeedUnsafe(f"{path} {what} at {_place(parser)}, which is refused.", "Write the feed without it.")


def _place(parser: expat.XMLParserType) -> str:
    return f"line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}"


def _is_readable(encoding: str) -> bool:
    """Whether expat reads an encoding itself, or Python can map each of its bytes to one character for it."""
    if encoding.lower() in ("utf-8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "iso-8859-1"):
        return True
    try:
        return len(bytes(range(256)).decode(encoding, "replace")) == 256
    except (LookupError, ValueError):
        return False
