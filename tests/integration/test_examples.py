"""The examples in docs/api.md do what is printed below them: one real server, asked by the shell, Python and a page."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import ConsoleMessage, Page

from indexer.demo import catalog as demo_catalog
from indexer.demo.assortment import assortment
from indexer.demo.catalog import FEED, Plan
from indexer.demo.feed import write_feed
from indexer.settings import Settings, load_settings
from search_api.app import create_app
from tests.chromium import running_chromium
from tests.forked import ForkedProgram
from tests.processes import REPOSITORY, program_environment
from tests.served import served, wait_for_status

DOCUMENT = REPOSITORY / "docs" / "api.md"
PRINTED_URL = "http://127.0.0.1:8000"
KEY = "secret"
LANGUAGES = ("bash", "python", "javascript")
DRAWN = ("mug-", "teapot-")
PHOTO = ("teapot-0006", "background")
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Example:
    """A piece of the document, and what it prints; ``...`` in that stands for anything."""

    section: str
    language: str
    code: str
    printed: str

    @property
    def name(self) -> str:
        return f"{self.section}, {self.language}"


def examples(text: str) -> list[Example]:
    found = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        section, _, body = part.partition("\n")
        for language, code, printed in re.findall(
            r"^```(\w+)\n(.*?)^```\n```text\n(.*?)^```$", body, re.MULTILINE | re.DOTALL
        ):
            found.append(Example(section, language, code, printed.strip()))
    return found


EXAMPLES = examples(DOCUMENT.read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where examples run: beside ``.demo``, against a server, in one Python session and one page."""

    client: httpx.Client
    folder: Path
    page: Page
    session: dict[str, Any] = field(default_factory=dict)

    def run(self, example: Example) -> str:
        """What the example prints."""
        code = example.code.replace(PRINTED_URL, str(self.client.base_url))
        if example.language == "bash":
            return self._in_shell(code)
        if example.language == "python":
            printed = io.StringIO()
            with contextlib.chdir(self.folder), contextlib.redirect_stdout(printed):
                exec(compile(code, DOCUMENT.name, "exec"), self.session)  # noqa: S102 - that is what the test is about
            return printed.getvalue().strip()
        return self._in_page(code)

    def _in_shell(self, code: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code],
            cwd=self.folder,
            env=program_environment() | {"VITRINE_ADMIN_KEY": KEY, "no_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
        return done.stdout.strip()

    def _in_page(self, code: str) -> str:
        lines: list[str] = []

        def keep(message: ConsoleMessage) -> None:
            if message.type == "log":
                lines.append(message.text)

        self.page.on("console", keep)
        self.page.evaluate(f"async () => {{ {code} }}")
        self.page.remove_listener("console", keep)
        return "\n".join(lines)


def draw_part_of_the_demo(folder: Path) -> None:
    """Some of the products that ``make demo`` draws, with the same looks, smaller."""
    plan = Plan(image_size_px=128)
    articles = [article for article in assortment(plan.products, plan.seed) if article.product_id.startswith(DRAWN)]
    (folder / "images").mkdir(parents=True)
    (folder / "queries").mkdir()
    files = []
    for article in articles:
        names = [f"images/{article.product_id}-{i}.jpg" for i in range(1, demo_catalog._image_count(article) + 1)]
        files.append(names)
        seed = demo_catalog._photo_seed(article, plan)
        for position, name in enumerate(names):
            picture = demo_catalog._Picture(name, article.look, plan.image_size_px, seed, position)
            demo_catalog._draw_one((folder, picture))
        if article.product_id == PHOTO[0]:
            name = f"queries/{article.product_id}-{PHOTO[1]}.jpg"
            demo_catalog._draw_one((folder, demo_catalog._Picture(name, article.look, 160, seed, change="background")))
    write_feed(folder / FEED, articles, files)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if shutil.which("curl") is None:
        (pytest.fail if os.environ.get("VITRINE_REQUIRE_ALL_TESTS") else pytest.skip)("curl is not installed")
    folder = tmp_path_factory.mktemp("examples")
    catalog = folder / ".demo" / "catalog"
    draw_part_of_the_demo(catalog)
    flags = {"model": "demo", "feeds_dir": str(catalog), "data_dir": folder / "data", "admin_key": KEY, "follow_s": 0.1}
    settings = load_settings(flags, environment={}).settings
    with (
        served(create_app(settings)) as client,
        following(settings),
        running_chromium() as browser,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("VITRINE_ADMIN_KEY", KEY)
        patch.setenv("NO_PROXY", "127.0.0.1")
        page = browser.new_page()
        page.goto(f"{client.base_url}/page/icon.svg")
        yield Place(client, folder, page)


@contextlib.contextmanager
def following(settings: Settings) -> Iterator[None]:
    """The indexer process that ``python -m search_api`` keeps beside it."""
    indexer = ForkedProgram("indexer", ["follow"], program_environment() | settings.to_environment())
    try:
        yield
    finally:
        indexer.terminate()
        indexer.wait(30)


def pattern_of(printed: str) -> str:
    return ".*?".join(re.escape(part) for part in printed.split("..."))


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_an_example_does_what_is_printed(place: Place, example: Example) -> None:
    if example.section != EXAMPLES[0].section:
        wait_for_status(place.client, "/readyz", 200)
    output = place.run(example)
    assert re.fullmatch(pattern_of(example.printed), output, re.DOTALL), output


def test_every_piece_of_code_is_an_example() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert len(EXAMPLES) == sum(text.count(f"```{language}\n") for language in LANGUAGES)
    assert {example.language for example in EXAMPLES} == set(LANGUAGES)
    assert set(re.findall(r"^```(\w+)$", text, re.MULTILINE)) == {*LANGUAGES, "text", "console"}
