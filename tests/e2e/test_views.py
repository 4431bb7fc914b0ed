"""The other tabs, and what holds for every view: no serious finding of axe-core, nothing wider than a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import ADMIN_KEY, PageOpener, Watch, serious_findings
from tests.pictures import DrawnCatalog

_NARROW = (360, 740)
_FORBIDDEN = """() => {
    const seen = new Set();
    addEventListener("securitypolicyviolation", (event) => {
        seen.add(event.effectiveDirective);
        document.body.dataset.violations = [...seen].sort().join(" ");
    });
    const script = document.createElement("script");
    script.textContent = "document.title = 'hacked'";
    document.body.append(script);
    document.body.insertAdjacentHTML("beforeend", '<p style="color: red">planted</p>');
}"""


# ---- what is it?


def test_labels_of_a_photo(open_page: PageOpener, shop: DrawnCatalog) -> None:
    page = open_page("/?view=classify&labels=mug%2C+red+shoe")
    expect(page.get_by_role("heading", level=1)).to_have_text("What is in the photo?")
    labels = page.get_by_role("textbox", name="Possible names, separated by commas")
    expect(labels).to_have_value("mug, red shoe")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#classify-answer")).to_have_text("Choose a photo first.")
    page.set_input_files("#file-choose", shop.picture(3))
    bars = page.locator("#classify-answer .bars li")
    expect(bars).to_have_count(2)
    labels.fill("mug, red shoe, <b>чайник</b>")
    page.get_by_role("button", name="Compare").click()
    expect(bars).to_have_count(3)
    expect(page.locator("#classify-answer .bar-name").filter(has_text="<b>чайник</b>")).to_be_visible()
    expect(page.locator("#classify-announcer")).to_have_text(re.compile("^Fits best: "))
    shares = [int(share) for share in re.findall(r"(\d+)%", " ".join(page.locator(".bar-share").all_inner_texts()))]
    assert sum(shares) == pytest.approx(100, abs=2)
    assert page.evaluate("new URLSearchParams(location.search).get('labels')") == "mug, red shoe, <b>чайник</b>"
    page.get_by_role("button", name="Search with this photo").click()
    expect(page.locator("#grid .card").first).to_have_attribute("data-product", "p3")


# ---- index runs


def test_index_runs(open_page: PageOpener, watch: Watch) -> None:
    watch.expected_failures = {"401"}
    page = open_page("/")
    page.get_by_role("contentinfo").get_by_role("link", name="Index runs").click()
    key = page.get_by_label("Admin key")
    key.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is not the admin key.")).to_be_visible()
    expect(key).to_be_focused()
    key.fill(ADMIN_KEY)
    page.keyboard.press("Enter")
    run = page.locator("#runs-list .run").last
    expect(run.get_by_role("heading")).to_have_text("feed.jsonl")
    expect(run.locator(".run-state")).to_have_text("Finished")
    expect(run.get_by_role("term").filter(has_text="Failed")).to_be_visible()
    run.get_by_text("1 failure").click()
    failure = run.get_by_role("row").nth(1)
    expect(failure.get_by_role("cell").first).to_have_text(re.compile("^broken"))
    expect(failure.get_by_role("cell").nth(2)).to_contain_text("nothing.jpg")
    run.get_by_role("button", name="Try them again").click()
    retry = page.locator("#runs-list .run").first
    expect(retry.get_by_role("heading")).to_have_text("Failures tried again")
    expect(retry.locator(".run-state")).to_have_text("Finished", timeout=60_000)
    expect(run.get_by_role("row").nth(1)).to_be_visible()  # stays open while the list is drawn anew

    assert ADMIN_KEY.split()[0] not in page.url
    assert page.evaluate("JSON.stringify(localStorage) + document.cookie") == "{}"
    page.reload()
    expect(page.locator("#runs-list .run").first).to_be_visible()
    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_label("Admin key")).to_be_focused()
    assert ADMIN_KEY not in page.evaluate("JSON.stringify(sessionStorage)")
    expect(page.locator("#runs-list .run")).to_have_count(0)


def test_trying_again_holds_though_the_list_comes_anew_while_it_is_pressed(open_page: PageOpener) -> None:
    """Runs are asked for every two seconds while one is running; a press is longer than nothing."""
    page = open_page("/?view=runs")
    page.get_by_label("Admin key").fill(ADMIN_KEY)
    page.keyboard.press("Enter")
    runs = page.locator("#runs-list .run")
    again = runs.last.get_by_role("button", name="Try them again")
    again.hover()
    page.mouse.down()
    with page.expect_response("**/v1/index-runs?*"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # asks at once
    page.wait_for_timeout(100)
    with page.expect_request("**/retry"):
        page.mouse.up()
    expect(runs.first.get_by_role("heading")).to_have_text("Failures tried again")
    expect(runs.first.locator(".run-state")).to_have_text("Finished", timeout=60_000)


# ---- every view


def _overflow(page: Page) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def _checked(page: Page) -> None:
    page.wait_for_function("() => [...document.images].every((image) => image.complete || image.loading === 'lazy')")
    assert serious_findings(page) == []
    assert _overflow(page) <= 0


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, False), (False, True)])
def test_views_are_accessible(open_page: PageOpener, shop: DrawnCatalog, dark: bool, phone: bool) -> None:
    page = open_page(dark=dark, phone=phone, size=_NARROW if phone else (1280, 860))
    expect(page.locator(".example").first).to_be_visible()
    _checked(page)

    page.set_input_files("#file-choose", shop.picture(5))
    expect(page.locator("#grid .card").first).to_be_visible()
    page.locator("#words").fill("blue -red")
    page.keyboard.press("Enter")
    expect(page.locator("#parts .part")).to_have_count(3)
    expect(page.locator("#grid[aria-busy=false] .card").first).to_be_visible()
    _checked(page)

    tile = page.locator("#grid .tile").first
    tile.hover()
    tile.get_by_role("button", name=re.compile("^Why")).click()
    expect(page.get_by_role("dialog").locator(".bars li").first).to_be_visible()
    _checked(page)
    page.keyboard.press("Escape")

    page.locator("#grid .card").first.click()
    expect(page.get_by_role("dialog").locator(".grid .card").first).to_be_visible()
    _checked(page)
    page.keyboard.press("Escape")

    if phone:
        page.get_by_role("button", name="Filters").click()
        expect(page.get_by_role("dialog", name="Filters")).to_be_visible()
        _checked(page)
        page.get_by_role("button", name="Show the products").click()
        expect(page.get_by_role("button", name="Filters")).to_be_focused()

    page.goto("/?view=classify&labels=mug, shoe")
    page.set_input_files("#file-choose", shop.picture(5))
    expect(page.locator("#classify-answer .bars li")).to_have_count(2)
    _checked(page)

    page.goto("/?view=runs")
    _checked(page)
    page.get_by_label("Admin key").fill(ADMIN_KEY)
    page.keyboard.press("Enter")
    page.get_by_text("1 failure").last.click()
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    _checked(page)


def test_no_view_violates_the_policy_and_a_violation_would_be_seen(
    open_page: PageOpener, watch: Watch, shop: DrawnCatalog
) -> None:
    page = open_page()
    page.set_input_files("#file-choose", shop.picture(5))
    expect(page.locator("#grid[aria-busy=false] .card").first).to_be_visible()
    tile = page.locator("#grid .tile").first
    tile.hover()
    tile.get_by_role("button", name=re.compile("^Why")).click()
    expect(page.get_by_role("dialog").locator("img.heat")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#grid .card").first.click()
    expect(page.get_by_role("dialog").locator(".grid .card").first).to_be_visible()
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "product=" not in url)  # the page goes back by itself, which would break off a goto

    page.goto("/?view=classify&labels=mug, shoe")
    page.set_input_files("#file-choose", shop.picture(5))
    expect(page.locator("#classify-answer .bars li")).to_have_count(2)
    page.goto("/?view=runs")
    page.get_by_label("Admin key").fill(ADMIN_KEY)
    page.keyboard.press("Enter")
    expect(page.locator("#runs-list .run").first).to_be_visible()
    assert watch.complaints == []

    page.evaluate(_FORBIDDEN)
    expect(page.locator("body[data-violations='script-src-elem style-src-attr']")).to_be_attached()
    assert [complaint for complaint in watch.complaints if "policy violated" in complaint]
    assert page.title() != "hacked"
    watch.complaints.clear()  # these were wanted
