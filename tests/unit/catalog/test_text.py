"""Plain text out of markup, in linear time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalog.problems import FieldProblem
from indexer.catalog.text import plain_text, refuse_controls_and_breaks, without_controls


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Mug  ", "Mug"),
        ("a  b\tc\nd\r\ne\u00a0f\u2003g\x0bh", "a b c d e f g h"),
        ("Caf&eacute; &amp; Bar", "Café & Bar"),
        ("&#1050;&#x440;ужка", "Кружка"),
        ("AT&T &copy &unknown;", "AT&T &copy &unknown;"),
        ("<p>One</p><p>Two<br/>three</p>", "One Two three"),
        ("<b>H</b>ello <I class='x'>w</I>orld", "Hello world"),
        ("<ul><li>a</li><li>b</li></ul>", "a b"),
        ("&lt;p&gt;twice escaped&lt;/p&gt;", "twice escaped"),
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
        ("I <3 mugs", "I <3 mugs"),
        ("a<!-- comment <b> -->b", "a b"),
        ("a<script>if (1 < 2) alert('x')</script>b", "a b"),
        ("a<STYLE type='text/css'>p { color: red }</STYLE >b", "a b"),
        ("a<!-- never closed", "a"),
        ("<![CDATA[<p>kept</p>]]>", "kept"),
        ("İ<script>x</script>İ", "İ İ"),
        ("emoji \U0001f468\u200d\U0001f373 stays", "emoji \U0001f468\u200d\U0001f373 stays"),
        ("", ""),
        ("<p> </p>", ""),
    ],
)
def test_gives_one_line_of_plain_text(text: str, plain: str) -> None:
    assert plain_text(text) == plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\x00b", r"U\+0000"),
        ("a\x1bb", r"U\+001B"),
        ("a\x7f", r"U\+007F"),
        ("it\x92s", r"U\+0092"),
        ("a\udce9b", "byte 0xE9"),
        ("a\ud800b", "surrogate"),
        ("<p>a\x01</p>", r"U\+0001"),
    ],
)
def test_refuses_control_characters_and_broken_bytes(text: str, words: str) -> None:
    with pytest.raises(FieldProblem, match=words):
        plain_text(text)


def test_ids_and_addresses_may_hold_no_line_breaks_either() -> None:
    for text in ("a\nb", "a\tb", "a\x85b", "a\u2028b"):
        with pytest.raises(FieldProblem):
            refuse_controls_and_breaks(text)
    assert without_controls("a\x00b\nc") == "a\ufffdb\ufffdc"


@given(st.text())
def test_result_is_clean_and_stays_the_same_for_plain_words(text: str) -> None:
    try:
        plain = plain_text(text)
    except FieldProblem:
        return
    assert plain == plain.strip()
    assert "  " not in plain
    assert "\n" not in plain


@pytest.mark.parametrize(
    "hostile",
    ["<!--", "<script>", "<style ", "<b ", "<p", "&", "&#", "&amp", " ", "<![CDATA[", "</script ", "< ", "<!-"],
)
@pytest.mark.timeout(60)
def test_takes_linear_time(hostile: str) -> None:
    # Quadratic time would take hours for a text half as long as the largest row may be.
    plain_text(hostile * (2 * 1024 * 1024 // len(hostile)))
