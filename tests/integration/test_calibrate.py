"""What scores mean: fitted on real runs of the drawn catalog, kept with the collection, and read by who serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from qdrant_client import QdrantClient

from indexer.calibration.calibrate import MIN_PROBES, Calibrator
from indexer.calibration.model import ANNOTATION, Calibration
from indexer.calibration.probes import Pictures
from indexer.cli.main import main
from indexer.demo.catalog import Plan, write_catalog
from indexer.embedding.port import Embedder, LabelScale
from indexer.evaluation.queries import read_queries
from indexer.images.decoder import InProcessDecoder
from indexer.images.limits import ImageLimits
from indexer.images.source import LocalImages
from indexer.points import ImageFacts, Point, Vectors, payload_of, point_id
from indexer.settings import load_settings
from indexer.store.edge_store import EdgeStore
from indexer.store.port import Alias, BatchChange, VectorStore
from indexer.store.qdrant_gateway import QdrantGateway
from indexer.store.qdrant_options import ServerOptions
from indexer.store.qdrant_store import QdrantStore
from indexer.store.tuning import IndexTuning
from tests.embedders import Wrapped
from tests.points import DIM, made_up_product, made_up_space

LIMITS = ImageLimits()
SPACE = made_up_space()
ALIAS = Alias("products", SPACE.space_id)
CATEGORIES = (("Home", "Mugs"), ("Home", "Vases"), ("Clothes", "Hats"), ("Clothes", "Boots"))


class MadeUp(Wrapped):
    """Texts and pictures whose vectors the test decides: directions of categories and products, with some noise."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder)
        self.scale = LabelScale(20.0, -10.0)

    @property
    def space(self) -> Any:
        return SPACE

    @property
    def label_scale(self) -> LabelScale:
        return self.scale

    def embed_texts(self, texts: Any) -> Vectors:
        return np.stack([near(direction(int(text.split()[-1])), 0.9, hash_of(text)) for text in texts])

    def embed_images(self, pixels: Any) -> Vectors:
        return np.stack([unit(np.random.default_rng(int(item.sum()) % 2**32)) for item in pixels])


def hash_of(text: str) -> int:
    return sum(text.encode())


def unit(rng: np.random.Generator) -> Vectors:
    vector: Vectors = rng.standard_normal(DIM).astype(np.float32)
    one: Vectors = vector / np.float32(np.linalg.norm(vector))
    return one


def near(vector: Vectors, noise: float, seed: int) -> Vectors:
    moved = vector + np.float32(noise) * unit(np.random.default_rng([seed, 5]))
    one: Vectors = (moved / np.linalg.norm(moved)).astype(np.float32)
    return one


def direction(number: int) -> Vectors:
    """A product's: near its category's."""
    return near(unit(np.random.default_rng([number % len(CATEGORIES), 3])), 0.8, number)


def points(products: int, pictures: int) -> list[Point]:
    made = []
    for number in range(products):
        product = replace(
            made_up_product(f"p{number}"), title=f"Product {number}", category=CATEGORIES[number % len(CATEGORIES)]
        )
        for position in range(pictures):
            sha256 = f"{number:032x}{position:032x}"
            payload = payload_of(product, ImageFacts(position, f"images/{number}.jpg", "/nowhere", sha256))
            vector = near(direction(number), 0.25, number * 10 + position)
            made.append(Point(point_id(product.product_id, sha256), vector, payload))
    return made


def fill(store: VectorStore, made: list[Point]) -> str:
    with closing(store.writer(ALIAS, SPACE)) as writer:
        writer.write(BatchChange(points=tuple(made)))
        writer.publish()
    return store.current(ALIAS)


@pytest.fixture(params=["edge", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    tuning, options = IndexTuning(exact_below=500), ServerOptions()
    opened: VectorStore = (
        EdgeStore(tmp_path / "store", tuning, follow_s=0)
        if request.param == "edge"
        else QdrantStore(QdrantGateway(QdrantClient(":memory:"), tuning, options), options)
    )
    yield opened
    opened.close()


@pytest.fixture
def calibrator(store: VectorStore, tiny_embedder: Embedder) -> Calibrator:
    return Calibrator(store, Pictures(MadeUp(tiny_embedder), LocalImages(LIMITS), InProcessDecoder(LIMITS)))


def kept(store: VectorStore) -> Calibration | None:
    with closing(store.reader(ALIAS)) as reader:
        return Calibration.from_json(reader.annotation(ANNOTATION))


def test_a_catalog_with_several_pictures_is_calibrated_on_them(store: VectorStore, calibrator: Calibrator) -> None:
    made = points(120, 2)
    collection = fill(store, made)
    assert calibrator.is_due(collection)
    fitted = calibrator.serving(ALIAS)
    assert (fitted.collection, fitted.notes) == (collection, ())
    found = kept(store)
    assert found is not None
    assert fitted.calibration is not None
    assert (found.photo, found.text) == (fitted.calibration.photo, fitted.calibration.text)
    assert found.photo is not None
    assert found.text is not None
    assert not calibrator.is_due(collection)
    # another picture of a product is the same, one of another product of its kind is not, a stranger is nothing
    same = [float(made[number].vector @ made[number + 1].vector) for number in range(0, 240, 2)]
    others = [float(made[number].vector @ made[number + 8].vector) for number in range(0, 230, 2)]
    far = [float(made[number].vector @ made[number + 4].vector) for number in range(0, 230, 2)]
    assert np.mean([found.match(score, "photo") == "same" for score in same]) > 0.9
    assert np.mean([found.match(score, "photo") == "same" for score in others]) < 0.05
    assert np.mean([found.nothing_close([score], "photo") for score in far]) > 0.9
    assert found.photo.missed <= 0.02
    assert found.photo.reliability is not None
    assert found.photo.reliability.error < 0.05
    assert np.mean([found.probability(score, "photo") or 0 for score in same]) > 0.8
    # the probability of a text is the model's own
    assert found.probability(0.6, "text") == pytest.approx(1 / (1 + np.exp(-(20 * 0.6 - 10))))
    assert found.match(1.0, "text") == "similar"
    mains = np.stack([point.vector for point in made if point.payload.main])
    np.testing.assert_allclose(found.image_mean, mains.mean(axis=0), atol=1e-5)
    assert np.linalg.norm(found.text_mean) > 0


def test_it_is_due_again_when_the_catalog_has_grown(
    store: VectorStore, calibrator: Calibrator, tiny_embedder: Embedder
) -> None:
    fill(store, points(60, 2))
    told: list[str] = []
    calibrator.serving_if_due(ALIAS, lambda: told.append("first"))
    before = kept(store)
    assert before is not None
    fill(store, points(64, 2))
    calibrator.serving_if_due(ALIAS, lambda: told.append("grown a little"))
    after = kept(store)
    assert after is not None
    assert after.points == before.points == 120  # carried along
    fill(store, points(90, 2))
    pictures = Pictures(MadeUp(tiny_embedder), LocalImages(LIMITS), InProcessDecoder(LIMITS))
    idle = Calibrator(store, pictures, automatic=False)
    idle.serving_if_due(ALIAS, lambda: told.append("not wanted"))
    calibrator.serving_if_due(ALIAS, lambda: told.append("grown much"))
    last = kept(store)
    assert last is not None
    assert last.points == 180
    assert told == ["first", "grown much"]


def test_few_products_are_told_and_not_due(store: VectorStore, calibrator: Calibrator) -> None:
    collection = fill(store, points(MIN_PROBES - 1, 1))
    fitted = calibrator.serving(ALIAS)
    assert fitted.calibration is None
    assert f"{MIN_PROBES - 1} products" in fitted.notes[0]
    assert kept(store) is None
    assert not calibrator.is_due(collection)


def test_one_picture_a_product_that_cannot_be_fetched_leaves_photos_alone(
    store: VectorStore, calibrator: Calibrator
) -> None:
    fill(store, points(60, 1))
    fitted = calibrator.serving(ALIAS)
    assert fitted.calibration is not None
    assert fitted.calibration.photo is None
    assert fitted.calibration.text is not None
    assert "Photos" in fitted.notes[0]
    assert fitted.calibration.match(0.99, "photo") is None
    assert fitted.calibration.probability(0.99, "photo") is None


def test_a_model_without_a_bias_gives_texts_levels_alone(store: VectorStore, tiny_embedder: Embedder) -> None:
    fill(store, points(60, 2))
    embedder = MadeUp(tiny_embedder)
    embedder.scale = LabelScale(100.0, None)
    calibrator = Calibrator(store, Pictures(embedder, LocalImages(LIMITS), InProcessDecoder(LIMITS)))
    found = calibrator.serving(ALIAS).calibration
    assert found is not None
    assert found.probability(0.9, "text") is None
    assert found.match(1.0, "text") == "similar"
    assert found.match(-1.0, "text") is None


def test_a_calibration_outlives_an_index_run_that_ends_before_it(
    store: VectorStore, calibrator: Calibrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fill(store, points(60, 2))
    annotate = store.annotate
    seen: list[str] = []

    def late(collection: str, name: str, value: Any) -> None:
        annotate(collection, name, value)
        if not seen:  # a run publishes just after the first annotation was written
            fill(store, points(61, 2))
        seen.append(collection)

    monkeypatch.setattr(store, "annotate", late)
    fitted = calibrator.serving(ALIAS)
    assert seen[0] == first
    assert fitted.collection == store.current(ALIAS)
    assert kept(store) is not None


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample catalog with one or two pictures a product, and what shoppers ask."""
    folder = tmp_path_factory.mktemp("drawn") / "catalog"
    plan = Plan(products=54, image_size_px=96, seed=5, text_queries_per_language=13, photo_queries_per_change=10)
    write_catalog(folder, plan, workers=1)
    return folder


def test_an_index_run_calibrates_and_the_command_shows_it(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--data-dir", str(tmp_path / "data"), "--model", "demo", "--device", "cpu"]
    assert main(["index", str(drawn / "feed.xml"), *flags]) == 0
    settings = load_settings({"data_dir": tmp_path / "data"}, environment={}).settings
    store = EdgeStore(settings.data_dir / "store", settings.index_tuning(), follow_s=0)
    (collection,) = [status.collection for status in store.collections()]
    with closing(store.collection_reader(collection)) as reader:
        first = Calibration.from_json(reader.annotation(ANNOTATION))
    assert first is not None
    assert first.photo is not None
    # fewer than 50 of these products have a second picture, so changed copies were made of the files
    assert "changed copies" in first.photo.source
    capsys.readouterr()
    queries = drawn / "queries.jsonl"
    assert main(["calibrate", "--queries", str(queries), "--json", *flags]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["collection"] == collection
    labelled = Calibration.from_json(shown)
    assert labelled is not None
    assert labelled.photo is not None
    assert labelled.text is not None
    assert (labelled.photo.source, labelled.text.source) == ("labelled photos", "labelled texts")
    photos = [query for query in read_queries(queries, where={}) if query.image is not None]
    assert labelled.photo.queries == len(photos)
    assert main(["calibrate", *flags]) == 0
    table = capsys.readouterr().out
    assert "expected calibration error" in table
    assert "nothing close" in table
    store.close()


def test_calibrate_says_that_nothing_is_indexed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--data-dir", str(tmp_path / "data"), "--model", "demo", "--device", "cpu"]) == 2
    assert "Nothing is indexed" in capsys.readouterr().err


def test_photos_of_nothing_are_told_apart(drawn: Path) -> None:
    from indexer.calibration.scenes import empty_scene
    from indexer.calibration.shopper_photos import shopper_photo

    picture = Image.open(next((drawn / "images").iterdir())).convert("RGB")
    copies = [shopper_photo(picture, empty_scene(number), np.random.default_rng(number)) for number in range(8)]
    assert len({copy.tobytes() for copy in copies}) == 8
    assert all(copy.mode == "RGB" and min(copy.size) > 30 for copy in copies)
    again = shopper_photo(picture, empty_scene(3), np.random.default_rng(3))
    assert again.tobytes() == copies[3].tobytes()
    scenes = [empty_scene(number) for number in range(6)]
    assert {scene.mode for scene in scenes} == {"RGB"}
    assert len({scene.tobytes() for scene in scenes}) == 6
    assert empty_scene(4).tobytes() == scenes[4].tobytes()
