"""``make screenshots``: the page over the sample catalog, as pictures in ``docs/screenshots`` for people to look at."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from indexer.cli.exit_codes import DONE
from indexer.demo.catalog import FEED, QUERIES, write_sample_catalog
from indexer.embedding.choice import DEMO_MODEL
from tests.chromium import running_chromium
from tests.e2e.browsing import ADMIN_KEY
from tests.processes import REPOSITORY, run_indexer, running_api

FOLDER = REPOSITORY / "docs" / "screenshots"
CATALOG = REPOSITORY / ".demo" / "catalog"
_MAX_BYTES = 200_000
_DESKTOP = (1280, 860)
_PHONE = (360, 740)
_COLOURS = 256  # of a palette: a picture of a page needs few, and takes a third of the bytes


class _Camera:
    """Opens pages and takes pictures of them."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url

    def open(self, address: str = "/", *, dark: bool = False, phone: bool = False, locale: str = "en-US") -> Page:
        width, height = _PHONE if phone else _DESKTOP
        context = self._browser.new_context(
            base_url=self._url,
            viewport={"width": width, "height": height},
            device_scale_factor=2 if phone else 1,
            has_touch=phone,
            is_mobile=phone,
            color_scheme="dark" if dark else "light",
            locale=locale,
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.goto(address)
        return page

    def take(self, page: Page, name: str) -> None:
        """Saves what the page shows; fails if the file is larger than a repository should hold."""
        page.wait_for_load_state("networkidle")
        page.wait_for_function(
            "() => [...document.images].every((image) => image.complete || image.loading === 'lazy')"
        )
        page.wait_for_timeout(200)
        file = FOLDER / f"{name}.png"
        page.screenshot(path=file)
        with Image.open(file) as picture:
            small = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        small.save(file, optimize=True)
        size_bytes = file.stat().st_size
        if size_bytes > _MAX_BYTES:
            raise SystemExit(f"{file} takes {size_bytes} bytes, more than {_MAX_BYTES}")
        sys.stdout.write(f"{file.relative_to(REPOSITORY)}: {size_bytes // 1000} kB\n")
        page.context.close()


def _found(page: Page) -> None:
    expect(page.locator("#grid[aria-busy=false] .card").nth(3)).to_be_visible()
    expect(page.locator("#filters .facet").nth(2)).to_be_attached()


def _with_photo(page: Page, photo: Path) -> Page:
    page.set_input_files("#file-choose", photo)
    _found(page)
    return page


def _welcome(camera: _Camera, _photos: Mapping[str, Path]) -> None:
    page = camera.open()
    expect(page.locator(".example").first).to_be_visible()
    camera.take(page, "welcome")


def _photo(camera: _Camera, photos: Mapping[str, Path]) -> None:
    page = _with_photo(camera.open(), photos["sneaker"])
    expect(page.locator(".region").first).to_be_visible()
    page.locator("#grid .tile").nth(1).hover()
    camera.take(page, "photo")


def _crop(camera: _Camera, photos: Mapping[str, Path]) -> None:
    page = _with_photo(camera.open(), photos["boot"])
    expect(page.locator(".region").first).to_be_visible()
    stage = page.locator(".stage").bounding_box()
    if stage is None:
        raise SystemExit("no photo is shown")
    left, top, width, height = stage["x"], stage["y"], stage["width"], stage["height"]
    page.mouse.move(left + width * 0.08, top + height * 0.08)
    page.mouse.down()
    page.mouse.move(left + width * 0.92, top + height * 0.9, steps=4)
    page.mouse.up()
    page.locator("#words").fill("but red -checked")
    page.keyboard.press("Enter")
    expect(page.locator("#parts .part")).to_have_count(3)
    _found(page)
    camera.take(page, "crop-and-words")


def _dark(camera: _Camera, _photos: Mapping[str, Path]) -> None:
    page = camera.open("/?q=blue+bag", dark=True)
    _found(page)
    for number, name in ((1, "More like"), (4, "Less like")):
        tile = page.locator("#grid .tile").nth(number)
        tile.hover()
        tile.locator(".tile-like" if name == "More like" else ".tile-dislike").click()
        _found(page)
    expect(page.locator("#parts .part")).to_have_count(3)
    camera.take(page, "dark-likes")


def _filters(camera: _Camera, _photos: Mapping[str, Path]) -> None:
    page = camera.open(
        "/?f.category=Apparel+%26+Accessories&f.brand=Casa+Lumo&f.brand=Vale&price=2000-7000&sort=price_asc"
    )
    _found(page)
    camera.take(page, "filters")


def _russian(camera: _Camera, _photos: Mapping[str, Path]) -> None:
    page = camera.open("/?q=красная+сумка", locale="ru-RU")
    _found(page)
    camera.take(page, "russian")


def _phone(camera: _Camera, photos: Mapping[str, Path]) -> None:
    page = _with_photo(camera.open(phone=True), photos["sneaker"])
    expect(page.locator(".region").first).to_be_visible()
    camera.take(page, "phone-photo")
    page = camera.open("/?q=red+sneaker", phone=True)
    _found(page)
    page.evaluate("scrollBy(0, 200)")
    camera.take(page, "phone-results")
    page = camera.open("/?q=red+sneaker&f.color=red/white", phone=True, dark=True)
    _found(page)
    page.locator("#filters-open").click()
    camera.take(page, "phone-filters-dark")


def _explanation(camera: _Camera, photos: Mapping[str, Path]) -> None:
    page = _with_photo(camera.open(), photos["boot"])
    page.locator("#words").fill("red")
    page.keyboard.press("Enter")
    expect(page.locator("#parts .part")).to_have_count(2)
    _found(page)
    tile = page.locator("#grid .tile").first
    tile.hover()
    tile.locator(".tile-why").click()
    expect(page.locator("#explain .bars li").first).to_be_visible()
    camera.take(page, "explanation")


def _details(camera: _Camera, _photos: Mapping[str, Path]) -> None:
    page = camera.open("/?q=red+sneaker&variants=1")
    _found(page)
    page.locator("#grid .card").first.click()
    expect(page.locator("#details .grid .card").first).to_be_visible()
    camera.take(page, "details")


def _classify(camera: _Camera, photos: Mapping[str, Path]) -> None:
    page = camera.open("/?view=classify&labels=brown boot, red sneaker, brown dress, boot with checks, mug, лампа")
    page.set_input_files("#file-choose", photos["boot"])
    expect(page.locator("#classify-answer .bars li").first).to_be_visible()
    camera.take(page, "classify")


def _runs(camera: _Camera, _photos: Mapping[str, Path]) -> None:
    page = camera.open("/?view=runs")
    page.get_by_label("Admin key").fill(ADMIN_KEY)
    page.keyboard.press("Enter")
    page.locator(".failures summary").first.click()
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    camera.take(page, "index-runs")


_PICTURES: Mapping[str, Callable[[_Camera, Mapping[str, Path]], None]] = {
    "welcome": _welcome,
    "photo": _photo,
    "crop": _crop,
    "dark": _dark,
    "filters": _filters,
    "russian": _russian,
    "phone": _phone,
    "explanation": _explanation,
    "details": _details,
    "classify": _classify,
    "runs": _runs,
}


def _photos_of(catalog: Path) -> dict[str, Path]:
    """A shopper's photo of each kind of product, on a background of its own."""
    queries = [json.loads(line) for line in (catalog / QUERIES).read_text("utf-8").splitlines()]
    photos: dict[str, Path] = {}
    for query in queries:
        if query.get("change") == "background":
            photos.setdefault(query["relevant"][0].rsplit("-", 1)[0], catalog / query["image"])
    return photos


def _feed_with_failures(catalog: Path) -> bytes:
    """Ten products, three of which have pictures that cannot be had."""
    rows = []
    for number, picture in enumerate(sorted((catalog / "images").glob("*-1.jpg"))[:10]):
        name = f"images/{picture.name}" if number % 3 else f"images/lost-{number}.jpg"
        rows.append({"id": f"new-{number}", "title": f"New arrival {number}", "image_link": name, "price": "9.90 EUR"})
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def main(names: list[str]) -> None:
    """Takes the pictures of these names, or all."""
    FOLDER.mkdir(exist_ok=True)
    write_sample_catalog(CATALOG)
    with tempfile.TemporaryDirectory() as data:
        indexed = run_indexer("index", CATALOG / FEED, "--model", DEMO_MODEL, "--data-dir", data)
        if indexed.returncode != DONE:
            raise SystemExit(indexed.stderr)
        flags = ("--model", DEMO_MODEL, "--admin-key", ADMIN_KEY, "--feeds-dir", str(CATALOG))
        with running_api(Path(data), *flags) as api, running_chromium() as browser:
            camera = _Camera(browser, api.url)
            photos = _photos_of(CATALOG)
            for name, take in _PICTURES.items():
                if names and name not in names:
                    continue
                if name == "runs":
                    _run_with_failures(api.url)
                take(camera, photos)


def _run_with_failures(url: str) -> None:
    """Only before the last picture: it adds products."""
    headers = {"X-API-Key": ADMIN_KEY}
    files = {"file": ("new-arrivals.jsonl", _feed_with_failures(CATALOG))}
    run = httpx.post(f"{url}/v1/index-runs", headers=headers, files=files).raise_for_status().json()
    while run["state"] in {"queued", "running"}:
        time.sleep(0.5)
        run = httpx.get(f"{url}/v1/index-runs/{run['id']}", headers=headers).raise_for_status().json()
    (CATALOG / "new-arrivals.jsonl").unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
