"""The filter of a query as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_FILTER_DEPTH = 8
MAX_FILTER_CONDITIONS = 100
MAX_FILTER_VALUES = 256
MAX_FILTER_VALUES_IN_ALL = 512
"""Of all its conditions: a filter is looked at for each product, and each value costs time then."""
MAX_FACET_CONDITIONS = 20
MAX_FACET_FILTER_VALUES = 100
"""Of a filter that facets are counted under: the engine asks it again for each value of a facet."""
_MAX_VALUE_CHARS = 512

Text = Annotated[str, Field(max_length=_MAX_VALUE_CHARS)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Value = bool | int | Text | list[Text]
Limit = Number | Text


class FilterNode(BaseModel):
    """One of: ``{"and": [...]}``, ``{"or": [...]}``, ``{"not": ...}``, ``{"field", "any_of": [...]}``, or ``{"field"}``
    with ``gte``, ``gt``, ``lte``, ``lt``.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=False, strict=True)

    and_: list[FilterNode] | None = Field(default=None, alias="and", min_length=1, max_length=MAX_FILTER_CONDITIONS)
    or_: list[FilterNode] | None = Field(default=None, alias="or", min_length=1, max_length=MAX_FILTER_CONDITIONS)
    not_: FilterNode | None = Field(default=None, alias="not")
    field: str | None = Field(
        default=None,
        max_length=200,
        description="brand, category, price_minor, currency, in_stock, item_group_id, product_id, updated_at, "
        "identifiers, or any attribute of the catalog, such as color.",
    )
    any_of: list[Value] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_FILTER_VALUES,
        description="It has one of these. A category is a path of any level: ['Home', 'Kitchen'] or 'Home > Kitchen'.",
    )
    gte: Limit | None = None
    gt: Limit | None = None
    lte: Limit | None = None
    lt: Limit | None = None

    @property
    def limits(self) -> dict[str, float | str]:
        """Those of a range that are given, by name."""
        given = {"gte": self.gte, "gt": self.gt, "lte": self.lte, "lt": self.lt}
        return {name: limit for name, limit in given.items() if limit is not None}

    @model_validator(mode="after")
    def _one_shape(self) -> FilterNode:
        combined = [name for name in ("and_", "or_", "not_") if getattr(self, name) is not None]
        if self.field is None:
            if len(combined) != 1 or self.any_of is not None or self.limits:
                raise ValueError("a filter is one of and, or, not, or a field with any_of or with gte, gt, lte, lt")
        elif combined or (self.any_of is None) == (not self.limits):
            raise ValueError("a field takes either any_of or gte, gt, lte, lt, and nothing beside them")
        elif not self.field:
            raise ValueError("the field has no name")
        return self
