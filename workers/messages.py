"""What goes through the queues: JSON of a version, validated where it arrives.

A message is all that a worker needs. A worker that does not know a message's version puts it aside (dead letters) and
the batch on the failure list; so update workers before dispatchers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidationError

from indexer.errors import MessageInvalid
from indexer.indexing.batch import ProductBatch
from indexer.products import CatalogProduct, RowError
from indexer.spaces import EmbeddingSpace
from indexer.store.port import Alias
from indexer.tenants import TENANT_PATTERN

MESSAGE_VERSION: Literal[1] = 1
Tenant: Any = Field(default="", pattern=rf"^({TENANT_PATTERN})?$")


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = MESSAGE_VERSION
    run_id: str = Field(min_length=1, max_length=100)
    space_id: str = Field(pattern=r"^[0-9a-f]{12}$", description="Space of the vectors; workers of others refuse.")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json")


class BatchMessage(_Message):
    """A batch to be indexed.

    Attributes:
        number, part: name the batch in its run, see ``ProductBatch``.
        attempt: how often pictures of these products could not be had before.
        catalog: that the alias is of.
        tenant: whose products they are; empty without tenants.
        collection: physical collection that is written to.
        donor: collection whose vectors may be copied, of a reindex; else empty.
        image_root: absolute folder that paths of pictures are relative to.
        as_of: version of products without an ``updated_at``.
        products, row_errors: rows of the feed.
    """

    number: int = Field(ge=0)
    part: str = Field(default="", pattern=r"^[.~0-9]{0,200}$")
    attempt: int = Field(default=0, ge=0)
    catalog: str = Field(pattern=r"^[a-z0-9_]{1,48}$")
    tenant: str = Tenant
    collection: str = Field(min_length=1, max_length=200)
    donor: str = Field(default="", max_length=200)
    image_root: str
    as_of: datetime | None = None
    products: tuple[Annotated[CatalogProduct, PlainSerializer(CatalogProduct.to_json)], ...]
    row_errors: tuple[RowError, ...] = ()

    @property
    def alias(self) -> Alias:
        """Behind which the run writes."""
        return Alias(self.catalog, self.space_id)

    @property
    def key(self) -> str:
        """Names the batch in its run."""
        return f"{self.number}{self.part}"

    def batch(self) -> ProductBatch:
        """What the core indexes."""
        return ProductBatch(
            self.number, self.products, self.row_errors, self.image_root, part=self.part, as_of=self.as_of
        )


class FinishMessage(_Message):
    """A run whose batches are all done is to be ended."""


class DispatchMessage(_Message):
    """The batches of a run are to be read from its feed, or from a failure list, and sent."""


class StartMessage(BaseModel):
    """A run that was asked for over HTTP is to be begun."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = MESSAGE_VERSION
    request_id: str = Field(min_length=1, max_length=100)
    space_id: str = Field(pattern=r"^[0-9a-f]{12}$")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json")


class ApplyMessage(BaseModel):
    """Events wait in the log, of a tenant or of none, and are to be applied."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = MESSAGE_VERSION
    space_id: str = Field(pattern=r"^[0-9a-f]{12}$")
    tenant: str = Tenant

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json")


class WorkerCard(BaseModel):
    """What a worker says of itself.

    Attributes:
        worker_id: unlike every other's.
        catalog: whose events it applies.
        model, pretrained: as its settings name the model.
        space: that it embeds in, as ``EmbeddingSpace.to_json`` gives it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    worker_id: str
    catalog: str
    model: str
    pretrained: str
    space: dict[str, str | int]

    def embedding_space(self) -> EmbeddingSpace:
        """The space."""
        return EmbeddingSpace.from_json(self.space)


_M = TypeVar("_M", bound=BaseModel)


def read_message(kind: type[_M], value: object) -> _M:
    """A message as it arrived.

    Raises:
        MessageInvalid: says which member is wrong.
    """
    version = value.get("v") if isinstance(value, Mapping) else None
    if version is not None and version != MESSAGE_VERSION:
        raise MessageInvalid(
            f"The message is of version {version!r}; this worker reads version {MESSAGE_VERSION}.",
            "Update workers before dispatchers.",
        )
    try:
        return kind.model_validate_json(_text(value)) if isinstance(value, str | bytes) else kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the message"
        raise MessageInvalid(f"{where} of a {kind.__name__} is wrong: {first['msg']}.") from error


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
