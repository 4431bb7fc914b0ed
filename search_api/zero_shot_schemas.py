"""What ``/v1/classify`` and ``/v1/embed`` take and give, as OpenAPI describes it; kept stable."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Base64Bytes, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from indexer.prompts import DEFAULT_TEMPLATE, SLOT

MAX_LABELS = 200
MAX_LABEL_CHARS = 200
MAX_TEMPLATES = 20
MAX_PROMPTS = 1000
MAX_PHOTOS = 16
MAX_TEXTS = 256


def _split(value: Any) -> Any:
    """Labels one by one: given as one text with commas, as a list, or as a list of such texts; each once."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        return value
    labels = [label.strip() for item in given for label in item.split(",")]
    return list(dict.fromkeys(label for label in labels if label))


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _check_templates(value: list[str]) -> list[str]:
    for template in value:
        if template.count(SLOT) != 1:
            raise ValueError(f"the template {template[:60]!r} must have one {SLOT} for the label")
    return value


Label = Annotated[str, Field(min_length=1, max_length=MAX_LABEL_CHARS)]
Labels = Annotated[
    list[Label],
    BeforeValidator(_split, json_schema_input_type=str | list[str]),
    Field(min_length=1, max_length=MAX_LABELS, description="What the photo may show: a list, or one text with commas."),
]
Templates = Annotated[
    list[Annotated[str, Field(max_length=MAX_LABEL_CHARS)]],
    BeforeValidator(_one_or_many, json_schema_input_type=str | list[str]),
    Field(
        min_length=1,
        max_length=MAX_TEMPLATES,
        description="Prompts with {} for the label; the embeddings of several are averaged.",
    ),
]


class ClassifyQuery(BaseModel):
    """Labels for a photo."""

    model_config = ConfigDict(extra="forbid")

    labels: Labels
    templates: Templates = Field(default=[DEFAULT_TEMPLATE])

    @model_validator(mode="after")
    def _check(self) -> ClassifyQuery:
        _check_templates(self.templates)
        if len(self.labels) * len(self.templates) > MAX_PROMPTS:
            raise ValueError(f"labels times templates are more than {MAX_PROMPTS}")
        return self


class ClassifyBody(ClassifyQuery):
    """The same as JSON, with the photo in it."""

    photo: Base64Bytes = Field(description="A picture file, base64.")


class LabelAnswer(BaseModel):
    """A label and what the model makes of it."""

    label: str
    probability: float | None = Field(
        description="Of this label by itself: sigmoid(scale * cosine + bias) with the model's learned numbers; null "
        "for a model that has none (CLIP)."
    )
    softmax: float = Field(description="Of this label against the others; all of them add up to 1.")


class ClassifyResponse(BaseModel):
    """Labels, likeliest first."""

    labels: list[LabelAnswer]
    space_id: str


class EmbedQuery(BaseModel):
    """Photos or texts to embed."""

    model_config = ConfigDict(extra="forbid")

    photos: list[bytes] = Field(default=[], max_length=MAX_PHOTOS)
    texts: list[str] = Field(default=[], max_length=MAX_TEXTS, description="In any language of the model.")

    @model_validator(mode="after")
    def _check(self) -> EmbedQuery:
        if bool(self.photos) == bool(self.texts):
            raise ValueError("send either photos or texts")
        return self


class EmbedBody(EmbedQuery):
    """The same as JSON."""

    photos: list[Base64Bytes] = Field(default=[], max_length=MAX_PHOTOS, description="Picture files, base64.")


class EmbedResponse(BaseModel):
    """Vectors of length 1, in the order of what was sent."""

    vectors: list[list[float]]
    space_id: str = Field(description="Vectors of other spaces cannot be compared with these.")
    dim: int
