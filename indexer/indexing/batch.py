"""A batch of products on its way: as read, as prepared, as indexed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from indexer.embedding.port import Pixels
from indexer.errors import VitrineError
from indexer.ledger.port import BatchReport, Stage
from indexer.points import Point, StoredPoint
from indexer.products import CatalogProduct, RowError
from indexer.store.port import BatchChange


@dataclass(frozen=True, slots=True)
class ProductBatch:
    """Rows of a feed that are indexed together.

    Attributes:
        number: 0-based place in the run; the same feed always gives the same batches.
        products: at most 256, with at most as many pictures unless a single product has more.
        row_errors: rows in between that are no products.
        image_root: absolute folder that paths of pictures are relative to.
        part: tells apart what became of a batch that did not stay whole; empty for a whole one.
        as_of: version of products that have no ``updated_at``: when the feed was written; None if nobody knows.
        image_roots: by product id, where it is another folder than ``image_root``.
        deleted_ids: products of the feed that are left out because a newer event deleted them.
        event_position: events up to this sequence are in it.
        tenant: whose products they are, as the writer says that they are indexed with; empty without tenants.
    """

    number: int
    products: tuple[CatalogProduct, ...]
    row_errors: tuple[RowError, ...]
    image_root: str
    part: str = ""
    as_of: datetime | None = None
    image_roots: Mapping[str, str] = field(default_factory=dict)
    deleted_ids: tuple[str, ...] = ()
    event_position: int = 0
    tenant: str = ""

    def root_of(self, product_id: str) -> str:
        """The folder that paths of a product's pictures are relative to."""
        return self.image_roots.get(product_id, self.image_root)

    @property
    def key(self) -> str:
        """Names the batch within its run."""
        return f"{self.number}{self.part}"


@dataclass(frozen=True, slots=True)
class Picture:
    """Where a picture lies, and the hash that its bytes had when it was indexed; see ``PointPayload``."""

    ref: str
    root: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ImageOutcome:
    """What became of one picture of a product.

    Attributes:
        position, ref, root: which picture.
        sha256: of its bytes, empty if they could not be had.
        size_px: width and height.
        validator: see ``FetchedImage``.
        is_known: the product already has a point with this content, here or in the donor.
        is_shared: another picture of the batch has the same content and is the one that is embedded.
        error, stage: why and where it failed; None and FETCH if it did not.
    """

    position: int
    ref: str
    root: str
    sha256: str = ""
    size_px: tuple[int, int] = (0, 0)
    validator: str = ""
    is_known: bool = False
    is_shared: bool = False
    error: VitrineError | None = None
    stage: Stage = Stage.FETCH


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch whose pictures are fetched, compared and decoded.

    Attributes:
        batch: as read.
        existing: the products' points as they are in the store.
        outcomes: for each product, one entry for each of its pictures, in order.
        shas: content hashes of the pictures that must be embedded, each once.
        pixels: uint8 (B, S, S, 3), in the order of ``shas``.
        donated: the products' points in another collection of the same space.
    """

    batch: ProductBatch
    existing: Mapping[str, tuple[StoredPoint, ...]]
    outcomes: tuple[tuple[ImageOutcome, ...], ...]
    shas: tuple[str, ...]
    pixels: Pixels
    donated: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IndexedBatch:
    """What is left to do for a batch: write the change, record the report.

    Attributes:
        change: of all its products.
        report: of the products that are settled.
        deferred: products with pictures that could not be had now but may be later; in no report yet.
    """

    change: BatchChange
    report: BatchReport
    deferred: tuple[CatalogProduct, ...] = ()
