"""Exactly one picture of a product is its main one, whatever becomes of its pictures."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import ImageFetchFailed
from indexer.events.apply import _payload_updates
from indexer.events.merge import Patched, Replaced
from indexer.indexing.batch import ImageOutcome, ProductBatch
from indexer.indexing.change import AtHand, change_of, payload_updates
from indexer.points import Point, PointPayload, StoredPoint, point_id, with_main
from indexer.products import CatalogProduct
from tests.points import DIM, made_up_point, made_up_product

Product = dict[UUID, PointPayload]
NO_VECTOR = np.zeros(DIM, dtype=np.float32)


def sha_of(picture: int) -> str:
    return hashlib.sha256(str(picture).encode()).hexdigest()


def indexed(product: Product, pictures: list[int | None], donor: Product | None = None) -> Product:
    """What a run makes of a product: pictures told by number, None for one that cannot be had."""
    known = made_up_product("p1", pictures=len(pictures))
    outcomes = [
        ImageOutcome(position, f"{position}.jpg", "", error=ImageFetchFailed("host away"))
        if picture is None
        else ImageOutcome(position, f"{position}.jpg", "", sha_of(picture), (9, 9))
        for position, picture in enumerate(pictures)
    ]
    existing = tuple(StoredPoint(identity, payload) for identity, payload in product.items())
    vectors = {sha_of(picture): NO_VECTOR for picture in pictures if picture is not None}
    donated = {"p1": tuple(Point(identity, NO_VECTOR, payload) for identity, payload in (donor or {}).items())}
    at_hand = AtHand({"p1": existing} if existing else {}, vectors, donated)
    change = change_of(ProductBatch(0, (known,), (), ""), [outcomes], at_hand).change
    after = product | {point.id: point.payload for point in change.points}
    for update in change.payloads:
        # as a store does that writes the changed fields alone
        before = after[update.id]
        assert update.changed
        values = {name: getattr(update.payload, name) for name in update.changed if hasattr(before, name)}
        after[update.id] = replace(before, **{name: value for name, value in values.items() if name in FIELDS})
        assert after[update.id] == update.payload
    return {identity: payload for identity, payload in after.items() if identity not in change.deletions}


FIELDS = set(PointPayload.__dataclass_fields__)


def main_of(product: Product) -> list[int]:
    return [payload.position for payload in product.values() if payload.main]


def test_the_lowest_picture_that_is_indexed_is_the_main_one() -> None:
    first = indexed({}, [None, 1, 2])
    assert main_of(first) == [1]
    came_back = indexed(first, [0, 1, 2])
    assert main_of(came_back) == [0]
    assert len(came_back) == 3
    gone = indexed(came_back, [1, 2])
    assert (main_of(gone), len(gone)) == ([0], 2)
    assert gone[point_id("p1", sha_of(1))].main
    # one that cannot be had today stays, with the place it had
    kept = indexed(gone, [None, 2])
    assert kept == gone


def test_copied_pictures_have_one_too() -> None:
    donor = indexed({}, [0, 1, 2])
    assert main_of(indexed({}, [None, 1, 2], donor)) == [0]
    assert main_of(indexed({}, [None, None, 2], indexed({}, [None, 1, 2]))) == [1]


@given(st.lists(st.lists(st.none() | st.integers(0, 4), min_size=1, max_size=4), min_size=1, max_size=6), st.booleans())
def test_one_is_marked_whatever_comes(runs: list[list[int | None]], of_earlier_version: bool) -> None:
    product: Product = {}
    for pictures in runs:
        product = indexed(product, pictures)
        if of_earlier_version:
            of_earlier_version = False
            product = {identity: replace(payload, main=None) for identity, payload in product.items()}
            continue
        if product:
            assert main_of(product) == [min(payload.position for payload in product.values())][:1]
        assert all(isinstance(payload.main, bool) for payload in product.values())
        assert indexed(product, pictures) == product  # the same again changes nothing


def test_an_event_marks_what_an_earlier_version_wrote() -> None:
    points = [
        StoredPoint(item.id, replace(item.payload, main=None))
        for item in (made_up_point("p1", position, seed=position) for position in (2, 1))
    ]
    for outcome in (Patched({"price_minor": 7}), Replaced(made_up_product("p1", price_minor=7), "")):
        updates = _payload_updates(points, outcome)
        assert {update.payload.position: update.payload.main for update in updates} == {1: True, 2: False}
        assert all({"main", "category_path", "identifiers", "price_minor"} <= update.changed for update in updates)


def test_derived_fields_change_with_their_sources_alone() -> None:
    before = made_up_point("p1", 0, seed=1).payload
    assert replace(before, price_minor=7, in_stock=False).changed_fields(before) == {"price_minor", "in_stock"}
    assert replace(before, category=("Toys",)).changed_fields(before) == {"category", "category_path"}
    assert replace(before, attributes={}).changed_fields(before) == {"attributes", "attribute_names", "identifiers"}
    assert before.changed_fields(before) == frozenset()


def test_derived_fields_are_written_and_need_not_be_read() -> None:
    product = CatalogProduct(
        "P-1", "Mug", ("a.jpg",), category=("Home", "Kitchen"), attributes={"size": "L", "gtin": "4006 3813"}
    )
    (point,) = indexed_product(product).values()
    value = point.to_json()
    assert value["category_path"] == ["Home", "Home > Kitchen"]
    assert value["attribute_names"] == ["gtin", "size"]
    assert value["identifiers"] == ["p1", "40063813"]
    assert value["main"] is True
    assert PointPayload.from_json(value) == point
    old = {name: held for name, held in value.items() if name not in ("main", "category_path", "identifiers")}
    read = PointPayload.from_json(old)
    assert read.main is None
    assert read != point
    (update,) = payload_updates([StoredPoint(UUID(int=1), read)], with_main({UUID(int=1): read}))
    assert update.payload == point
    assert update.changed == {"main", "category_path", "attribute_names", "identifiers"}


def indexed_product(product: CatalogProduct) -> Product:
    outcome = ImageOutcome(0, "a.jpg", "", sha_of(1), (9, 9))
    change = change_of(ProductBatch(0, (product,), (), ""), [[outcome]], AtHand({}, {sha_of(1): NO_VECTOR})).change
    return {point.id: point.payload for point in change.points}
