"""Narrowing a search down, step by step: words, likes, filters, sorting, sharing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.browsing import (
    BRANDS,
    PRODUCTS,
    PageOpener,
    Watch,
    asked_queries,
    choose_photo,
    product_ids,
    watch_queries,
)
from tests.pictures import DrawnCatalog
from tests.processes import RunningApi

_PAGE_SIZE = 24
_SEARCH = re.compile(r"/v1/search$")
_LONG_ADDRESS = (
    "q=red+mug&q=dots&not=high+heel&similar=a%26b&like=p1&like=p2&dislike=p3&f.brand=Acme&f.category=Home+%3E+Things"
    "&f.color=blue&f.color=red&price=100-2550&sort=price_asc&in_stock=1&variants=1&once=1"
)


def _settled(page: Page) -> None:
    expect(page.locator("#grid[aria-busy=false] .card").first).to_be_visible()


def _before_the_offer(open_page: PageOpener, address: str) -> tuple[Page, Route]:
    """A page that shows what it found, and its question what the server offers, which is not answered yet."""
    page = open_page(go=False)
    held: list[Route] = []
    page.route("**/openapi.json", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks the function
    page.goto(address)
    _settled(page)
    while not held:
        page.wait_for_timeout(10)
    return page, held[0]


# ---- address


def test_address_says_all_but_the_photo(open_page: PageOpener) -> None:
    page = open_page()
    again = page.evaluate(
        """(address) => import("/page/query.js").then(({ queryOf, parametersOf }) =>
            String(parametersOf(queryOf(new URLSearchParams(address)))))""",
        _LONG_ADDRESS,
    )
    assert again == _LONG_ADDRESS
    body = page.evaluate(
        """(address) => import("/page/query.js").then(({ queryOf, bodyOf }) =>
            bodyOf(queryOf(new URLSearchParams(address)), { canCrop: true }))""",
        _LONG_ADDRESS,
    )
    assert body == {
        "products": [{"product_id": "a&b"}],
        "texts": [{"text": "red mug"}, {"text": "dots"}],
        "negative_texts": [{"text": "high heel"}],
        "liked": [{"product_id": "p1"}, {"product_id": "p2"}],
        "disliked": [{"product_id": "p3"}],
        "filter": {
            "and": [
                {"field": "brand", "any_of": ["Acme"]},
                {"field": "category", "any_of": ["Home > Things"]},
                {"field": "color", "any_of": ["blue", "red"]},
                {"field": "in_stock", "any_of": [True]},
                {"field": "price_minor", "gte": 100, "lte": 2550},
            ]
        },
        "sort": "price_asc",
        "group_by": "item_group",
        "collapse_duplicates": True,
    }
    nonsense = "price=x-y&sort=best&f.=1&q=+&q=a&q=a&like=p1&dislike=p1&in_stock=yes"
    kept = page.evaluate(
        """(address) => import("/page/query.js").then(({ queryOf, parametersOf }) =>
            String(parametersOf(queryOf(new URLSearchParams(address)))))""",
        nonsense,
    )
    assert kept == "q=a&like=p1"


def test_words_that_are_not_wanted(open_page: PageOpener) -> None:
    page = open_page()
    typed = {
        "red shoe": ["red shoe", []],
        "red -leather shoe": ["red shoe", ["leather"]],
        '-"high heel" shoe -шнурки': ["shoe", ["high heel", "шнурки"]],
        "wi-fi AB-12 -5": ["wi-fi AB-12 -5", []],
    }
    for text, read in typed.items():
        found = page.evaluate(
            "(text) => import('/page/query.js').then(({ readWords }) => readWords(text))",
            text,
        )
        assert [found["text"], found["without"]] == read


# ---- parts


def test_words_refine_a_photo(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page()
    choose_photo(page, shop.picture(7))
    _settled(page)
    watch_queries(page)
    page.locator("#words").fill("but red -leather")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=but+red&not=leather")
    expect(page.locator("#parts .part-label")).to_have_text(["Your photo", "“but red”", "not leather"])
    _settled(page)
    query = asked_queries(page)[0]
    assert [part["text"] for part in query["texts"]] == ["but red"]
    assert [part["text"] for part in query["negative_texts"]] == ["leather"]
    assert len(query["photos"]) == 1
    page.get_by_role("button", name="Remove “not leather”").click()
    page.wait_for_url("**/?q=but+red")
    expect(page.locator("#words")).to_have_value("but red")
    expect(page.locator("#chip img")).to_be_visible()


def test_suggested_words_and_values(open_page: PageOpener) -> None:
    page = open_page("/?similar=p8")  # a red one
    _settled(page)
    suggestions = page.locator("#suggestions")
    expect(suggestions.get_by_role("button", name=re.compile("^Colour: "))).to_be_visible()
    words = suggestions.get_by_role("button", name=re.compile("Add the words"))
    expect(words.first).to_be_visible()
    label = words.first.inner_text()
    words.first.click()
    page.wait_for_url(f"**/?q={label}&similar=p8")
    _settled(page)
    suggestions.get_by_role("button", name="Brand: Cato").click()
    page.wait_for_url(f"**/?q={label}&similar=p8&f.brand=Cato")
    expect(page.locator("#grid[aria-busy=false] .card-brand").first).to_have_text("Cato")


def test_likes_and_dislikes(open_page: PageOpener) -> None:
    page = open_page("/?q=mug")
    _settled(page)
    liked = page.locator("#grid .tile").nth(1)
    title = liked.locator(".card-title").inner_text()
    liked_id = product_ids(page)[1]
    liked.hover()
    liked.get_by_role("button", name=f"More like {title}").click()
    page.wait_for_url(f"**/?q=mug&like={liked_id}")
    _settled(page)
    chip = page.locator("#parts .part-liked")
    expect(chip).to_have_text(f"Liked: {title}")
    expect(chip.locator("img")).to_be_visible()
    assert liked_id not in product_ids(page)
    disliked_id = product_ids(page)[0]
    page.locator("#grid .tile").first.get_by_role("button", name=re.compile("^Less like")).press("Enter")
    page.wait_for_url(f"**/?q=mug&like={liked_id}&dislike={disliked_id}")
    _settled(page)
    assert disliked_id not in product_ids(page)
    expect(page.locator("#heading")).to_be_focused()  # what was pressed is no longer there
    page.get_by_role("button", name=f"Remove “Liked: {title}”").click()
    page.wait_for_url(f"**/?q=mug&dislike={disliked_id}")


# ---- filters


def test_facets_narrow_down_and_stay(open_page: PageOpener, api: RunningApi) -> None:
    page = open_page("/?all=1")
    _settled(page)
    brands = page.get_by_role("group", name="Brand")
    option = brands.get_by_role("checkbox", name=re.compile("^Bolt"))
    option.press("Space")
    page.wait_for_url("**/?f.brand=Bolt&all=1")
    expect(page.locator("#grid[aria-busy=false] .card-brand").first).to_have_text("Bolt")
    assert set(page.locator("#grid .card-brand").all_inner_texts()) == {"Bolt"}
    expect(option).to_be_focused()
    expect(option).to_be_checked()
    for brand in BRANDS:  # its own choice does not hide the others
        expect(brands.get_by_role("checkbox", name=re.compile(f"^{brand}"))).to_be_visible()
    page.get_by_role("group", name="Category").get_by_role("button", name=re.compile("^Home")).click()
    page.wait_for_url("**/?f.brand=Bolt&f.category=Home&all=1")
    page.get_by_role("group", name="Category").get_by_role("button", name=re.compile("^Kitchen")).click()
    page.wait_for_url("**/?f.brand=Bolt&f.category=Home+%3E+Kitchen&all=1")
    page.get_by_role("group", name="Colour").get_by_role("checkbox", name=re.compile("^blue")).check()
    page.wait_for_url("**&f.color=blue&all=1")
    _settled(page)
    filter_ = {"and": [{"field": "brand", "any_of": ["Bolt"]}, {"field": "color", "any_of": ["blue"]}]}
    direct = httpx.post(f"{api.url}/v1/search", json={"filter": filter_, "sort": "newest", "limit": 100}).json()
    assert product_ids(page) == [hit["product_id"] for hit in direct["hits"]]
    expect(page.locator("#parts .part-label")).to_have_text(["Brand: Bolt", "Category: Kitchen", "Colour: blue"])
    page.get_by_role("button", name="Clear filters").first.click()
    page.wait_for_url("**/?all=1")
    expect(page.locator("#parts")).to_be_hidden()


@pytest.mark.parametrize("by", ["keyboard", "mouse"])
def test_a_choice_holds_though_more_comes_while_it_is_pressed(open_page: PageOpener, by: str) -> None:
    """What is drawn anew between pressing and letting go is not chosen: a browser wants both at the same element."""
    page, offer = _before_the_offer(open_page, "/?all=1")
    option = page.get_by_role("group", name="Brand").get_by_role("checkbox", name=re.compile("^Bolt"))
    if by == "mouse":
        page.locator("#words").focus()  # which loses the focus to what is pressed
        option.hover()
        page.mouse.down()
    else:
        option.focus()
        page.keyboard.down("Space")
    offer.continue_()
    expect(page.locator("a[data-needs].awaited")).to_have_count(0)  # what is offered has come, and is more
    page.wait_for_timeout(100)
    page.mouse.up() if by == "mouse" else page.keyboard.up("Space")
    page.wait_for_url("**/?f.brand=Bolt&all=1")
    expect(page.get_by_role("checkbox", name="Same picture once")).to_be_visible()
    expect(option).to_be_checked()


def test_what_waited_for_a_release_does_not_come_back(open_page: PageOpener) -> None:
    page, offer = _before_the_offer(open_page, "/?f.brand=Bolt&f.color=blue&all=1")
    labels = page.locator("#parts .part-label")
    expect(labels).to_have_text(["Brand: Bolt", "Colour: blue"])
    page.route(_SEARCH, lambda _: None)  # not answered, so that nothing else draws the parts
    page.get_by_role("button", name="Remove “Brand: Bolt”").hover()
    page.mouse.down()
    offer.continue_()
    expect(page.locator("a[data-needs].awaited")).to_have_count(0)
    page.wait_for_timeout(100)
    page.mouse.up()
    page.wait_for_url("**/?f.color=blue&all=1")
    page.wait_for_timeout(100)
    expect(labels).to_have_text(["Colour: blue"])


@pytest.mark.parametrize("leave", ["Enter", "Tab", "click"])
def test_a_price_holds_though_more_comes_while_it_is_typed(open_page: PageOpener, leave: str) -> None:
    page, offer = _before_the_offer(open_page, "/?all=1")
    highest = page.get_by_role("textbox", name="Highest price, EUR")
    highest.fill("2")
    offer.continue_()
    expect(page.locator("a[data-needs].awaited")).to_have_count(0)
    page.wait_for_timeout(100)
    page.keyboard.type("0")
    expect(highest).to_have_value("20")
    assert page.url.endswith("/?all=1")  # a price that is half typed is not asked for
    if leave == "click":  # on a choice in the same panel: both count
        page.get_by_role("group", name="Brand").get_by_role("checkbox", name=re.compile("^Bolt")).click()
        page.wait_for_url("**/?f.brand=Bolt&price=-2000&all=1")
    else:
        page.keyboard.press(leave)
        page.wait_for_url("**/?price=-2000&all=1")
    expect(page.get_by_role("checkbox", name="Same picture once")).to_be_visible()  # what has come is drawn afterwards
    expect(highest).to_have_value("20")


def test_typing_replaces_a_selected_price_though_more_comes_before_it(open_page: PageOpener) -> None:
    """Who comes to a field by Tab has all of it selected; drawn anew, it still has to be."""
    page, offer = _before_the_offer(open_page, "/?all=1")
    page.get_by_role("textbox", name="Lowest price, EUR").focus()
    page.keyboard.press("Tab")
    offer.continue_()
    expect(page.get_by_role("checkbox", name="Same picture once")).to_be_visible()
    page.keyboard.type("20")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?price=-2000&all=1")


def test_a_price_that_is_written_when_the_sheet_closes_counts(open_page: PageOpener) -> None:
    page = open_page("/?all=1", size=(390, 844), phone=True)
    _settled(page)
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("textbox", name="Highest price, EUR").fill("20")
    page.keyboard.press("Escape")
    page.wait_for_url("**/?price=-2000&all=1")
    expect(page.get_by_role("button", name="Filters", exact=True)).to_be_focused()


def test_price_and_order(open_page: PageOpener) -> None:
    page = open_page("/?all=1")
    _settled(page)
    lowest = page.get_by_role("slider", name="Lowest price")
    expect(lowest).to_have_attribute("aria-valuetext", "€1.50")
    page.get_by_role("textbox", name="Highest price, EUR").fill("20")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?price=-2000&all=1")
    _settled(page)
    lowest.press("PageUp")
    page.wait_for_url(re.compile(r"price=\d+-2000"))
    _settled(page)
    least = int(re.findall(r"price=(\d+)-", page.url)[0])
    page.get_by_label("Sort").select_option("price_desc")
    page.wait_for_url("**sort=price_desc**")
    _settled(page)
    shown = [float(price.strip("€")) * 100 for price in page.locator("#grid .card-price").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    assert least <= min(shown) <= max(shown) <= 2000


def test_no_products_left_by_filters_says_so(open_page: PageOpener) -> None:
    page = open_page("/?q=mug&f.brand=Nobody")
    expect(page.get_by_role("heading", name="No products found")).to_be_visible()
    page.get_by_role("alert").get_by_role("button", name="Clear filters").click()
    page.wait_for_url("**/?q=mug")
    _settled(page)


def test_field_that_the_catalog_has_not(open_page: PageOpener, watch: Watch) -> None:
    watch.expected_failures = {"422"}
    page = open_page("/?q=mug&f.flavour=sweet")
    expect(page.get_by_role("alert")).to_contain_text("These filters do not fit this catalog")
    expect(page.get_by_role("alert")).to_contain_text("flavour")
    page.get_by_role("alert").get_by_role("button", name="Clear filters").click()
    _settled(page)


def test_attributes_of_a_former_catalog_are_forgotten(open_page: PageOpener, watch: Watch) -> None:
    watch.expected_failures = {"422"}
    page = open_page()
    page.evaluate("sessionStorage.setItem('vitrine.attributes', JSON.stringify(['flavour', 'color']))")
    page.goto("/?q=mug")
    _settled(page)
    expect(page.get_by_role("group", name="Colour")).to_be_visible()
    assert json.loads(page.evaluate("sessionStorage.getItem('vitrine.attributes')")) == ["color"]


# ---- the list


def test_list_goes_on_by_itself(open_page: PageOpener) -> None:
    page = open_page("/?q=mug")
    _settled(page)
    for count in (2 * _PAGE_SIZE, PRODUCTS + 2):
        page.locator(".foot").scroll_into_view_if_needed()
        expect(page.locator("#grid .card")).to_have_count(count)
    assert len(set(product_ids(page))) == PRODUCTS + 2
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()


def test_way_back_leads_to_the_same_place(open_page: PageOpener) -> None:
    page = open_page("/?q=mug")
    _settled(page)
    card = page.locator("#grid .card").nth(14)
    card.scroll_into_view_if_needed()
    scrolled = page.evaluate("scrollY")
    assert scrolled > 0
    similar = page.locator("#grid .tile").nth(14).get_by_role("link", name=re.compile("^Similar to"))
    similar.focus()
    similar.press("Enter")
    page.wait_for_url("**/?similar=*")
    expect(page.locator("#heading")).to_have_text(re.compile("^Products like"))
    page.go_back()
    page.wait_for_url("**/?q=mug")
    expect(similar).to_be_focused()
    page.wait_for_function(f"() => Math.abs(scrollY - {scrolled}) < 2")


def test_nothing_close_and_notes_are_told(open_page: PageOpener) -> None:
    page = open_page(go=False)

    def far(route: Route) -> None:
        answer = route.fetch()
        found = answer.json() | {"nothing_close": True, "notes": ["The words were not looked up."]}
        route.fulfill(response=answer, json=found)

    page.route(_SEARCH, far)
    page.goto("/?q=unicorn")
    expect(page.locator("#notices")).to_contain_text("Nothing here is close to these words.")
    page.get_by_text("1 note on this search").click()
    expect(page.get_by_text("The words were not looked up.")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("None of them is close")
    expect(page.locator("#grid .card")).to_have_count(_PAGE_SIZE)


def test_nothing_moves_while_it_loads(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page(go=False)
    page.add_init_script("""
        window.shifted = 0;
        new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
        }).observe({ type: "layout-shift", buffered: true });
    """)
    page.goto("/?q=mug")
    _settled(page)
    expect(page.get_by_role("group", name="Colour")).to_be_visible()
    # the next products are fetched before the end of the list is in sight
    page.evaluate("scrollBy(0, document.getElementById('more').getBoundingClientRect().top - innerHeight - 300)")
    expect(page.locator("#grid .card")).to_have_count(2 * _PAGE_SIZE)
    assert page.evaluate("window.shifted") < 0.02
    choose_photo(page, shop.picture(3))
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p3")
    page.wait_for_function("() => sessionStorage.getItem('vitrine.photo')")
    page.reload()
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p3")
    expect(page.locator("#query-photo .stage-note")).not_to_be_empty()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.shifted") < 0.02


# ---- explanation and sharing


def test_explanation(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page()
    choose_photo(page, shop.picture(9, 1))
    _settled(page)
    page.locator("#words").fill("blue")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=blue")
    _settled(page)
    first = page.locator("#grid .tile").first
    title = first.locator(".card-title").inner_text()
    first.hover()
    first.get_by_role("button", name=f"Why {title} was found").click()
    dialog = page.get_by_role("dialog", name=f"Why this was found: {title}")
    expect(dialog.get_by_role("figure")).to_have_count(2)
    names = dialog.locator(".bars .bar-name")
    expect(names.filter(has_text="Your photo")).to_have_count(1)
    expect(names.filter(has_text="Words: blue")).to_have_count(1)
    expect(dialog.locator(".bar-value").first).to_have_text(re.compile(r"^[+-]?\d\.\d{3}$"))
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(first.get_by_role("button", name=f"Why {title} was found")).to_be_focused()


def test_link_to_share(open_page: PageOpener, api: RunningApi, shop: DrawnCatalog) -> None:
    page = open_page("/?q=mug&f.brand=Bolt&sort=price_asc")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=api.url)
    _settled(page)
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_text("Link copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == f"{api.url}/?q=mug&f.brand=Bolt&sort=price_asc"
    choose_photo(page, shop.picture(1))
    expect(page.locator("#query-photo img")).to_be_visible()
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_text("A photo cannot be part of a link")).to_be_visible()


# ---- the object in the photo


def test_an_answer_that_comes_while_a_frame_is_moved_does_not_take_it_away(
    open_page: PageOpener, shop: DrawnCatalog
) -> None:
    page = open_page()
    watch_queries(page)
    choose_photo(page, shop.picture(7))
    _settled(page)
    held: list[Route] = []

    def hold(route: Route) -> None:
        """The first; what the page asks besides has its answer at once."""
        if held:
            route.continue_()
        else:
            held.append(route)

    def with_held_answer(brand: str, move: Callable[[], None]) -> None:
        """Asks by filtering, moves the frame, and only then has the answer."""
        held.clear()
        page.route(_SEARCH, hold)
        page.get_by_role("checkbox", name=re.compile(f"^{brand}")).click()
        while not held:
            page.wait_for_timeout(10)
        move()
        held[0].continue_()
        page.unroute(_SEARCH)
        _settled(page)

    box = page.locator(".stage").bounding_box()
    assert box is not None

    def draw() -> None:
        page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.9)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.4, steps=3)

    with_held_answer("Bolt", draw)
    page.mouse.up()
    expect(page.get_by_role("button", name="Whole photo")).to_be_visible()
    _settled(page)
    assert _last_box(page) == pytest.approx([0.1, 0.4, 0.5, 0.9], abs=0.02)

    frame = page.get_by_role("button", name=re.compile("^Frame from"))

    def press() -> None:
        frame.focus()
        frame.press("ArrowRight")

    with_held_answer("Bolt", press)
    press()
    page.wait_for_function("() => JSON.parse(window.asked.at(-1)).photos[0].box[0] > 0.13")
    assert _last_box(page) == pytest.approx([0.14, 0.4, 0.54, 0.9], abs=0.02)


def test_frame_by_tap_pointer_and_keyboard(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page()
    watch_queries(page)
    choose_photo(page, shop.picture(7))
    _settled(page)
    assert asked_queries(page)[-1]["photos"] == [{"file": "file", "region": "auto"}]
    note = page.locator(".stage-note")
    expect(note).to_contain_text("Searched with the")
    stage = page.locator(".stage")
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.9)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.4, steps=3)
    page.mouse.up()
    expect(page.get_by_role("button", name="Whole photo")).to_be_visible()
    _settled(page)
    assert _last_box(page) == pytest.approx([0.1, 0.4, 0.5, 0.9], abs=0.02)

    frame = page.get_by_role("button", name=re.compile("^Frame from"))
    frame.focus()
    frame.press("ArrowRight")
    frame.press("Shift+ArrowUp")
    page.wait_for_function("() => window.asked.length >= 3 && JSON.parse(window.asked.at(-1)).photos[0].box[0] > 0.11")
    assert _last_box(page) == pytest.approx([0.12, 0.4, 0.52, 0.88], abs=0.02)
    _settled(page)
    expect(frame).to_be_focused()

    page.locator(".region").first.press("Enter")
    page.wait_for_function("() => window.asked.length >= 4")
    tapped = _last_box(page)
    page.get_by_role("button", name="Whole photo").click()
    page.wait_for_function("() => JSON.parse(window.asked.at(-1)).photos[0].region === 'whole'")
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p7")
    page.go_back()
    expect(frame).to_be_visible()
    assert page.evaluate("history.state.photo.box") == tapped
    page.wait_for_function("() => sessionStorage.getItem('vitrine.photo')")
    page.reload()
    expect(frame).to_be_visible()


def _last_box(page: Page) -> list[float]:
    box: list[float] = asked_queries(page)[-1]["photos"][0]["box"]
    return box
