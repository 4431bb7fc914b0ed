"""Pages in a browser, opened and watched by the tests."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

PRODUCTS = 60
_AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
_FAILURE = re.compile(r"Failed to load resource: (?:the server responded with a status of (\d+)|net::(\w+))")

ADMIN_KEY = "correct horse"
BRANDS = ("Acme", "Bolt", "Cato")
COLOURS = ("red", "blue", "green", "black")
CATEGORIES = ("Home > Things", "Home > Kitchen", "Garden > Tools")

HOSTILE_ID = 'x/"><b>&?#1'
HOSTILE_LINK = "javascript:document.title='hacked'"


@dataclass
class Watch:
    """What a page did that it should not have.

    Attributes:
        origin: the only one that it may ask.
        expected_failures: statuses ("404") and network errors ("ERR_FAILED") of requests that the test makes fail; the
            browser reports them to the console as errors.
        complaints: what it did.
    """

    origin: str
    expected_failures: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def on_request(self, request: Request) -> None:
        """Asks elsewhere?"""
        if not request.url.startswith((self.origin + "/", "blob:", "data:")):
            self.complaints.append(f"request to {request.url}")

    def on_console(self, message: ConsoleMessage) -> None:
        """Errors, warnings and violations of the Content-Security-Policy."""
        failure = _FAILURE.search(message.text)
        if failure and self.expected_failures.intersection(failure.groups()):
            return
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console {message.type}: {message.text}")


class PageOpener:
    """Opens the page in browsers of different kinds."""

    def __init__(self, browser: Browser, url: str, watch: Watch) -> None:
        self._browser = browser
        self._url = url
        self._watch = watch
        self._contexts: list[BrowserContext] = []

    def __call__(
        self,
        address: str = "/",
        *,
        size: tuple[int, int] = (1280, 860),
        phone: bool = False,
        dark: bool = False,
        locale: str = "en-US",
        go: bool = True,
    ) -> Page:
        """A new page in a new browser profile.

        Args:
            address: path and query.
            size: of the window in CSS pixels.
            phone: with a touch screen instead of a mouse.
            dark: whether the visitor prefers dark colours.
            locale: the visitor's language.
            go: whether to load the page; a test that intercepts requests does so itself.
        """
        context = self._browser.new_context(
            base_url=self._url,
            viewport={"width": size[0], "height": size[1]},
            has_touch=phone,
            is_mobile=phone,
            color_scheme="dark" if dark else "light",
            locale=locale,
            reduced_motion="reduce",  # things are where they belong at once
        )
        self._contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("request", self._watch.on_request)
        page.on("console", self._watch.on_console)
        page.on("pageerror", lambda error: self._watch.complaints.append(f"error: {error}"))
        page.add_init_script(
            "addEventListener('securitypolicyviolation',"
            " (event) => console.error('policy violated', event.violatedDirective, event.blockedURI))"
        )
        if go:
            page.goto(address)
        return page

    def close(self) -> None:
        """Closes all pages; what a test's interceptors still do for them is let go of: it would fail a later test."""
        for context in self._contexts:
            for page in context.pages:
                page.unroute_all(behavior="ignoreErrors")
            context.close()


def product_ids(page: Page) -> list[str]:
    """Ids of the products in the results, in order."""
    return [card.get_attribute("data-product") or "" for card in page.locator("#grid .card").all()]


def serious_findings(page: Page) -> list[str]:
    """Serious and critical findings of axe-core."""
    page.evaluate(_AXE)
    found: dict[str, Any] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{item['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:300]}"
        for item in found["violations"]
        if item["impact"] in {"serious", "critical"}
        for node in item["nodes"]
    ]


def choose_photo(page: Page, file: Path) -> None:
    """Chooses a file through the button in the search bar."""
    with page.expect_file_chooser() as chooser:
        page.locator(".field").get_by_role("button", name="Choose a photo").click()
    chooser.value.set_files(file)


def watch_queries(page: Page) -> None:
    """From now on ``asked_queries`` knows what the page asks of ``/v1/search``; a browser shows no forms with files."""
    page.evaluate("""() => {
        window.asked = [];
        const { append } = FormData.prototype;
        FormData.prototype.append = function (name, value, ...rest) {
            if (name === "query") window.asked.push(value);
            return append.call(this, name, value, ...rest);
        };
        const { fetch } = window;
        window.fetch = (path, options) => {
            if (path === "/v1/search" && typeof options.body === "string") window.asked.push(options.body);
            return fetch(path, options);
        };
    }""")


def asked_queries(page: Page) -> list[dict[str, Any]]:
    """What was asked since ``watch_queries``, in order."""
    return [json.loads(query) for query in page.evaluate("window.asked")]
