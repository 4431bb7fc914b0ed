"""What decides how a collection is built and searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Quantization = Literal["none", "int8", "4bit"]
"""How the copies of the vectors that searches compare are kept in memory; the originals rescore what they find."""

DEFAULT_FACET_ATTRIBUTES = ("color", "size", "material", "pattern", "gender", "season", "age_group")
"""Google's attributes that shops filter by."""

_BYTES_PER_KB = 1024
_FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True)
class IndexTuning:
    """Build and search parameters of the approximate index.

    Attributes:
        exact_below: with fewer points than this all vectors are compared, which is exact and fast enough; from there on
            the HNSW graph and int8 quantization are built.
        hnsw_m: edges of a graph node (Malkov & Yashunin 2016).
        hnsw_ef_construct: candidates while the graph is built.
        hnsw_ef: candidates while it is searched, at least the number of points fetched.
        oversampling: how many times the points wanted are fetched by quantized vectors, then rescored by the originals.
        quantization: of a collection when it is made, for good; searches with ``none`` compare the originals in any.
        facet_attributes: names of attributes, in lower case, with a payload index of their own.
        sealed_at: points that the embedded engine keeps in memory while a new collection is filled, before they are put
            away on disk.
        tenants: whether new collections are for the products of several tenants.
    """

    exact_below: int = 10_000
    hnsw_m: int = 16
    hnsw_ef_construct: int = 128
    hnsw_ef: int = 512
    oversampling: float = 2.0
    quantization: Quantization = "int8"
    facet_attributes: tuple[str, ...] = DEFAULT_FACET_ATTRIBUTES
    sealed_at: int = 20_000
    tenants: bool = False

    def exact_below_kb(self, dim: int) -> int:
        """``exact_below`` as the engine counts: kilobytes of float32 vectors of that dimension, at least 1."""
        return max(1, self.exact_below * dim * _FLOAT32_BYTES // _BYTES_PER_KB)
