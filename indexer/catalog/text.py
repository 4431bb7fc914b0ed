"""Plain text out of what feeds write: entities, tags and odd white space gone, control characters refused."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

from indexer.catalog.problems import FieldProblem

# White space that str.split() knows (\t \n \v \f \r, \x1c-\x1f, \x85) is folded, all other controls are refused, and so
# are lone surrogates: they stand for bytes that could not be decoded, or for half a character in a JSON escape.
_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_CONTROL_OR_SPACE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# An inline tag joins what stands around it, any other separates it. [^<>] keeps both linear in the text's length.
_INLINE_TAG: Final = re.compile(
    r"</?(?i:a|abbr|b|big|cite|code|del|em|font|i|ins|label|mark|q|s|small|span|strike|strong|sub|sup|tt|u|wbr)"
    r"(?:\s[^<>]*)?/?>"
)
_TAG: Final = re.compile(r"<[/A-Za-z!?][^<>]*>")
_SECTION: Final = re.compile(r"<(?:!--|(?i:script|style)\b)")
_SECTION_ENDS: Final = {
    "<!--": re.compile("-->"),
    "<script": re.compile(r"</(?i:script)\s*>"),
    "<style": re.compile(r"</(?i:style)\s*>"),
}


def plain_text(text: str) -> str:
    """One line of plain text.

    Tags are dropped, comments, scripts and style sheets with their content; entities with a semicolon become
    characters; white space of any kind becomes single spaces. Markup that was escaped once more than it should be
    ("&lt;p&gt;") is found and dropped as well. A "<" that begins no tag stays.

    Raises:
        FieldProblem: a control character that is no white space, or bytes that were not in the file's encoding.
    """
    if "<" not in text and "&" not in text:
        # isprintable() is False for every control character and every space but " ": the one test most texts need.
        if text.isprintable() and "  " not in text:
            return text.strip(" ")
    else:
        text = _unescape(_without_tags(text))
        if "<" in text:
            text = _without_tags(text)
    if not text.isprintable():
        refuse_controls(text)
    return " ".join(text.split())


def are_plain(texts: Iterable[str]) -> bool:
    """Whether ``plain_text`` would give back each of these texts as it is and none is empty; quick, may say no wrongly.

    Raises:
        TypeError: one of them is no text.
    """
    joined = f"|{'|'.join(texts)}|"
    if "<" in joined or "&" in joined or " |" in joined or "| " in joined or "||" in joined or "  " in joined:
        return False
    return joined.isprintable()


def refuse_controls(text: str) -> None:
    """Raise ``FieldProblem`` if a character of ``text`` is a control character other than white space."""
    found = _CONTROL.search(text)
    if found is not None:
        raise FieldProblem(_named(found[0]))


def refuse_controls_and_breaks(text: str) -> None:
    """Raise ``FieldProblem`` for any control character, line breaks and tabs included: for ids and addresses."""
    found = _CONTROL_OR_SPACE.search(text)
    if found is not None:
        raise FieldProblem(_named(found[0]))


def without_controls(text: str) -> str:
    """``text`` with every control character replaced: for names of columns and for messages."""
    return text if text.isprintable() else _CONTROL_OR_SPACE.sub("\N{REPLACEMENT CHARACTER}", text)


def _named(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"holds the byte 0x{ord(character) - 0xDC00:02X}, which is not valid in the file's encoding"
    if "\ud800" <= character <= "\udfff":
        return f"holds half of a surrogate pair (U+{ord(character):04X})"
    return f"holds the control character U+{ord(character):04X}"


def _unescape(text: str) -> str:
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text


def _without_tags(text: str) -> str:
    if "<![CDATA[" in text:  # left over where XML was pasted into another format
        text = text.replace("<![CDATA[", "").replace("]]>", "")
    if "<" not in text:
        return text
    if _SECTION.search(text) is not None:
        text = _without_sections(text)
    return _TAG.sub(" ", _INLINE_TAG.sub("", text))


def _without_sections(text: str) -> str:
    """Cut comments, scripts and style sheets with their content; in time linear in the text, unlike ``.*?``."""
    kept = []
    end = 0
    while (start := _SECTION.search(text, end)) is not None:
        stop = _SECTION_ENDS[start[0].lower()].search(text, start.end())
        kept.append(text[end : start.start()])
        if stop is None:  # HTML takes the rest as the comment's or script's content as well
            break
        end = stop.end()
    else:
        kept.append(text[end:])
    return " ".join(kept)
