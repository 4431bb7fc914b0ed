"""The web page as a shopper uses it: in a real browser, against a real API process."""

from __future__ import annotations

import base64
import io
import json
import re
import urllib.parse
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

import search_api
from indexer.catalog.currencies import DECIMALS
from tests.e2e.browsing import (
    HOSTILE_ID,
    HOSTILE_LINK,
    PRODUCTS,
    PageOpener,
    Watch,
    asked_queries,
    choose_photo,
    product_ids,
    watch_queries,
)
from tests.pictures import DrawnCatalog, drawn_picture, encoded
from tests.processes import RunningApi

_PAGE_SIZE = 24
_SEARCH = re.compile(r"/v1/search$")
_STATUS = re.compile(rf"^{_PAGE_SIZE}( of \d+)? products · [\d,]+ ms$")
_NO_HITS = {
    "hits": [],
    "nothing_close": False,
    "facets": {},
    "facets_over": None,
    "cursor": None,
    "total": 0,
    "regions": [],
    "notes": [],
    "timings_ms": {"embed": 1, "search": 1, "facets": 0, "total": 2},
}
_EXIF_ORIENTATION = 0x0112


def _search_text(page: Page, text: str) -> None:
    page.locator("#words").fill(text)
    page.keyboard.press("Enter")
    expect(page.locator("#heading")).to_have_text(f"“{text}”")
    expect(page.locator("#grid[aria-busy=false] .card").first).to_be_visible()


def _file_in_page(page: Page, file: Path, media_type: str) -> None:
    """Puts a file into ``window.givenFile``."""
    page.evaluate(
        """([base64, name, type]) => {
            const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
            window.givenFile = new File([bytes], name, { type });
        }""",
        [base64.b64encode(file.read_bytes()).decode(), file.name, media_type],
    )


# ---- ways to search


def test_chosen_photo_finds_its_product_first(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page()
    expect(page.get_by_role("heading", name="Find it by photo")).to_be_visible()
    choose_photo(page, shop.picture(7))
    expect(page.locator("#status")).to_have_text(_STATUS)
    assert product_ids(page)[0] == "p7"
    expect(page.locator("#chip img")).to_be_visible()
    first = page.locator("#grid .card").first
    expect(first).to_have_accessible_name(re.compile("^Product 7, Bolt, €8.50"))
    page.get_by_role("button", name="Remove the photo").click()
    expect(page.get_by_role("heading", name="Find it by photo")).to_be_visible()
    expect(page.locator("#chip")).to_be_hidden()
    expect(page.locator("#words")).to_be_focused()


def test_query_photo_can_be_swapped(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page()
    choose_photo(page, shop.picture(7))
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p7")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Change the photo").click()
    chooser.value.set_files(shop.picture(8))
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p8")


def test_text_finds_products(open_page: PageOpener) -> None:
    page = open_page()
    _search_text(page, "red mug")
    assert len(product_ids(page)) == _PAGE_SIZE
    assert page.url.endswith("/?q=red+mug")
    expect(page).to_have_title("red mug · Vitrine")
    expect(page.locator("#chip")).to_be_hidden()


def test_pasted_photo(open_page: PageOpener, shop: DrawnCatalog, api: RunningApi) -> None:
    page = open_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=api.url)
    png = shop.folder / "pasted.png"
    Image.open(shop.picture(11)).save(png)
    _file_in_page(page, png, "image/png")
    page.evaluate("navigator.clipboard.write([new ClipboardItem({ 'image/png': window.givenFile })])")
    page.keyboard.press("ControlOrMeta+v")
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p11")


def test_paste_event_with_a_file(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page()
    _file_in_page(page, shop.picture(12), "image/jpeg")
    page.evaluate("""() => {
        const clipboardData = new DataTransfer();
        clipboardData.items.add(window.givenFile);
        const options = { clipboardData, bubbles: true, cancelable: true };
        document.getElementById("words").dispatchEvent(new ClipboardEvent("paste", options));
    }""")
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p12")


def test_dropped_photo(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page()
    _file_in_page(page, shop.picture(13), "image/jpeg")
    page.evaluate("""() => {
        window.drag = (kind) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(window.givenFile);
            document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
        };
        window.hovering = setInterval(() => window.drag("dragover"), 50);
    }""")
    overlay = page.get_by_text("Drop the photo to search")
    expect(overlay).to_be_visible()
    page.evaluate("clearInterval(window.hovering)")  # the drag went elsewhere
    expect(overlay).to_be_hidden()
    page.evaluate("window.drag('dragenter'); window.drag('drop')")
    expect(overlay).to_be_hidden()
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p13")


def test_large_photo_is_made_smaller_and_upright(open_page: PageOpener, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[_EXIF_ORIENTATION] = 6  # lies on its side
    file = tmp_path / "large.jpg"
    file.write_bytes(encoded(drawn_picture(5, size=(4000, 3000)), exif=exif))
    page = open_page()
    sent = _sent_photo(page, file)
    picture = Image.open(io.BytesIO(sent))
    assert (picture.format, picture.size) == ("JPEG", (1200, 1600))
    assert picture.getexif().get(_EXIF_ORIENTATION, 1) == 1


def test_photo_that_the_browser_cannot_draw_is_sent_as_it_is(
    open_page: PageOpener, shop: DrawnCatalog, tmp_path: Path
) -> None:
    file = tmp_path / "scan.tiff"
    Image.open(shop.picture(14)).save(file)
    page = open_page()
    assert _sent_photo(page, file) == file.read_bytes()
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p14")


def _sent_photo(page: Page, file: Path) -> bytes:
    """What the page uploads for a chosen file; the browser does not show files in intercepted requests."""
    page.evaluate("""() => {
        const append = FormData.prototype.append;
        FormData.prototype.append = function (name, file, ...rest) {
            if (file instanceof Blob) window.sentFile = file;
            return append.call(this, name, file, ...rest);
        };
    }""")
    choose_photo(page, file)
    expect(page.locator("#grid .card").first).to_be_visible()
    sent: list[int] = page.evaluate("window.sentFile.arrayBuffer().then((data) => [...new Uint8Array(data)])")
    return bytes(sent)


# ---- products


def test_details_similar_and_search_with_this(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page()
    choose_photo(page, shop.picture(3, 1))
    page.locator("#grid .card").first.click()
    dialog = page.get_by_role("dialog", name="Product 3")
    expect(dialog).to_be_visible()
    assert page.url.endswith("/?product=p3")
    expect(dialog.get_by_text("€4.50", exact=True)).to_be_visible()
    expect(dialog.get_by_text("Out of stock")).to_be_visible()
    expect(dialog.get_by_text("Home › Things")).to_be_visible()
    # the picture that was found is the one shown first
    second = dialog.get_by_role("button", name="Picture 2 of 2")
    expect(second).to_have_attribute("aria-pressed", "true")
    dialog.get_by_role("button", name="Picture 1 of 2").click()
    expect(second).to_have_attribute("aria-pressed", "false")
    expect(dialog.locator(".gallery-main img").last).to_have_js_property("naturalWidth", 96)
    similar = dialog.locator(".grid .card")
    expect(similar).to_have_count(12)
    ids = [card.get_attribute("data-product") for card in similar.all()]
    assert "p3" not in ids

    similar.first.click()
    expect(dialog.get_by_role("heading", level=2)).not_to_have_text("Product 3")
    assert page.url.endswith(f"/?product={ids[0]}")
    title = dialog.get_by_role("heading", level=2).inner_text()
    dialog = page.get_by_role("dialog", name=title)
    dialog.get_by_role("link", name="Search with this").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Products like “{title}”")
    assert page.url.endswith(f"/?similar={ids[0]}")
    expect(page.locator("#grid .card")).to_have_count(_PAGE_SIZE)
    assert ids[0] not in product_ids(page)


@pytest.mark.parametrize("by", ["keyboard", "mouse"])
def test_what_is_pressed_in_the_details_holds_though_more_comes(open_page: PageOpener, by: str) -> None:
    page = open_page("/?similar=p1")  # whose picture it has
    expect(page.locator("#grid[aria-busy=false] .card").first).to_be_visible()
    held: list[Route] = []
    page.route("**/v1/products/plain", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks the function
    page.locator("#grid .card[data-product=plain]").click()
    dialog = page.get_by_role("dialog")
    link = dialog.get_by_role("link", name="Search with this")
    if by == "mouse":
        link.hover()
        page.mouse.down()
    else:
        link.focus()
    with page.expect_response("**/v1/products/plain"):
        held[0].continue_()
    page.wait_for_timeout(100)
    if by == "mouse":
        page.mouse.up()
    else:
        expect(dialog.get_by_text("A thing for daily use.")).to_be_visible()
        page.keyboard.press("Enter")
    page.wait_for_url("**/?similar=plain")


def test_product_address_opens_its_details(open_page: PageOpener) -> None:
    page = open_page("/?product=plain")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("A thing for daily use.")).to_be_visible()
    expect(dialog.get_by_role("term")).to_have_text(["color"])
    shop_link = dialog.get_by_role("link", name="View in the shop")
    expect(shop_link).to_have_attribute("href", "https://shop.example/plain")
    expect(shop_link).to_have_attribute("rel", "noopener noreferrer")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    assert page.url.endswith("/")


def test_unknown_product_says_so(open_page: PageOpener, watch: Watch) -> None:
    watch.expected_failures = {"404"}
    page = open_page("/?q=mug&product=nothing")
    expect(page.get_by_role("dialog")).to_contain_text("This product is no longer here")
    expect(page.get_by_role("dialog")).to_contain_text("'nothing'")
    page.keyboard.press("Escape")
    expect(page.locator("#grid .card")).to_have_count(_PAGE_SIZE)


def test_markup_in_a_feed_is_shown_as_text(open_page: PageOpener) -> None:
    title = "<img src=x onerror=\"document.title='hacked'\">"
    script = "<script>document.title='hacked'</script>"
    texts = {"title": title, "brand": title, "category": [script], "description": script, "attributes": {title: script}}

    def with_markup(route: Route) -> None:
        """The index takes most markup out of a feed; the page must not rely on it."""
        answer = route.fetch()
        found = answer.json()
        for product in found.get("hits", [found]):
            product |= {name: text for name, text in texts.items() if name in product}
        route.fulfill(response=answer, json=found)

    page = open_page(go=False)
    page.route(re.compile(r"/v1/(search|products/[^/]*(/similar.*)?)$"), with_markup)
    page.goto("/?" + urllib.parse.urlencode({"q": title, "product": HOSTILE_ID}))
    expect(page.locator("#grid .card-title").first).to_have_text(title)
    expect(page.locator("#heading")).to_have_text(f"“{title}”")
    dialog = page.get_by_role("dialog", name=title)
    expect(dialog.get_by_role("definition")).to_have_text([script])
    expect(dialog.locator(".facts-text")).to_have_text(script)
    expect(dialog.locator(".grid .card").first).to_be_visible()
    expect(dialog.get_by_role("link", name="View in the shop")).to_have_count(0)
    expect(page.locator(f"a[href={json.dumps(HOSTILE_LINK)}], script:not([src])")).to_have_count(0)
    dialog.get_by_role("link", name="Search with this").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Products like “{title}”")
    expect(page).to_have_title("Vitrine: search by photo")
    assert page.evaluate("new URLSearchParams(location.search).get('similar')") == HOSTILE_ID


def test_picture_that_cannot_be_had_leaves_its_place(open_page: PageOpener, watch: Watch) -> None:
    watch.expected_failures = {"404"}
    page = open_page(go=False)
    page.route(re.compile(r"/images/0\?size=thumbnail$"), lambda route: route.fulfill(status=404))
    page.goto("/?q=mug")
    missing = page.locator("#grid .picture.missing").first
    expect(missing).to_be_visible()
    box = missing.bounding_box()
    assert box is not None
    assert box["height"] == pytest.approx(box["width"], abs=1)


# ---- the list


def test_show_more_adds_the_next_products_once(open_page: PageOpener) -> None:
    page = open_page(go=False)
    page.add_init_script("delete window.IntersectionObserver")  # else the list goes on by itself
    page.goto("/")
    _search_text(page, "blue bag")
    first = product_ids(page)
    more = page.get_by_role("button", name="Show more")
    more.click()
    expect(page.locator("#grid .card")).to_have_count(2 * _PAGE_SIZE)
    more.press("Enter")
    expect(page.locator("#grid .card")).to_have_count(PRODUCTS + 2)
    expect(more).to_be_hidden()
    shown = product_ids(page)
    assert shown[:_PAGE_SIZE] == first
    assert len(set(shown)) == len(shown)
    expect(page.locator("#status")).to_have_text(re.compile(rf"^{PRODUCTS + 2} products · [\d,]+ ms$"))
    expect(page.locator("#grid .card").nth(2 * _PAGE_SIZE)).to_be_focused()  # it was pressed on the keyboard


def test_nothing_found(open_page: PageOpener) -> None:
    page = open_page(go=False)
    page.route(_SEARCH, lambda route: route.fulfill(json=_NO_HITS))
    page.goto("/?q=unicorn")
    expect(page.get_by_role("heading", name="No products found")).to_be_visible()
    expect(page.locator("#status")).to_have_text("0 products · 2 ms")


def test_older_answer_never_replaces_a_newer_one(open_page: PageOpener) -> None:
    page = open_page()
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if "slow" in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route(_SEARCH, hold_first)
    page.locator("#words").fill("slow")
    page.keyboard.press("Enter")
    expect(page.locator("#grid .skeleton").first).to_be_visible()
    expect(page.locator("#status")).to_have_text("Searching…")
    _search_text(page, "quick")
    quick = product_ids(page)
    held[0].fulfill(json=_NO_HITS)
    page.wait_for_timeout(200)
    assert product_ids(page) == quick


# ---- address and history


def test_back_and_forward(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page()
    choose_photo(page, shop.picture(21))
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p21")
    page.get_by_role("button", name="Remove the photo").click()
    _search_text(page, "green shoe")
    by_text = product_ids(page)
    page.mouse.wheel(0, 500)
    page.wait_for_function("() => scrollY > 300")
    page.locator("#grid .card").nth(7).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("dialog").locator(".grid .card").first.click()
    page.wait_for_url(re.compile(f"product=(?!{by_text[7]}$)"))

    page.go_back()
    page.wait_for_url(re.compile(f"product={by_text[7]}$"))
    expect(page.get_by_role("dialog")).to_be_visible()
    page.go_forward()
    page.wait_for_url(re.compile(f"product=(?!{by_text[7]}$)"))
    page.keyboard.press("Escape")  # out of both products at once
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.wait_for_url("**/?q=green+shoe")
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", by_text[0])
    assert product_ids(page) == by_text
    scrolled = page.evaluate("scrollY")
    assert scrolled > 300

    page.go_back()
    expect(page.get_by_role("heading", name="Find it by photo")).to_be_visible()
    page.go_back()
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p21")
    expect(page.locator("#chip")).to_be_visible()
    expect(page.locator("#words")).to_have_value("")
    page.go_forward()
    page.go_forward()
    expect(page.locator("#words")).to_have_value("green shoe")
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", by_text[0])
    page.wait_for_function(f"() => Math.abs(scrollY - {scrolled}) < 2")


def test_reload_keeps_what_is_shown(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page()
    choose_photo(page, shop.picture(22))
    page.locator("#grid .card").first.click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Product 22")).to_be_visible()
    page.wait_for_function("() => sessionStorage.getItem('vitrine.photo')")
    page.reload()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Product 22")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p22")
    expect(page.locator("#chip img")).to_be_visible()


# ---- what goes wrong


def test_file_that_is_no_picture(open_page: PageOpener, watch: Watch, tmp_path: Path, shop: DrawnCatalog) -> None:
    watch.expected_failures = {"415"}
    file = tmp_path / "letter.jpg"
    file.write_text("Dear Sir or Madam")
    page = open_page()
    choose_photo(page, file)
    expect(page.get_by_role("alert").get_by_role("heading")).to_have_text("This is not a picture")
    expect(page.get_by_role("alert")).to_contain_text("JPEG, PNG")  # the server's own words
    expect(page.locator("#grid .card")).to_have_count(0)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("alert").get_by_role("button", name="Choose a photo").click()
    chooser.value.set_files(shop.picture(2))
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p2")
    expect(page.get_by_role("alert").get_by_role("heading")).to_have_count(0)


def test_file_of_another_kind_is_not_sent(open_page: PageOpener, tmp_path: Path) -> None:
    file = tmp_path / "list.pdf"
    file.write_bytes(b"%PDF-1.7")
    page = open_page()
    watch_queries(page)
    choose_photo(page, file)
    expect(page.get_by_role("alert")).to_contain_text("“list.pdf” is another kind of file.")
    assert asked_queries(page) == []


def test_file_that_is_too_large(open_page: PageOpener, watch: Watch, tmp_path: Path) -> None:
    watch.expected_failures = {"413"}
    file = tmp_path / "huge.jpg"
    with file.open("wb") as out:
        out.truncate(25_000_000)
    page = open_page()
    choose_photo(page, file)
    expect(page.get_by_role("alert").get_by_role("heading")).to_have_text("This photo is too large")


def test_server_that_hangs_up_on_a_large_file(open_page: PageOpener, watch: Watch, tmp_path: Path) -> None:
    watch.expected_failures = {"ERR_CONNECTION_RESET"}
    file = tmp_path / "huge.jpg"
    with file.open("wb") as out:
        out.truncate(25_000_000)
    page = open_page()
    page.route(_SEARCH, lambda route: route.abort("connectionreset"))
    choose_photo(page, file)
    expect(page.get_by_role("alert").get_by_role("heading")).to_have_text("This photo is too large")
    expect(page.get_by_role("alert")).to_contain_text("“huge.jpg” takes 25 MB")


@pytest.mark.parametrize(
    ("status", "code", "heading"),
    [
        (503, "model_loading", "The search is getting ready"),
        (429, "rate_limited", "Many people are searching right now"),
    ],
)
def test_server_that_cannot_answer_now_is_waited_for(
    open_page: PageOpener, watch: Watch, status: int, code: str, heading: str
) -> None:
    watch.expected_failures = {str(status)}
    page = open_page()
    problem = {"code": code, "detail": "It is not the time for it.", "status": status}
    refusal: dict[str, Any] = {
        "status": status,
        "body": json.dumps(problem),
        "content_type": "application/problem+json",
        "headers": {"Retry-After": "1"},
    }
    asked: list[str] = []

    def refuse_twice(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) <= 2:
            route.fulfill(**refusal)
        else:
            route.continue_()

    page.route(re.compile(r"/v1/search$|/readyz$"), refuse_twice)
    page.locator("#words").fill("mug")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").get_by_role("heading")).to_have_text(heading)
    expect(page.get_by_role("alert")).to_contain_text("It is not the time for it.")
    expect(page.locator("#grid .card")).to_have_count(_PAGE_SIZE)
    expect(page.get_by_role("alert").get_by_role("heading")).to_have_count(0)
    assert [url.rsplit("/", 1)[1] for url in asked][:4] == ["search", "readyz", "readyz", "search"]


def test_without_a_connection_it_waits_for_one(open_page: PageOpener, watch: Watch) -> None:
    watch.expected_failures = {"ERR_INTERNET_DISCONNECTED"}
    page = open_page()
    page.context.set_offline(True)
    page.locator("#words").fill("mug")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").get_by_role("heading")).to_have_text("No connection to the search")
    page.context.set_offline(False)
    expect(page.locator("#grid .card")).to_have_count(_PAGE_SIZE)


# ---- keyboard, phone, colours, languages


def test_keyboard_alone(open_page: PageOpener) -> None:
    page = open_page()
    expect(page.get_by_role("navigation").get_by_role("link", name="What is it?")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the results")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Vitrine, start page")).to_be_focused()
    for name in ("Search", "What is it?"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("navigation").get_by_role("link", name=name)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox", name="Search products")).to_be_focused()
    page.keyboard.type("mug")
    page.keyboard.press("Enter")
    expect(page.locator("#grid .card")).to_have_count(_PAGE_SIZE)
    page.keyboard.press("Tab")
    expect(page.locator(".field").get_by_role("button", name="Choose a photo")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Search", exact=True)).to_be_focused()
    first = page.locator("#grid .card").first
    for _ in range(80):  # past the filters
        page.keyboard.press("Tab")
        if first.evaluate("(node) => node === document.activeElement"):
            break
    expect(first).to_be_focused()
    assert first.evaluate("(node) => getComputedStyle(node).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", level=2)).to_be_focused()
    expect(dialog.locator(".grid .card")).to_have_count(12)
    for _ in range(20):  # past its last link and around
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(first).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#words")).to_be_focused()


def test_narrow_phone(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page(size=(320, 640), phone=True)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    expect(page.get_by_role("button", name="Take a photo").first).to_be_visible()
    expect(page.locator("#file-take")).to_have_attribute("capture", "environment")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take a photo").first.tap()
    chooser.value.set_files(shop.picture(4))
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p4")
    assert page.evaluate(overflow) == 0
    tops = [card.bounding_box() for card in page.locator("#grid .card").all()[:2]]
    assert tops[0] is not None
    assert tops[1] is not None
    assert tops[0]["y"] == tops[1]["y"]  # two columns
    page.locator("#grid .card").first.tap()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".grid .card")).to_have_count(12)
    assert page.evaluate(overflow) == 0
    assert dialog.evaluate("(node) => node.scrollWidth - node.clientWidth") == 0
    assert dialog.bounding_box() == {"x": 0, "y": 0, "width": 320, "height": 640}


def test_long_words_do_not_widen_the_page(open_page: PageOpener) -> None:
    page = open_page(go=False, size=(320, 640), phone=True)
    hit = {
        "product_id": "long",
        "score": 0.5,
        "title": "Donaudampfschifffahrt" * 12,
        "brand": "مصنع" * 40,
        "price_minor": 123_456_789_012,
        "currency": "XXX",
        "link": "",
        "category": ["Rindfleischetikettierung" * 8],
        "image": {"url": "ftp://elsewhere/1.jpg", "position": 0},
    }
    words = "Grundstücksverkehrsgenehmigung" * 6
    facet = {"kind": "values", "values": [{"value": words, "count": 9_000_000, "selected": False}] * 2}
    answer = _NO_HITS | {
        "hits": [hit],
        "facets": {"brand": facet, words: facet},
        "notes": [words],
        "nothing_close": True,
    }
    page.route(_SEARCH, lambda route: route.fulfill(json=answer))
    page.goto(f"/?q={'x' * 300}&not={words}&f.brand={words}")
    expect(page.locator("#grid .card")).to_have_count(1)
    expect(page.locator("#grid .picture.missing")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("dark", [False, True])
def test_texts_stand_out(open_page: PageOpener, dark: bool) -> None:
    """WCAG AA: 4.5 for text."""
    page = open_page(dark=dark)
    pairs = [
        *((ink, ground) for ink in ("ink", "muted", "accent") for ground in ("ground", "raised", "field")),
        *((ink, "raised") for ink in ("alert", "good")),
        ("on-accent", "accent"),
        ("on-accent", "accent-strong"),
        ("accent", "accent-soft"),
        ("warn", "warn-soft"),
    ]
    colours = page.evaluate(
        """(names) => Object.fromEntries(names.map((name) =>
            [name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()]))""",
        sorted({name for pair in pairs for name in pair}),
    )
    assert (_luminance(colours["ground"]) < 0.1) == dark
    for ink, ground in pairs:
        light, deep = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (deep + 0.05) >= 4.5, (ink, ground)


def _luminance(colour: str) -> float:
    assert re.fullmatch("#[0-9a-f]{6}", colour), colour
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_speaks_the_visitors_language(open_page: PageOpener) -> None:
    page = open_page("/?q=кружка", locale="ru-RU")
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    expect(page.locator("#status")).to_have_text(re.compile("^24 (товара|из [0-9]+) · "))
    expect(page.locator("#words")).to_have_attribute("aria-label", "Поиск товаров")
    expect(page.locator("#grid .card-price").first).to_have_text(re.compile(r"^\d+,50\s€$"))


def test_every_language_has_every_text(open_page: PageOpener) -> None:
    page = open_page()
    strings = page.evaluate("import('/page/strings.js').then(({ STRINGS }) => STRINGS)")
    assert set(strings) == {"en", "ru", "de", "zh", "vi"}
    for language, texts in strings.items():
        assert texts.keys() == strings["en"].keys(), language
        for key, text in texts.items():
            assert _places(text) == _places(strings["en"][key]), (language, key)
    sources = "".join(path.read_text("utf-8") for path in _page_files() if path.suffix in {".js", ".html"})
    assert strings["en"].keys() >= set(re.findall(r'(?:\btext\("|data-(?:text|label|placeholder)=")(\w+)"', sources))
    unused = {key for key in strings["en"] if not re.search(rf'"{key}"', sources)}
    assert unused == set()


def _places(text: str | dict[str, str]) -> set[str]:
    forms = [text] if isinstance(text, str) else list(text.values())
    return {place for form in forms for place in re.findall(r"\{\w+\}", form)}


def test_prices_have_the_decimals_of_the_index(open_page: PageOpener) -> None:
    page = open_page()
    listed = page.evaluate("import('/page/language.js').then(({ OTHER_DECIMALS }) => OTHER_DECIMALS)")
    assert {code: int(count) for count, codes in listed.items() for code in codes.split()} == {
        code: count for code, count in DECIMALS.items() if count != 2
    }
    prices = [[1290, "EUR"], [500, "JPY"], [5200, "USD"], [129_950, "RSD"], [1234, "KWD"], [None, ""], [700, ""]]
    shown = page.evaluate(
        "(prices) => import('/page/language.js').then(({ formatPrice }) => prices.map((one) => formatPrice(...one)))",
        prices,
    )
    shown = [price.replace("\N{NO-BREAK SPACE}", " ") for price in shown]
    assert shown == ["€12.90", "¥500", "$52", "RSD 1,299.50", "KWD 1.234", "", "7"]


def test_only_the_files_of_the_page_are_served(api: RunningApi) -> None:
    for path in _page_files():
        served = httpx.get(f"{api.url}/page/{path.name}")
        assert served.content == path.read_bytes()
        assert "script-src 'self';" in served.headers["Content-Security-Policy"]
        known = httpx.get(f"{api.url}/page/{path.name}", headers={"If-None-Match": served.headers["ETag"]})
        assert (known.status_code, known.content) == (304, b"")
    for name in ("nothing.js", "..%2fapp.py", "__init__.py"):
        assert httpx.get(f"{api.url}/page/{name}").status_code == 404


def _page_files() -> list[Path]:
    return sorted(Path(str(files(search_api).joinpath("page"))).iterdir())
