"""Tags: told from stored vectors, kept by what the feed changes, filtered and counted like attributes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient

from indexer.cli.main import main
from indexer.embedding.port import Embedder, LabelScale
from indexer.indexing.batch import ImageOutcome, ProductBatch
from indexer.indexing.change import AtHand, change_of
from indexer.points import ImageFacts, Point, StoredPoint, Vectors, payload_of, point_id
from indexer.store.edge_store import EdgeStore
from indexer.store.filters import AnyOf, attribute_field
from indexer.store.port import Alias, BatchChange, VectorStore
from indexer.store.qdrant_gateway import QdrantGateway
from indexer.store.qdrant_options import ServerOptions
from indexer.store.qdrant_store import QdrantStore
from indexer.store.queries import FacetQuery, SearchQuery
from indexer.store.tuning import IndexTuning
from indexer.tagging.catalog import TagCounts, tag_catalog
from indexer.tagging.tagger import Tagger
from indexer.tagging.taxonomy import Taxonomy
from tests.embedders import Wrapped
from tests.pictures import draw_catalog
from tests.points import DIM, made_up_product, made_up_space

SPACE = made_up_space()
ALIAS = Alias("products", SPACE.space_id)
COLORS = ("red", "green", "blue")
TAXONOMY = Taxonomy.model_validate(
    {
        "templates": ["a {} thing", "{}"],
        "attributes": {"color": {"values": list(COLORS)}, "kind": {"values": ["x", "y"], "min_probability": 0.6}},
    }
)


class Words(Wrapped):
    """A text lies in the direction of its color, else in one that is no product's."""

    @property
    def space(self) -> Any:
        return SPACE

    @property
    def label_scale(self) -> LabelScale:
        return LabelScale(20.0, -10.0)

    def embed_texts(self, texts: Any) -> Vectors:
        return np.stack([vector_of(next((word for word in text.split() if word in COLORS), text)) for text in texts])


def vector_of(word: str) -> Vectors:
    vector = np.zeros(DIM, dtype=np.float32)
    place = COLORS.index(word) if word in COLORS else 5 + len(word) % 3
    vector[place] = 1
    return vector


def colored(number: int, position: int = 0, color: str = "") -> Point:
    """A picture of a product whose feed says red, of the color that the vector says."""
    sha256 = hashlib.sha256(f"{number}-{position}-{color}".encode()).hexdigest()
    product = made_up_product(f"p{number:03d}")
    facts = ImageFacts(position, f"images/{number}-{position}.jpg", "/feed", sha256, 10, 10)
    vector = vector_of(color or COLORS[number % 3]) + np.float32(0.1) * vector_of("noise")
    unit: Vectors = (vector / np.linalg.norm(vector)).astype(np.float32)
    return Point(point_id(product.product_id, sha256), unit, payload_of(product, facts))


@pytest.fixture(params=["edge", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    tuning, options = IndexTuning(exact_below=500, facet_attributes=("color", "tag.color")), ServerOptions()
    opened: VectorStore = (
        EdgeStore(tmp_path / "store", tuning, follow_s=0)
        if request.param == "edge"
        else QdrantStore(QdrantGateway(QdrantClient(":memory:"), tuning, options), options)
    )
    yield opened
    opened.close()


@pytest.fixture
def embedder(tiny_embedder: Embedder) -> Embedder:
    return Words(tiny_embedder)


def write(store: VectorStore, change: BatchChange) -> None:
    with closing(store.writer(ALIAS, SPACE)) as writer:
        writer.write(change)
        writer.publish()


def tag(store: VectorStore, embedder: Embedder, taxonomy: Taxonomy = TAXONOMY, *, dry_run: bool = False) -> TagCounts:
    tagger = Tagger(taxonomy, embedder)
    return tag_catalog(store, ALIAS, embedder, tagger, lambda *_: None, dry_run=dry_run)


def stored(store: VectorStore, product_id: str) -> tuple[StoredPoint, ...]:
    with closing(store.reader(ALIAS)) as reader:
        return reader.product_points([product_id])[product_id]


def test_tags_are_written_found_and_counted(store: VectorStore, embedder: Embedder) -> None:
    write(store, BatchChange(points=tuple(colored(number) for number in range(300))))
    before = stored(store, "p001")[0].payload
    tried = tag(store, embedder, dry_run=True)
    assert stored(store, "p001")[0].payload == before
    counts = tag(store, embedder)
    assert (counts.products, counts.pictures, counts.changed) == (300, 300, 300)
    assert (tried.values, tried.changed) == (counts.values, counts.changed)
    assert counts.values["color"] == {"red": 100, "green": 100, "blue": 100}
    assert "kind" not in counts.values  # neither value is likelier than the other
    assert (counts.known["color"], counts.agreeing["color"]) == (300, 100)  # the feed says red of each
    payload = stored(store, "p001")[0].payload
    assert payload.tags == {"color": "green"}
    assert 0.99 < payload.tag_probabilities["color"] <= 1
    assert payload.attributes == before.attributes
    assert payload.attribute_names == ["color", "tag.color"]
    field = attribute_field("tag.color")
    with closing(store.reader(ALIAS)) as reader:
        assert {item.value: item.count for item in reader.facet(FacetQuery(field))} == counts.values["color"]
        names = {item.value: item.count for item in reader.facet(FacetQuery("attribute_names"))}
        assert names == {"color": 300, "tag.color": 300}
        blue = AnyOf(field, ("blue",))
        assert reader.count_products(blue) == 100
        hits = reader.search(SearchQuery(vector_of("red"), 5, where=blue)).hits
        assert {hit.point.payload.tags["color"] for hit in hits} == {"blue"}
    collection = store.current(ALIAS)
    again = tag(store, embedder)
    assert (again.changed, store.current(ALIAS)) == (0, collection)


def test_another_taxonomy_takes_the_place_of_the_first(store: VectorStore, embedder: Embedder) -> None:
    write(store, BatchChange(points=tuple(colored(number) for number in range(6))))
    tag(store, embedder)
    other = Taxonomy.model_validate(
        {
            "templates": ["{}"],
            "attributes": {"shade": {"values": {"warm": "red", "cold": "blue"}, "min_probability": 0.6}},
        }
    )
    tag(store, embedder, other)
    assert stored(store, "p000")[0].payload.tags == {"shade": "warm"}
    assert stored(store, "p001")[0].payload.tags == {}  # green is neither
    assert stored(store, "p001")[0].payload.tag_probabilities == {}
    with closing(store.reader(ALIAS)) as reader:
        assert reader.facet(FacetQuery(attribute_field("tag.color"))) == ()


def outcome(point: Point) -> ImageOutcome:
    payload = point.payload
    return ImageOutcome(payload.position, payload.image_ref, payload.image_root, payload.image_sha256, (10, 10))


def test_a_feed_leaves_tags_and_a_changed_picture_has_none(store: VectorStore, embedder: Embedder) -> None:
    main, side = colored(0, 0, "red"), colored(0, 1, "blue")
    write(store, BatchChange(points=(main, replace(side, payload=replace(side.payload, main=False)))))
    tag(store, embedder)
    kept = {point.id: point.payload.tags for point in stored(store, "p000")}
    assert kept == {main.id: {"color": "red"}, side.id: {"color": "blue"}}
    new = colored(0, 0, "green")
    product = made_up_product("p000", price_minor=777, pictures=2)
    batch = ProductBatch(1, (product,), (), "/feed")
    at_hand = AtHand({"p000": stored(store, "p000")}, {new.payload.image_sha256: new.vector})
    write(store, change_of(batch, [[outcome(main), outcome(side)]], at_hand).change)  # only the price is another one
    assert {point.id: point.payload.tags for point in stored(store, "p000")} == kept
    assert {point.payload.price_minor for point in stored(store, "p000")} == {777}
    at_hand = AtHand({"p000": stored(store, "p000")}, {new.payload.image_sha256: new.vector})
    write(store, change_of(batch, [[outcome(new), outcome(side)]], at_hand).change)
    assert {point.id: point.payload.tags for point in stored(store, "p000")} == {new.id: {}, side.id: {"color": "blue"}}
    assert tag(store, embedder).changed == 1
    assert stored(store, "p000")[0].payload.tags == {"color": "green"}


def test_a_reindex_takes_tags_along_with_the_vector(store: VectorStore, embedder: Embedder) -> None:
    point = colored(1)
    write(store, BatchChange(points=(point,)))
    tag(store, embedder)
    donated = {"p001": (replace(point, payload=stored(store, "p001")[0].payload),)}
    batch = ProductBatch(1, (made_up_product("p001", price_minor=5),), (), "/feed")
    (copied,) = change_of(batch, [[outcome(point)]], AtHand({}, {}, donated)).change.points
    assert (copied.payload.tags, copied.payload.price_minor) == ({"color": "green"}, 5)


def test_what_an_interrupted_call_wrote_is_not_written_again(store: VectorStore, embedder: Embedder) -> None:
    write(store, BatchChange(points=tuple(colored(number) for number in range(600))))

    def stop(counts: TagCounts, total: int) -> None:
        assert total == 600
        if counts.products >= 512:
            raise KeyboardInterrupt

    tagger = Tagger(TAXONOMY, embedder)
    with pytest.raises(KeyboardInterrupt):
        tag_catalog(store, ALIAS, embedder, tagger, stop, dry_run=False)
    assert tag(store, embedder).changed == 600 - 512
    assert tag(store, embedder).changed == 0


def test_the_command_tags_a_real_index(tmp_path: Path, tiny_model: str, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = draw_catalog(tmp_path / "catalog", products=4)
    flags = ["--data-dir", str(tmp_path / "data"), "--model", tiny_model, "--device", "cpu"]
    assert main(["index", str(drawn.feed), *flags]) == 0
    capsys.readouterr()
    taxonomy = tmp_path / "mine.json"
    words = {"attributes": {"color": {"values": ["red", "blue"], "min_probability": 0}}}
    taxonomy.write_text(json.dumps(words), "utf-8")
    assert main(["tag", "--taxonomy", str(taxonomy), "--dry-run", *flags]) == 0
    assert "4 would be tagged anew" in capsys.readouterr().out
    assert main(["tag", "--taxonomy", str(taxonomy), "--json", *flags]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["products"], told["changed"], sum(told["values"]["tag.color"].values())) == (4, 4, 4)
    assert main(["index", str(drawn.feed), *flags]) == 0  # the feed again
    assert main(["tag", "--taxonomy", str(taxonomy), *flags]) == 0
    assert "0 tagged anew, 4 unchanged" in capsys.readouterr().out
    assert main(["tag", "--taxonomy", str(tmp_path / "none.toml"), *flags]) == 2
    assert "none.toml" in capsys.readouterr().err
