"""What an event looks like on the wire: HTTP bodies and queue messages, version 1. Described in docs/events.md.

A field is judged as a feed's is: markup becomes plain text, control characters are refused, references of pictures are
http(s) URLs or paths that do not lead out of the feeds' folder.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from indexer.catalog.currencies import currency_code
from indexer.catalog.image_refs import MAX_IMAGES, check_ref
from indexer.catalog.rows import MAX_ID_CHARS
from indexer.catalog.text import plain_text, refuse_controls_and_breaks
from indexer.errors import ImageRefForbidden
from indexer.events.port import PATCHABLE_FIELDS, EventKind, ProductEvent
from indexer.products import CatalogProduct, is_remote

SCHEMA_VERSION: Final = 1
MAX_TEXT_CHARS = 100_000
MAX_ATTRIBUTES = 500
MAX_AHEAD = timedelta(days=1)
"""A version from further in the future is a wrong clock's, and would shut out every honest event behind it."""


def check_product_id(product_id: str) -> str:
    """The id without space around it.

    Raises:
        ValueError: empty, too long, or control characters.
    """
    product_id = product_id.strip()
    if not product_id:
        raise ValueError("is empty")
    if len(product_id) > MAX_ID_CHARS:
        raise ValueError(f"is longer than {MAX_ID_CHARS} characters")
    refuse_controls_and_breaks(product_id)
    return product_id


def _title(text: str) -> str:
    if not (title := plain_text(text)):
        raise ValueError("is empty")
    return title


def _link(text: str) -> str:
    link = text.strip()
    refuse_controls_and_breaks(link)
    if link and not link.startswith(("https://", "http://")):
        raise ValueError("is no http(s) address")
    return link


def _currency(text: str) -> str:
    if not text.strip():
        return ""
    if (code := currency_code(text)) is None:
        raise ValueError("is no ISO 4217 code")
    return code


def _refs(refs: list[str]) -> list[str]:
    return list(dict.fromkeys(check_ref(ref) for ref in refs))


def _category(steps: list[str]) -> list[str]:
    return [text for step in steps if (text := plain_text(step))]


def _attributes(attributes: dict[str, str]) -> dict[str, str]:
    plain = {plain_text(name).lower(): plain_text(value) for name, value in attributes.items()}
    return {name: value for name, value in plain.items() if name and value}


def _version(moment: datetime) -> datetime:
    if moment > datetime.now(UTC) + MAX_AHEAD:
        raise ValueError("is more than a day in the future")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is before year 1 in UTC") from error


_Chars = Field(max_length=MAX_TEXT_CHARS)
ProductId = Annotated[str, Field(description="The feed's own id."), AfterValidator(check_product_id)]
TenantName = Annotated[str, Field(max_length=100, description="Whose product; only where there are tenants.")]
Version = Annotated[
    AwareDatetime,
    Field(description="When the shop made the change, with a time zone; an older one never overwrites a newer."),
    AfterValidator(_version),
]
Title = Annotated[str, _Chars, AfterValidator(_title)]
Text = Annotated[str, _Chars, AfterValidator(plain_text)]
Link = Annotated[str, Field(max_length=4096, description="http(s) address of the page."), AfterValidator(_link)]
Category = Annotated[
    list[Annotated[str, Field(max_length=2000)]],
    Field(max_length=50, description="Path from the root of the category tree."),
    AfterValidator(_category),
]
Price = Annotated[int, Field(strict=True, ge=0, le=10**15, description="In minor units: 1290 is 12.90 EUR.")]
Currency = Annotated[str, Field(max_length=16, description="ISO 4217."), AfterValidator(_currency)]
InStock = Annotated[bool, Field(strict=True)]
Attributes = Annotated[
    dict[Annotated[str, Field(max_length=200)], Annotated[str, Field(max_length=10_000)]],
    Field(max_length=MAX_ATTRIBUTES, description="All that else is said of it, by name."),
    AfterValidator(_attributes),
]
ImageRefs = Annotated[
    list[str],
    Field(
        min_length=1,
        max_length=MAX_IMAGES,
        description="http(s) URLs, or paths relative to feeds_dir; the main picture first.",
    ),
    AfterValidator(_refs),
]


class _OptionalFields(BaseModel):
    """What a product may say of itself."""

    model_config = ConfigDict(extra="forbid")

    description: Text = ""
    link: Link = ""
    category: Category = []
    brand: Text = ""
    price_minor: Price | None = None
    currency: Currency = ""
    in_stock: InStock | None = None
    item_group_id: Text = ""
    attributes: Attributes = {}
    updated_at: Version | None = None


class ProductBody(_OptionalFields):
    """A whole product; what is left out is empty."""

    title: Title
    image_refs: ImageRefs

    @model_validator(mode="after")
    def _price_has_a_currency(self) -> Self:
        if self.price_minor is not None and not self.currency:
            raise ValueError("a price needs a currency")
        return self


class FieldsBody(_OptionalFields):
    """Single fields of a product; what is left out stays as it is, null says that it is not known."""

    title: Title = ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.fields():
            raise ValueError("names no field to change")
        return self

    def fields(self) -> dict[str, Any]:
        """The fields that were sent, as plain JSON values."""
        return {name: getattr(self, name) for name in PATCHABLE_FIELDS if name in self.model_fields_set}


class UpsertMessage(ProductBody):
    """``products.upsert``: a product as it is now, new or known."""

    schema_version: Literal[1] = SCHEMA_VERSION
    product_id: ProductId
    tenant: TenantName = ""


class UpdateFieldsMessage(FieldsBody):
    """``products.update_fields``: new values of single fields; no picture is fetched or embedded."""

    schema_version: Literal[1] = SCHEMA_VERSION
    product_id: ProductId
    tenant: TenantName = ""


class DeleteMessage(BaseModel):
    """``products.delete``: the product is no more."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = SCHEMA_VERSION
    product_id: ProductId
    tenant: TenantName = ""
    updated_at: Version | None = None


def upsert_event(product_id: str, body: ProductBody, feeds_dir: str) -> ProductEvent:
    """The event of a whole product.

    Args:
        product_id: checked.
        body: validated.
        feeds_dir: absolute folder that paths of pictures are relative to; empty: there is none.

    Raises:
        ImageRefForbidden: a picture is a path, and there is no folder.
    """
    local = [ref for ref in body.image_refs if not is_remote(ref)]
    if local and not feeds_dir:
        raise ImageRefForbidden(f"The picture {local[0]} is a path, but no feeds_dir is set.", "Send http(s) URLs.")
    product = CatalogProduct(
        product_id=product_id,
        title=body.title,
        image_refs=tuple(body.image_refs),
        description=body.description,
        link=body.link,
        category=tuple(body.category),
        brand=body.brand,
        price_minor=body.price_minor,
        currency=body.currency if body.price_minor is not None else "",
        in_stock=body.in_stock,
        item_group_id=body.item_group_id,
        attributes=body.attributes,
    )
    root = feeds_dir if local else ""
    return ProductEvent(
        product_id,
        EventKind.UPSERT,
        _at(body.updated_at),
        product=product,
        image_root=root,
        dated=body.updated_at is not None,
    )


def fields_event(product_id: str, body: FieldsBody) -> ProductEvent:
    """The event of single fields.

    Args:
        product_id: checked.
        body: validated.
    """
    return ProductEvent(
        product_id,
        EventKind.UPDATE_FIELDS,
        _at(body.updated_at),
        fields=body.fields(),
        dated=body.updated_at is not None,
    )


def delete_event(product_id: str, updated_at: datetime | None) -> ProductEvent:
    """The event of a deletion.

    Args:
        product_id: checked.
        updated_at: its version; None: now.
    """
    return ProductEvent(product_id, EventKind.DELETE, _at(updated_at), dated=updated_at is not None)


def _at(updated_at: datetime | None) -> datetime:
    return updated_at or datetime.now(UTC)
