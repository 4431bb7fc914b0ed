"""Messages: what is sent comes back whole, what is wrong is told by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from indexer.errors import MessageInvalid
from indexer.products import CatalogProduct, RowError
from tests.points import made_up_product
from workers.messages import BatchMessage, DispatchMessage, FinishMessage, read_message

SPACE_ID = "0123456789ab"


def message(**changes: Any) -> dict[str, Any]:
    batch = BatchMessage(
        run_id="r1",
        space_id=SPACE_ID,
        number=12,
        part="~1",
        attempt=1,
        catalog="products",
        collection="products--0123456789ab--000001",
        image_root="/feeds",
        as_of=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        products=(
            made_up_product("p1", pictures=2),
            CatalogProduct("p2", "ü 图 \u2028", ("a.jpg",), updated_at=datetime(2026, 1, 2, tzinfo=UTC), line=7),
        ),
        row_errors=(RowError(3, "p9", "price is no price"),),
    )
    return batch.to_json() | changes


def test_a_batch_comes_back_whole() -> None:
    read = read_message(BatchMessage, json.loads(json.dumps(message())))
    assert read.key == "12~1"
    batch = read.batch()
    assert (batch.number, batch.part, batch.image_root) == (12, "~1", "/feeds")
    assert batch.products[0] == made_up_product("p1", pictures=2)
    assert (batch.products[1].title, batch.products[1].line) == ("ü 图 \u2028", 7)
    assert batch.products[1].updated_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert batch.row_errors == (RowError(3, "p9", "price is no price"),)
    assert batch.as_of == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert batch.products[0].image_refs == ("images/p1-0.jpg", "images/p1-1.jpg")


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (message(v=2), "version 2"),
        (message(v="1"), "version '1'"),
        ({}, "run_id"),
        (message(surprise=1), "surprise"),
        (message(number=-1), "number"),
        (message(space_id="../../etc"), "space_id"),
        (message(part="\n"), "part"),
        (message(products=[{"product_id": "p1"}]), "products.0.title"),
        (message(products=[{"product_id": "p1", "title": "t", "image_refs": "a.jpg"}]), "products.0.image_refs"),
        ([], "the message"),
        (None, "the message"),
        ("{", "JSON"),
        (b"\xff", "JSON"),
    ],
)
def test_what_is_wrong_is_named(value: Any, named: str) -> None:
    with pytest.raises(MessageInvalid, match=named):
        read_message(BatchMessage, value)


def test_a_message_of_another_kind_is_refused() -> None:
    finish = FinishMessage(run_id="r1", space_id=SPACE_ID).to_json()
    with pytest.raises(MessageInvalid):
        read_message(BatchMessage, finish)
    assert read_message(DispatchMessage, finish).run_id == "r1"
