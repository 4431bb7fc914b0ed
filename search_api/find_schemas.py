"""What ``POST /v1/search`` and ``POST /v1/duplicates`` take and give, as OpenAPI describes it; kept stable."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from search_api.filter_schemas import FilterNode
from search_api.schemas import MAX_LIMIT, ImageLink, ProductHit

MAX_PHOTOS = 4
MAX_TEXTS = 8
MAX_PRODUCTS = 32
MAX_FACETS = 20
MAX_CURSOR_CHARS = 200_000

Weight = Annotated[
    float, Field(gt=0, le=10, allow_inf_nan=False, description="How much it counts beside the others; 1 if not given.")
]
ProductId = Annotated[str, Field(min_length=1, max_length=512)]
Side = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Strict(BaseModel):
    """Refuses what it does not know: a misspelt field is never ignored."""

    model_config = ConfigDict(extra="forbid")


class PhotoPart(_Strict):
    """A shopper's photo: a file of the form, or its bytes in base64."""

    file: str = Field(default="", max_length=100, description="Name of the form's field that holds the photo.")
    data: str = Field(default="", description="The photo's bytes in base64, where the request is JSON.")
    box: tuple[Side, Side, Side, Side] | None = Field(
        default=None, description="Left, top, right, bottom of the object, as shares of width and height: 0 to 1."
    )
    region: Literal["whole", "auto"] = Field(
        default="whole",
        description="auto: the photo and the object found in it are both searched, and the nearer one wins.",
    )
    weight: Weight = 1.0

    @model_validator(mode="after")
    def _one_photo(self) -> PhotoPart:
        if bool(self.file) == bool(self.data):
            raise ValueError("name the form's field in 'file', or give the bytes in 'data'; one of the two")
        if self.box is not None and self.region == "auto":
            raise ValueError("a box says where the object is; region=auto looks for it: give one of the two")
        return self


class TextPart(_Strict):
    """Words, in any language of the model."""

    text: str = Field(examples=["but red"])
    weight: Weight = 1.0


class ProductPart(_Strict):
    """A product's picture as a query."""

    product_id: ProductId
    position: int | None = Field(default=None, ge=0, description="Which of its pictures; the main one if not given.")
    weight: Weight = 1.0


class Opinion(_Strict):
    """A product that the shopper likes, or does not."""

    product_id: ProductId
    weight: Weight = 1.0


class FindQuery(_Strict):
    """One query of many parts; with no part at all the catalog is browsed by filter and sort."""

    photos: list[PhotoPart] = Field(default=[], max_length=MAX_PHOTOS)
    products: list[ProductPart] = Field(
        default=[], max_length=MAX_PRODUCTS, description="They are left out of the hits."
    )
    texts: list[TextPart] = Field(default=[], max_length=MAX_TEXTS)
    liked: list[Opinion] = Field(default=[], max_length=MAX_PRODUCTS, description="Left out of the hits.")
    disliked: list[Opinion] = Field(default=[], max_length=MAX_PRODUCTS, description="Left out of the hits.")
    negative_texts: list[TextPart] = Field(default=[], max_length=MAX_TEXTS, description="What it should not be.")
    filter: FilterNode | None = Field(default=None, description="Which products may be found at all.")
    facets: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default=[],
        max_length=MAX_FACETS,
        description="brand, category, price, in_stock, or any attribute, such as color.",
    )
    facet_scope: Literal["results", "catalog"] | None = Field(
        default=None,
        description="What is counted: the products that the query finds (default where there is one), or all that the "
        "filter lets through.",
    )
    sort: Literal["relevance", "price_asc", "price_desc", "newest"] = Field(
        default="relevance",
        description="By price or date: only what is relevant enough, products without a price last.",
    )
    group_by: Literal["product", "item_group"] = Field(
        default="product", description="item_group: variants of one product are one hit."
    )
    limit: int = Field(default=24, ge=1, le=MAX_LIMIT, description="Products wanted.")
    cursor: str | None = Field(
        default=None,
        max_length=MAX_CURSOR_CHARS,
        description="From the answer before; the rest of the query as it was.",
    )
    hybrid: Literal["auto", "off"] = Field(
        default="auto",
        description="auto: words of a text query are also looked up in titles, brands, attributes and numbers.",
    )
    diversity: float = Field(
        default=0.0, ge=0, le=1, allow_inf_nan=False, description="0: nearest first; higher: unlike each other, too."
    )
    collapse_duplicates: bool = Field(
        default=False, description="The same picture of several sellers is one hit with offers."
    )
    min_match: Literal["related", "similar", "same"] | None = Field(
        default=None, description="Only hits that are at least so near; needs a calibrated collection."
    )
    explain: bool = Field(default=False, description="Whether each hit says what it owes to each part of the query.")


class MatchedImage(ImageLink):
    """A picture of the product that matched."""

    score: float = Field(description="Cosine of query and picture.")


class Variant(BaseModel):
    """Another product of the hit's item group that was found."""

    product_id: str
    title: str
    image: ImageLink


class Offer(BaseModel):
    """Another product with the same picture."""

    product_id: str
    title: str
    price_minor: int | None
    currency: str
    brand: str
    link: str


class Contribution(BaseModel):
    """What one part of the query adds to a hit's score; all of a hit's add up to its score."""

    kind: Literal["photo", "product", "text", "liked", "disliked", "negative_text", "catalog"] = Field(
        description="catalog: what every picture of the catalog would get, from the mean of its pictures."
    )
    label: str = Field(description="The text, the product's id, or which photo it was.")
    contribution: float


class Explanation(BaseModel):
    """Why a product was found."""

    image: MatchedImage = Field(description="The picture that matched.")
    parts: list[Contribution]
    lexical_terms: list[str] = Field(description="Words of the query that stand in the product's texts.")
    heat_map_url: str | None = Field(
        description="Places of that picture that agree with the query, as a PNG to lay over it; null for pictures on "
        "other hosts. POST a photo to the same path, without its query string, for the photo's own."
    )


class FoundProduct(ProductHit):
    """A hit."""

    match: Literal["same", "similar", "related"] | None = Field(description="None where nothing is calibrated.")
    probability: float | None = Field(description="That it is what was asked for; None where nothing is calibrated.")
    images: list[MatchedImage] = Field(description="All pictures of it that were found, best first.")
    in_stock: bool | None
    attributes: dict[str, str]
    item_group_id: str
    variants: list[Variant]
    offers: list[Offer]
    explanation: Explanation | None


class FacetCountModel(BaseModel):
    """A value and how many products have it."""

    value: str | bool
    count: int
    selected: bool = Field(description="Whether the filter names it.")


class ValuesFacet(BaseModel):
    """Values by number of products; a facet's own choice in the filter does not hide its other values."""

    kind: Literal["values"] = "values"
    values: list[FacetCountModel]


class RangeFacet(BaseModel):
    """Least and greatest price."""

    kind: Literal["range"] = "range"
    min_minor: int | None
    max_minor: int | None
    currency: str


class RegionNote(BaseModel):
    """What was searched of a photo."""

    photo: int = Field(description="Its place in the query's list.")
    won: Literal["crop", "whole"]
    box: tuple[float, float, float, float] | None
    note: str


class FindTimings(BaseModel):
    """Milliseconds: of embedding all parts (side by side), of the store's answers, of everything."""

    embed: float
    search: float
    facets: float
    total: float


class FindResponse(BaseModel):
    """Products in the order asked for, each once."""

    hits: list[FoundProduct]
    nothing_close: bool = Field(description="The hits are the nearest there are, but none is close.")
    facets: dict[str, ValuesFacet | RangeFacet]
    facets_over: int | None = Field(description="Products that the facets count; None where none were asked for.")
    cursor: str | None = Field(description="For the next page; None where there is none.")
    total: int | None = Field(description="Products in all pages together, where that is known exactly.")
    regions: list[RegionNote]
    notes: list[str] = Field(description="What was done otherwise than asked, in sentences.")
    space_id: str
    collection: str
    timings_ms: FindTimings


class DuplicateHit(BaseModel):
    """A product that shows the picture."""

    product_id: str
    score: float = Field(description="Cosine of the two pictures; 1 for the same bytes.")
    image: ImageLink
    offer: Offer


class DuplicatesResponse(BaseModel):
    """Whose picture it is."""

    in_catalog: bool = Field(description="Whether either list has a product.")
    same_picture: list[DuplicateHit] = Field(description="The same file, byte by byte.")
    near_duplicates: list[DuplicateHit] = Field(
        description="Other files of what is, by its score, the same picture: saved anew, resized, slightly cropped."
    )
    threshold: float = Field(description="Least score of a near-duplicate.")
    notes: list[str]
    space_id: str
    collection: str
