"""The page where searching needs a key: it asks for one, and what is shown then is shown to who has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from search_api.access import Scope
from search_api.keys.file import KeyFile
from search_api.keys.records import KeyRecord, digest_of, key_id_of, new_key
from tests.e2e.browsing import PageOpener, Watch, serious_findings
from tests.pictures import DrawnCatalog
from tests.processes import RunningApi, running_api


@pytest.fixture(scope="module")
def key() -> str:
    return new_key()


@pytest.fixture(scope="module")
def closed_api(data_dir: Path, key: str, tiny_model: str) -> Iterator[RunningApi]:
    path = data_dir / "keys.sqlite3"
    file = KeyFile(path)
    file.add(KeyRecord(key_id_of(key), "shop", frozenset({Scope.SEARCH}), "", digest_of(key.encode()), 0))
    file.close()
    with running_api(data_dir, "--model", tiny_model, "--open-search", "false") as running:
        yield running


@pytest.fixture
def open_closed(browser: Browser, closed_api: RunningApi) -> Iterator[PageOpener]:
    watch = Watch(closed_api.url, expected_failures={"401", "403"})
    opener = PageOpener(browser, closed_api.url, watch)
    yield opener
    opener.close()
    assert watch.complaints == []


def asked(page: Page) -> None:
    expect(page.get_by_role("dialog", name="Sign in to search")).to_be_visible()
    expect(page.get_by_label("Key", exact=True)).to_be_focused()


def test_a_key_opens_the_search_and_its_pictures_until_signing_out(open_closed: PageOpener, key: str) -> None:
    page = open_closed("/?q=red")
    asked(page)
    assert serious_findings(page) == []
    page.get_by_label("Key", exact=True).fill(new_key())
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This key is not accepted.")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="This search needs a key")).to_be_visible()
    expect(page.locator("#sign-out")).to_be_hidden()
    page.get_by_role("button", name="Try again").click()
    asked(page)
    page.get_by_label("Key", exact=True).fill(key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#grid .card .picture.loaded").first).to_be_visible()
    kept = page.evaluate("[document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)]")
    assert kept[0] == ""
    assert key.split("_")[2] not in "".join(kept)

    page.goto("/")  # of the same visitor: nothing is asked
    expect(page.locator("#examples .picture.loaded").first).to_be_visible()
    page.goto("/?view=classify&labels=mug, shoe")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile(r"/$"))
    asked(page)
    expect(page.locator("#sign-out")).to_be_hidden()


def test_a_key_for_something_else_is_told_apart(open_closed: PageOpener, key: str, shop: DrawnCatalog) -> None:
    page = open_closed("/")
    asked(page)
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#examples .picture.loaded").first).to_be_visible()
    page.goto("/?view=classify&labels=mug, shoe")
    page.set_input_files("#file-choose", shop.picture(5))
    expect(page.locator("#classify-answer")).to_contain_text("Your key is not for this")
