"""``POST /v1/search``: products by photos, texts, other products and filters, all in one query."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from indexer.errors import ImageEmpty, QueryNotPossible
from indexer.images.limits import ImageLimits
from search_api.access import Scope
from search_api.departures import unless_gone
from search_api.find_answer import find_response
from search_api.find_schemas import MAX_PHOTOS, FindQuery, FindResponse, PhotoPart
from search_api.limits.json_shape import check_shape
from search_api.routes.dependencies import Parts, problems
from search_api.routes.scopes import scoped_router
from search_api.routes.uploads import check_size, file_bytes, media_type

router = scoped_router(Scope.SEARCH, tag="search", prefix="/v1")

_FORM_FIELD = "query"


def _bodies(model: type[BaseModel]) -> dict[str, object]:
    """The two forms of body of a route, for OpenAPI."""
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    form = {
        "type": "object",
        "required": [_FORM_FIELD],
        "properties": {
            _FORM_FIELD: {"type": "string", "description": f"{model.__name__} as JSON."},
            "file": {
                "type": "string",
                "format": "binary",
                "description": "A photo; further ones by names of their own.",
            },
        },
    }
    content = {"application/json": {"schema": reference}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/search",
    response_model=FindResponse,
    responses=problems(404, 409, 413, 415, 422, 503),
    openapi_extra=_bodies(FindQuery),
)
async def find_products(request: Request, parts: Parts) -> Response:
    """Products by any mix of photos, texts, and products liked or not, filtered, counted, sorted and in pages.

    As `application/json`, or as `multipart/form-data` with that JSON in the field `query` and photos in fields that it
    names.
    """
    if media_type(request) == "multipart/form-data":
        async with request.form(max_files=MAX_PHOTOS, max_fields=4) as form:
            query = _parsed(FindQuery, form.get(_FORM_FIELD))
            photos = [await _photo(number, part, form, parts.limits) for number, part in enumerate(query.photos)]
    else:
        query = _parsed(FindQuery, await request.body())
        photos = [await _photo(number, part, None, parts.limits) for number, part in enumerate(query.photos)]
    found = await unless_gone(request, parts.search.find(query, photos))
    return Response(find_response(found).model_dump_json(), media_type="application/json")


def _parsed(model: type[FindQuery], text: object) -> FindQuery:
    if not isinstance(text, str | bytes):
        raise QueryNotPossible(f"The form has no text in its field {_FORM_FIELD!r}.", "Send the query there, as JSON.")
    if isinstance(text, str):
        check_shape(text)  # bodies that are JSON as a whole were looked at as they came
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise RequestValidationError(_described(error)) from error


def _described(error: ValidationError) -> Sequence[object]:
    return [{**item, "loc": ("body", *item["loc"])} for item in error.errors(include_url=False, include_context=False)]


async def _photo(number: int, part: PhotoPart, form: FormData | None, limits: ImageLimits) -> bytes:
    """The bytes of a photo.

    Raises:
        ImageError, QueryNotPossible
    """
    if part.data:
        try:
            data = base64.b64decode(part.data, validate=True)
        except (ValueError, binascii.Error) as error:
            raise QueryNotPossible(f"photos.{number}.data is no base64.", "Encode the file's bytes.") from error
    else:
        file = form.get(part.file) if form is not None else None
        if not isinstance(file, UploadFile):
            raise ImageEmpty(
                f"photos.{number}: the request has no file in a field {part.file!r}.",
                "Send multipart/form-data with the photo in that field, or its bytes in 'data'.",
            )
        return await file_bytes(file, limits)
    check_size(data, limits)
    return data
