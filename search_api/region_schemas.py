"""What ``POST /v1/regions`` gives, as OpenAPI describes it; kept stable."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class PhotoRegion(BaseModel):
    """An object in a photo."""

    box: tuple[float, float, float, float] = Field(
        description="Left, top, right, bottom, as shares of the photo's width and height; POST /v1/search takes it."
    )
    score: float = Field(
        description="0 to 1. Of patches: how clearly it stands out beside the clearest object; of a detector: its "
        "confidence."
    )
    crop_url: str | None = Field(description="A small JPEG of it (data:); null if crops=false.")
    label: str | None = Field(description="What it may be, of region_labels or the detector's names; null if unsure.")


class RegionsResponse(BaseModel):
    """The objects of a photo, the clearest first."""

    regions: list[PhotoRegion]
    method: Literal["patches", "detector", "none"] = Field(
        description="The model's own image tower, a detector that is set, or none where the model gives no patches."
    )
    note: str = Field(description="A sentence where nothing was found; else empty.")
