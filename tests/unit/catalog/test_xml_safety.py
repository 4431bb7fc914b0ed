"""XML by strangers: nothing outside is loaded, nothing inside grows, damage is named by line and column."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from indexer.catalog import FeedFormat, open_feed
from indexer.catalog.rows import MAX_ROW_CHARS
from indexer.catalog.xml_parser import MAX_DEPTH
from indexer.errors import FeedError, FeedUnreadable, FeedUnsafe
from indexer.products import CatalogProduct, RowError
from tests.unit.catalog.feeds import google_item, google_xml, read_bytes, write, yml

MUG = "<item><g:id>{}</g:id><g:title>Mug</g:title><g:image_link>a.jpg</g:image_link>{}</item>\n"
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE rss [<!ENTITY l0 "lol">{LAUGHS}]>',
        '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE rss [<!ENTITY % x SYSTEM "http://evil.example/x.dtd"> %x;]>',
        '<!DOCTYPE rss [<!ENTITY x "harmless">]>',
        '<!DOCTYPE rss [<!ATTLIST item bad CDATA "x">]>',
        '<!DOCTYPE rss SYSTEM "http://evil.example/rss.dtd">',
        '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">',
        '<!DOCTYPE rss SYSTEM "shops.dtd">',
        '<!DOCTYPE yml_catalog SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE yml_catalog SYSTEM "shops.dtd" [<!ENTITY x "y">]>',
        '<!DOCTYPE yml_catalog PUBLIC "x" "shops.dtd">',
    ],
)
@pytest.mark.parametrize("root", ["rss", "yml_catalog"])
def test_document_types_and_entities_are_refused(tmp_path: Path, doctype: str, root: str) -> None:
    path = write(tmp_path, f"<?xml version='1.0'?>\n{doctype}<{root}><channel>&l9;&x;</channel></{root}>")
    with pytest.raises(FeedUnsafe, match="line 2"):
        open_feed(path)
    forced = FeedFormat.GOOGLE_XML if root == "rss" else FeedFormat.YML
    with pytest.raises(FeedUnsafe):
        list(open_feed(path, format=forced))


@pytest.mark.parametrize("system_id", ["shops.dtd", "http://partner.market.yandex.ru/pages/help/shops.dtd"])
def test_the_old_yml_header_is_accepted_and_its_dtd_is_not_looked_for(tmp_path: Path, system_id: str) -> None:
    (tmp_path / "shops.dtd").write_text('<!ENTITY nbsp "from the DTD">')
    offer = '<offer id="1"><name>Red&nbsp;mug</name><picture>a.jpg</picture></offer>'
    content = yml(offer).replace('"shops.dtd"', f'"{system_id}"')
    (product,) = read_bytes(tmp_path, content)
    assert isinstance(product, CatalogProduct)
    assert product.title == "Red mug"


def test_nothing_is_fetched(tmp_path: Path) -> None:
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}/shops.dtd"
            for content in (
                yml("").replace('"shops.dtd"', f'"{address}"'),
                f'<!DOCTYPE rss SYSTEM "{address}"><rss/>',
                f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{address}">]><rss>&x;</rss>',
                f'<rss xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{address}"/></rss>',
            ):
                try:
                    read_bytes(tmp_path, content)
                except FeedError:
                    continue
        finally:
            server.shutdown()
            thread.join()
    assert asked == []


def test_damage_is_named_by_line_and_column_and_rows_before_it_are_kept(tmp_path: Path) -> None:
    content = google_xml(MUG.format("m1", "") + MUG.format("m2", "<g:brand>A & B</g:brand>") + MUG.format("m3", ""))
    feed = iter(open_feed(write(tmp_path, content)))
    assert isinstance(first := next(feed), CatalogProduct)
    assert first.product_id == "m1"
    with pytest.raises(FeedUnreadable, match=r"damaged XML at line 5, column \d+: not well-formed") as caught:
        next(feed)
    assert "&amp;" in caught.value.remedy


def test_feed_that_breaks_off_yields_its_whole_rows_first(tmp_path: Path) -> None:
    content = google_xml(MUG.format("m1", "") + MUG.format("m2", ""))
    feed = iter(open_feed(write(tmp_path, content[: content.index("m2") + 8])))
    assert isinstance(next(feed), CatalogProduct)
    with pytest.raises(FeedUnreadable, match=r"breaks off at line 5, column"):
        next(feed)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (google_item("<g:brand>&unheard_of;</g:brand>"), "undefined entity"),
        ("<rss><channel></rss>", "mismatched tag"),
        ("<rss></rss><rss></rss>", "junk after document element"),
        ("<?xml version='1.0' encoding='gb2312'?><rss/>", "'gb2312', which is not read"),
        ("<?xml version='1.0' encoding='no-such'?><rss/>", "'no-such', which is not read"),
        ("<?xml version='1.0' encoding='hex'?><rss/>", "'hex', which is not read"),
    ],
)
def test_damaged_xml_is_unreadable(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(FeedUnreadable, match=words):
        read_bytes(tmp_path, content)


def test_bytes_that_are_not_in_the_declared_encoding_are_damage(tmp_path: Path) -> None:
    with pytest.raises(FeedUnreadable, match="line 4, column 7") as caught:
        read_bytes(tmp_path, google_xml("<item>Кружка</item>").encode("windows-1251"))
    assert "encoding" in caught.value.remedy


def test_another_root_than_the_format_given_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(FeedUnreadable, match="root element <yml_catalog>, not <feed> or <rss>"):
        list(open_feed(write(tmp_path, yml("")), format=FeedFormat.GOOGLE_XML))


@pytest.mark.parametrize("where", ["<a>{}</a>", "<channel><item>{}</item></channel>"])
def test_deep_nesting_is_refused(tmp_path: Path, where: str) -> None:
    with pytest.raises(FeedUnsafe, match=f"deeper than {MAX_DEPTH}"):
        read_bytes(tmp_path, f"<rss>{where.format('<a>' * 100_000)}")
    fine = "<x>" * (MAX_DEPTH - 10) + "</x>" * (MAX_DEPTH - 10)
    assert len(read_bytes(tmp_path, google_item(f"<g:y>{fine}</g:y>"))) == 1


def test_row_larger_than_the_limit_is_an_error_and_the_next_one_is_read(tmp_path: Path) -> None:
    giant = "<g:size>x</g:size>" * (MAX_ROW_CHARS // 18 + 10_000)
    nested = f"<g:a>{'<g:b>y</g:b>' * (MAX_ROW_CHARS // 12 + 10_000)}</g:a>"
    text = f"<g:description>{'word ' * (MAX_ROW_CHARS // 5 + 20_000)}</g:description>"
    for large in (giant, nested, text):
        content = google_xml(MUG.format("m1", "") + MUG.format("big", large) + MUG.format("m3", ""))
        first, error, last = read_bytes(tmp_path, content)
        assert isinstance(first, CatalogProduct)
        assert error == RowError(5, "big", "the row is larger than 4 MiB.")
        assert isinstance(last, CatalogProduct)
        assert (last.product_id, last.line) == ("m3", 6)


def test_deep_nesting_in_a_row_that_is_skipped_is_refused_too(tmp_path: Path) -> None:
    large = f"<g:x>{'y' * (MAX_ROW_CHARS + 200_000)}</g:x>{'<a>' * 100_000}"
    with pytest.raises(FeedUnsafe, match="deeper"):
        read_bytes(tmp_path, google_xml(MUG.format("m1", large)))


@pytest.mark.parametrize("opening", ['<item x="', "<!-- ", "<?pi ", "<"])
def test_giant_tags_and_comments_are_refused(tmp_path: Path, opening: str) -> None:
    content = f"<rss><channel>{opening}{'x' * (2 * MAX_ROW_CHARS)}"
    with pytest.raises(FeedError, match=r"tag or comment that is larger than 4 MiB|different names"):
        read_bytes(tmp_path, content)


def test_names_by_the_thousand_are_refused(tmp_path: Path) -> None:
    names = "".join(f"<n{number}/>" for number in range(20_000))
    with pytest.raises(FeedUnsafe, match="different names"):
        read_bytes(tmp_path, google_xml(names))


def test_giant_text_outside_of_rows_is_passed_over(tmp_path: Path) -> None:
    content = google_xml(f"<junk>{'x' * (3 * MAX_ROW_CHARS)}</junk>{MUG.format('m1', '')}")
    assert len(read_bytes(tmp_path, content)) == 1
