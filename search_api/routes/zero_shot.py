"""``/v1/classify`` and ``/v1/embed``: labels for a photo in any words, and plain embeddings."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from indexer.errors import ImageEmpty
from indexer.images.limits import ImageLimits
from search_api.access import Scope
from search_api.departures import unless_gone
from search_api.routes.dependencies import Parts, problems
from search_api.routes.scopes import scoped_router
from search_api.routes.uploads import check_size, file_bytes, media_type, raw_photo
from search_api.zero_shot_schemas import (
    MAX_LABELS,
    MAX_PHOTOS,
    MAX_TEMPLATES,
    MAX_TEXTS,
    ClassifyBody,
    ClassifyQuery,
    ClassifyResponse,
    EmbedBody,
    EmbedQuery,
    EmbedResponse,
    LabelAnswer,
)

router = scoped_router(Scope.EMBED, tag="zero-shot", prefix="/v1")

_OTHER_BODIES = "multipart/form-data, application/json"

_M = TypeVar("_M", bound=BaseModel)
_FILE = {"type": "string", "format": "binary"}
_TEXTS = {"type": "array", "items": {"type": "string"}}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(ref_template="#/components/schemas/{model}")


_CLASSIFY_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "labels"],
                    "properties": {"file": _FILE, "labels": _TEXTS, "templates": _TEXTS},
                }
            },
            "application/json": {"schema": _schema(ClassifyBody)},
            "image/*": {"schema": _FILE},
        },
    }
}
_EMBED_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "array", "items": _FILE}, "texts": _TEXTS}}
            },
            "application/json": {"schema": _schema(EmbedBody)},
            "image/*": {"schema": _FILE},
        },
    }
}


@router.post(
    "/classify",
    response_model=ClassifyResponse,
    responses=problems(413, 415, 422, 503),
    openapi_extra=_CLASSIFY_BODY,
)
async def classify(
    request: Request,
    parts: Parts,
    labels: Annotated[
        list[str] | None, Query(description="Beside a raw image body: comma separated, or repeated.")
    ] = None,
    templates: Annotated[list[str] | None, Query(description="Beside a raw image body; repeated.")] = None,
) -> Response:
    """What a photo shows, of the labels given: probabilities one by one, and against each other.

    The photo is a multipart `file` beside the fields `labels` and `templates`, a raw `image/*` body with these in the
    URL, or base64 in JSON.
    """
    kind = media_type(request)
    if kind == "application/json":
        body = _valid(ClassifyBody, await request.body())
        photo, query = body.photo, ClassifyQuery(labels=body.labels, templates=body.templates)
        check_size(photo, parts.limits)
    elif kind == "multipart/form-data":
        async with request.form(max_files=1, max_fields=MAX_LABELS + MAX_TEMPLATES) as form:
            (photo,) = await _files(form, parts.limits) or (b"",)
            asked = {"labels": [*(labels or []), *_texts(form, "labels")]}
            if given := [*(templates or []), *_texts(form, "templates")]:
                asked["templates"] = given
        query = _valid(ClassifyQuery, asked)
    else:
        photo = await raw_photo(request, parts.limits, otherwise=_OTHER_BODIES)
        query = _valid(ClassifyQuery, {"labels": labels or []} | ({"templates": templates} if templates else {}))
    if not photo:
        raise ImageEmpty("The request has no photo.", "Send it in the field 'file'.")
    found = await unless_gone(request, parts.zero_shot.classify(photo, query.labels, query.templates))
    answer = ClassifyResponse(
        labels=[
            LabelAnswer(label=item.label, probability=item.probability, softmax=item.softmax) for item in found.labels
        ],
        space_id=found.space_id,
    )
    return Response(answer.model_dump_json(), media_type="application/json")


@router.post("/embed", response_model=EmbedResponse, responses=problems(413, 415, 422, 503), openapi_extra=_EMBED_BODY)
async def embed(request: Request, parts: Parts) -> Response:
    """Embeddings of photos (multipart `file`, repeated; a raw `image/*` body; base64 in JSON) or of texts."""
    kind = media_type(request)
    asked: EmbedQuery
    if kind == "application/json":
        asked = _valid(EmbedBody, await request.body())
        for photo in asked.photos:
            check_size(photo, parts.limits)
    elif kind == "multipart/form-data":
        async with request.form(max_files=MAX_PHOTOS, max_fields=MAX_TEXTS) as form:
            asked = _valid(EmbedQuery, {"photos": await _files(form, parts.limits), "texts": _texts(form, "texts")})
    else:
        asked = EmbedQuery(photos=[await raw_photo(request, parts.limits, otherwise=_OTHER_BODIES)])
    service = parts.zero_shot
    found = await unless_gone(
        request, service.embed_photos(asked.photos) if asked.photos else service.embed_texts(asked.texts)
    )
    answer = EmbedResponse(vectors=found.vectors.tolist(), space_id=found.space_id, dim=found.vectors.shape[1])
    return Response(answer.model_dump_json(), media_type="application/json")


def _valid(model: type[_M], value: bytes | dict[str, Any]) -> _M:
    """A request's content, checked as FastAPI checks it.

    Raises:
        RequestValidationError: says what is wrong.
    """
    try:
        return model.model_validate_json(value) if isinstance(value, bytes) else model.model_validate(value)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_context=False)) from error


def _texts(form: FormData, name: str) -> list[str]:
    return [value for value in form.getlist(name) if isinstance(value, str)]


async def _files(form: FormData, limits: ImageLimits) -> list[bytes]:
    """The files in the fields ``file``.

    Raises:
        ImageTooLarge: one is larger than allowed.
    """
    return [await file_bytes(file, limits) for file in form.getlist("file") if isinstance(file, UploadFile)]
