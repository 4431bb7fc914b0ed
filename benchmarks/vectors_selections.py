"""Filters of known selectivity: on payload fields in the store, on the made-up products in the truth.

Brand, price and stock were drawn without regard to what a picture looks like, which is the hard case: what fulfils the
filter is spread over the whole graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.vectors_collection import brand_of
from benchmarks.vectors_data import Products
from benchmarks.vectors_truth import Mask
from indexer.store.filters import AnyOf, Filter, Range


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter: on a payload field in the store, on the made-up products in the truth."""

    name: str
    mask: Mask
    where: Filter | None = None


def _every(products: Products) -> NDArray[np.bool_]:
    return np.ones(len(products.pictures), dtype=np.bool_)


SELECTIONS = {
    item.name: item
    for item in (
        Selection("all", _every),
        Selection(
            "0.1 %",
            lambda products: products.brand == 0,
            AnyOf("brand", (brand_of(0),)),
        ),
        Selection(
            "1 %",
            lambda products: products.brand == 1,
            AnyOf("brand", (brand_of(1),)),
        ),
        Selection(
            "10 %",
            lambda products: products.price_minor < 10_000,
            Range("price_minor", lt=10_000),
        ),
        Selection(
            "50 %",
            lambda products: products.in_stock,
            AnyOf("in_stock", (True,)),
        ),
    )
}
