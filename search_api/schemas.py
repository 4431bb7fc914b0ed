"""What the API takes and gives, as OpenAPI describes it; kept stable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from indexer.products import is_remote
from search_api.access import Scope
from search_api.embedding_source import EmbeddingSource

if TYPE_CHECKING:  # what the functions below are given; programs that use the client need no more than pydantic
    from indexer.points import PointPayload, StoredPoint
    from indexer.store.queries import Hit

MAX_LIMIT = 100
MAX_OFFSET = 1000

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Products wanted.")]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET, description="Products to skip.")]


class TextQuery(BaseModel):
    """A search by text, in any language of the model."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description="What to search for, e.g. “red mug”.", examples=["red mug"])
    limit: Limit = 20
    offset: Offset = 0


class ImageLink(BaseModel):
    """Where a product's picture can be had."""

    url: str = Field(description="Of this API for local pictures (with ?size=thumbnail a small one), else the feed's.")
    position: int = Field(description="0 is the main picture.")


class ProductImage(ImageLink):
    """One of a product's pictures."""

    width_px: int
    height_px: int


class ProductHit(BaseModel):
    """A found product, with the picture that matched best."""

    product_id: str
    score: float = Field(description="Cosine of query and picture, -1 to 1; higher is nearer. Not a probability.")
    title: str
    price_minor: int | None = Field(description="In minor units: 1290 is 12.90 EUR, 500 is 500 JPY.")
    currency: str = Field(description="ISO 4217, empty without a price.")
    brand: str
    category: list[str] = Field(description="Path from the root of the category tree.")
    link: str
    image: ImageLink


class Timings(BaseModel):
    """Milliseconds a request spent in each stage, waiting included."""

    decode: float
    embed: float
    search: float
    total: float
    embedding_source: EmbeddingSource = Field(
        description="Where the query's vector came from: the model, another request with the same query at the same "
        "time (shared), the cache of earlier queries, or the index (similar products)."
    )


class SearchResponse(BaseModel):
    """Products, best first, each once."""

    hits: list[ProductHit]
    space_id: str = Field(description="The embedding space that the query and the products share.")
    collection: str = Field(description="The physical collection that answered.")
    timings_ms: Timings


class ProductResponse(BaseModel):
    """All that is indexed of a product."""

    product_id: str
    title: str
    description: str
    link: str
    category: list[str]
    brand: str
    price_minor: int | None
    currency: str
    in_stock: bool | None
    item_group_id: str
    attributes: dict[str, str]
    updated_at: str
    images: list[ProductImage]


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    code: str = Field(description="Stable; programs may compare it.")
    detail: str
    field: str = Field(default="", description="Of a request that does not fit: where.")
    request_id: str = Field(default="", description="As in the header X-Request-ID; the server's log has it too.")


def image_url(payload: PointPayload) -> str:
    """Where a picture can be had: the feed's own URL, or this API's for a local file."""
    if is_remote(payload.image_ref):
        return payload.image_ref
    return f"/v1/products/{quote(payload.product_id, safe='')}/images/{payload.position}"


def product_hit(hit: Hit) -> ProductHit:
    """A hit as the API shows it."""
    payload = hit.point.payload
    return ProductHit(
        product_id=hit.product_id,
        score=round(hit.score, 6),
        title=payload.title,
        price_minor=payload.price_minor,
        currency=payload.currency,
        brand=payload.brand,
        category=list(payload.category),
        link=payload.link,
        image=ImageLink(url=image_url(payload), position=payload.position),
    )


def product_response(points: tuple[StoredPoint, ...]) -> ProductResponse:
    """A product as the API shows it, from its points in order of position."""
    main = points[0].payload
    return ProductResponse(
        product_id=main.product_id,
        title=main.title,
        description=main.description,
        link=main.link,
        category=list(main.category),
        brand=main.brand,
        price_minor=main.price_minor,
        currency=main.currency,
        in_stock=main.in_stock,
        item_group_id=main.item_group_id,
        attributes=dict(main.attributes),
        updated_at=main.updated_at,
        images=[
            ProductImage(
                url=image_url(point.payload),
                position=point.payload.position,
                width_px=point.payload.width_px,
                height_px=point.payload.height_px,
            )
            for point in points
        ],
    )


class SessionResponse(BaseModel):
    """Somebody is signed in on the page; the cookie itself is in a header."""

    key: str = Field(description="What the key is called.")
    scopes: list[Scope] = Field(description="What the session may do: search, embed.")
    tenant: str = Field(description="Whose products it sees; empty: no tenant is named.")
