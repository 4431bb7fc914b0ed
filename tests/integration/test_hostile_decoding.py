"""Pictures that end, fill or hold up the process that decodes them, in an index run and over HTTP; and what pictures
tell besides their pixels, which nothing keeps and nobody gets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from indexer.embedding.port import Embedder
from indexer.images.decoder_processes import DecoderProcesses, ProcessOptions
from indexer.images.formats import heif_available
from indexer.images.source import LocalImages
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.run import IndexOptions, index_feed
from indexer.ledger.port import Failure, RunState, Stage
from indexer.ledger.sqlite import SqliteLedger
from indexer.settings import Settings, load_settings
from indexer.store.edge_store import EdgeStore
from search_api.app import create_app
from tests.evil_pictures import CRASH, FILL, LOOP, evil_picture
from tests.pictures import catalog_row, drawn_picture, encoded, write_feed
from tests.served import served, wait_for_status

EVIL = {2: (CRASH, "image_crashed_decoder"), 5: (FILL, "image_memory"), 8: (LOOP, "image_timeout")}
PRODUCTS = 12
AUTHOR = "taken at home by Vera"
KINDS = ("JPEG", "PNG", "WEBP", "HEIF")
WORDS = (AUTHOR.encode(), AUTHOR.encode("utf-16-le"))
BLOCKS = (b"GPS", b"Exif", b"eXIf", b"xmpmeta")


def settings_for(folder: Path) -> Settings:
    return load_settings({"data_dir": folder, "follow_s": 0.05, "image_timeout_s": 2.0}, environment={}).settings


def decoder_for(settings: Settings) -> DecoderProcesses:
    return DecoderProcesses(settings.image_limits(), ProcessOptions(2, 300_000_000, ("tests.evil_plugin",)))


def located(number: int, kind: str) -> bytes:
    """A picture with a place, an author and a comment, as phones and editors write them."""
    exif = Image.Exif()
    exif[Base.Artist] = exif[Base.ImageDescription] = AUTHOR
    exif[Base.Orientation] = 6
    exif.get_ifd(IFD.GPSInfo).update(
        {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (55.0, 45.0, 7.0), GPS.GPSProcessingMethod: AUTHOR.encode()}
    )
    exif.get_ifd(IFD.Exif)[Base.UserComment] = AUTHOR.encode()
    more = {"comment": AUTHOR.encode()} if kind == "JPEG" else {}
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{AUTHOR}</x:xmpmeta>".encode()
    return encoded(drawn_picture(number, size=(96, 64)), kind, exif=exif, xmp=xmp, **more)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    kinds = KINDS if heif_available() else KINDS[:3]
    for number in range(PRODUCTS):
        data = evil_picture(EVIL[number][0]) if number in EVIL else located(number, kinds[number % len(kinds)])
        (folder / f"{number}.picture").write_bytes(data)
    write_feed(folder / "feed.jsonl", [catalog_row(number, [f"{number}.picture"]) for number in range(PRODUCTS)])
    return folder


@pytest.fixture(scope="module")
def failures(shop: Path, tiny_embedder: Embedder) -> list[Failure]:
    """Of an index run over the shop's feed."""
    settings = settings_for(shop / "data")
    ledger = SqliteLedger(shop / "data" / "ledger.sqlite3")
    store = EdgeStore(shop / "data" / "store", settings.index_tuning(), follow_s=0)
    with (
        decoder_for(settings) as decoder,
        IndexPipeline(tiny_embedder, LocalImages(decoder.limits), decoder, image_threads=4) as pipeline,
    ):
        parts = IndexParts(tiny_embedder, store, ledger, pipeline, settings.catalog)
        run = index_feed(shop / "feed.jsonl", IndexOptions(batch_products=PRODUCTS), InlineDispatcher(parts))
    assert (run.state, run.counts.embedded, run.counts.failed) == (RunState.FINISHED, PRODUCTS - len(EVIL), len(EVIL))
    found = list(ledger.failures(run.run_id))
    ledger.close()
    store.close()
    return found


@pytest.fixture(scope="module")
def client(shop: Path, failures: list[Failure], tiny_embedder: Embedder) -> Iterator[httpx.Client]:
    assert len(failures) == len(EVIL)
    # while both decoders are held up nobody is answered, and whoever comes then may be refused: another test's subject
    settings = settings_for(shop / "data").model_copy(update={"query_slowdown": 0.0})
    with served(create_app(settings, load_embedder=lambda _: tiny_embedder, open_decoder=decoder_for)) as opened:
        wait_for_status(opened, "/readyz", 200)
        yield opened


def test_a_feed_loses_the_evil_pictures_alone(failures: list[Failure]) -> None:
    told = {(item.product_id, item.stage, item.code, item.retryable) for item in failures}
    assert told == {(f"p{number}", Stage.DECODE, code, False) for number, (_, code) in EVIL.items()}
    assert all(item.reason for item in failures)


def test_evil_photos_harm_their_own_requests_alone(client: httpx.Client, shop: Path) -> None:
    async def ask(asked: httpx.AsyncClient, path: str, data: bytes) -> httpx.Response:
        return await asked.post(path, content=data, headers={"content-type": "image/bmp"})

    async def crowd() -> list[tuple[int, httpx.Response]]:
        async with httpx.AsyncClient(base_url=client.base_url, timeout=60, trust_env=False) as asked:
            work = []
            for number in range(PRODUCTS):
                for path in ("/v1/search/image", "/v1/regions"):
                    data = (shop / f"{number}.picture").read_bytes()
                    work.append((number, ask(asked, path, data + b" " if number not in EVIL else data)))
            answers = await asyncio.gather(*(each for _, each in work))
            return [(number, answer) for (number, _), answer in zip(work, answers, strict=True)]

    for number, answer in asyncio.run(crowd()):
        if number in EVIL:
            assert (answer.status_code, answer.json()["code"]) == (422, EVIL[number][1]), answer.text
        else:
            assert answer.status_code == 200, answer.text
            if answer.request.url.path == "/v1/search/image":
                assert answer.json()["hits"][0]["product_id"] == f"p{number}"
    assert client.get("/readyz").status_code == 200
    figures = client.get("/metrics").text
    assert 'vitrine_decoder_failures_total{reason="crashed"}' in figures


def test_what_a_picture_tells_besides_pixels_is_neither_kept_nor_given(client: httpx.Client, shop: Path) -> None:
    given: list[bytes] = []
    for number in set(range(PRODUCTS)) - set(EVIL):
        for path in (f"/v1/products/p{number}/images/0", f"/v1/products/p{number}/images/0?size=thumbnail"):
            answer = client.get(path)
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == "image/jpeg"
            given.append(answer.content)
        given.append(client.get(f"/v1/products/p{number}").content)
        photo = (shop / f"{number}.picture").read_bytes()
        found = client.post("/v1/search/image", content=photo, headers={"content-type": "image/jpeg"})
        regions = client.post("/v1/regions", content=photo, headers={"content-type": "image/jpeg"})
        heat: Any = [hit.get("heat_map_url") for hit in found.json()["hits"]]
        given += [found.content, regions.content, *(client.get(url).content for url in heat[:1] if url)]
    kept = [file for file in (shop / "data").rglob("*") if file.is_file() and file.stat().st_blocks]
    assert len(given) >= 4 * (PRODUCTS - len(EVIL))
    assert len(kept) > 3
    for data in given:
        assert not [word for word in (*WORDS, *BLOCKS) if word in data]
    for file in kept:
        data = file.read_bytes()
        assert not [word for word in WORDS if word in data], file
